"""Whoever takes tokens, and whenever: no window of a rate's own length ever sees more than the rate."""

from __future__ import annotations

from bisect import bisect_left
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.rates import UNITS, Rate
from dispatcher.outbox.meters import HORIZON, Standing, meter
from dispatcher.outbox.throttle import Applicant, Till, admit

START = 1_772_000_000.0
RATES = st.builds(Rate.per, st.integers(1, 3000), st.sampled_from([UNITS["s"], UNITS["min"], UNITS["h"], UNITS["day"]]))


class Taker:
    """A process: asks now and then, for more than it can use or for less, and sends as late as a token lets it."""

    def __init__(self, rate: Rate, chance: Random) -> None:
        self.rate, self.chance, self.sent = rate, chance, list[float]()

    def ask(self, standing: Standing, now: float) -> Standing:
        till = Till(meter(self.rate, standing, now))
        wanted = self.chance.choice([1, 3, 20, 400])
        admit([Applicant(number, self.chance.random() < 0.2, ("m",)) for number in range(wanted)], {"m": till})
        self.sent += [
            at + self.chance.choice([0, self.chance.random(), 0.999]) * self.rate.tolerance for at in till.taken
        ]
        return till.meter.standing


def sent_by(rate: Rate, chance: Random, pauses: list[float]) -> list[float]:
    """What several takers sent, who ask one after the other, `pauses` being parts of the rate's span."""
    takers, standing, now = [Taker(rate, chance) for _ in range(3)], Standing(), START
    for pause in pauses:
        now += pause * rate.span
        standing = chance.choice(takers).ask(standing, now)
    return sorted(at for taker in takers for at in taker.sent)


def most_in_a_window(instants: list[float], span: float) -> int:
    return max((bisect_left(instants, at + span - 1e-6) - first for first, at in enumerate(instants)), default=0)


@given(RATES, st.randoms(use_true_random=False), st.lists(st.sampled_from([0, 0.001, 0.01, 0.3, 1.001]), max_size=80))
def test_no_interleaving_of_takers_exceeds_a_rate_in_any_window(
    rate: Rate, chance: Random, pauses: list[float]
) -> None:
    assert most_in_a_window(sent_by(rate, chance, pauses), rate.span) <= max(rate.count, 1)


@pytest.mark.parametrize(("count", "unit"), [(1000, "min"), (40, "s"), (600, "h"), (50_000, "day"), (50, "day")])
def test_two_takers_who_always_want_more_get_all_but_two_hundredths(count: int, unit: str) -> None:
    rate = Rate.per(count, UNITS[unit])
    standing, now, taken = Standing(), START, list[float]()
    step = min(1.0, HORIZON / 2) if not rate.is_ration else rate.span / 397
    while now < START + 6 * rate.span:
        for _ in range(2):
            till = Till(meter(rate, standing, now))
            wanted = till.meter.left(is_urgent=False) + 2
            admit([Applicant(number, False, ("m",)) for number in range(wanted)], {"m": till})
            taken += till.taken
            standing = till.meter.standing
        now += step
    inside = [at for at in taken if START <= at < START + 5 * rate.span]
    assert most_in_a_window(taken, rate.span) <= rate.count
    assert 100 * len(inside) >= 98 * 5 * rate.count


@given(RATES, st.integers(1, 500), st.floats(0, 50))
def test_what_is_put_back_comes_again_later_and_never_after_all_its_tokens(
    rate: Rate, how_many: int, ago: float
) -> None:
    till = Till(meter(rate, Standing(next_at=START - ago), START))
    go, later = admit([Applicant(number, False, ("m",)) for number in range(how_many)], {"m": till})
    assert len(go) + len(later) == how_many
    assert all(START < at <= START + 1.02 * max(rate.span, how_many * rate.span / rate.count) + 600 for _, at in later)
