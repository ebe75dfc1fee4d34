"""Whatever the duties: rules, priorities and weights hold. Whatever happens to a relay: its circuit makes sense."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.delivery import breaker
from dispatcher.delivery.breaker import Breaker, Circuit
from dispatcher.delivery.routing import Duty, Routing, draw, position

DOMAINS = ["harbour.example", "old.harbour.example", "quay.example", "pier.test"]
PATTERNS = st.lists(st.sampled_from([*DOMAINS, "*.harbour.example", "*.example"]), max_size=2).map(tuple)
DUTIES = st.lists(
    st.builds(Duty, st.integers(1, 3), st.integers(1, 9), only_to=PATTERNS, only_from=PATTERNS), min_size=1, max_size=6
)


def _is_for(domain: str, patterns: tuple[str, ...]) -> bool:
    below = {f"*.{'.'.join(domain.split('.')[n:])}" for n in range(1, 4)}
    return not patterns or bool({domain, *below} & set(patterns))


@given(duties=DUTIES, sender=st.sampled_from(DOMAINS), domain=st.sampled_from(DOMAINS), reader=st.integers(0, 99))
def test_a_message_may_take_each_relay_that_is_for_it_once_the_best_first(
    duties: list[Duty], sender: str, domain: str, reader: int
) -> None:
    order = Routing(duties).order(f"news@{sender}", f"reader{reader}@{domain}")
    suitable = {n for n, duty in enumerate(duties) if _is_for(domain, duty.only_to) and _is_for(sender, duty.only_from)}
    assert sorted(order) == sorted(suitable)
    ranks = [(not duties[n].has_rules, duties[n].priority) for n in order]
    assert ranks == sorted(ranks)


@given(weights=st.lists(st.integers(1, 1000), min_size=1, max_size=6), lot=st.floats(0, 1, exclude_max=True))
def test_a_draw_has_every_relay_once(weights: list[int], lot: float) -> None:
    assert sorted(draw(range(len(weights)), weights, lot)) == list(range(len(weights)))


@given(weights=st.lists(st.integers(1, 20), min_size=2, max_size=5))
def test_each_relay_is_drawn_first_for_its_share_of_the_lots(weights: list[int]) -> None:
    firsts = Counter(draw(range(len(weights)), weights, n / 2000)[0] for n in range(2000))
    for relay, weight in enumerate(weights):
        assert firsts[relay] / 2000 == pytest.approx(weight / sum(weights), abs=0.002)


@given(address=st.text())
def test_every_address_has_its_place(address: str) -> None:
    assert 0 <= position(address) < 1
    assert position(address) == position(address)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("end"), st.sampled_from([True, False, None])),
        st.tuples(st.just("probed"), st.booleans()),
        st.tuples(st.just("trip"), st.none()),
        st.tuples(st.just("wait"), st.floats(0, 100)),
    ),
    max_size=200,
)


@given(steps=STEPS, jitter=st.floats(0, 1, exclude_max=True))
def test_a_circuit_never_gets_stuck_or_lets_too_much_through(steps: list[tuple[str, object]], jitter: float) -> None:
    b, now, tickets = Breaker(), 0.0, list[int]()
    for step, argument in steps:
        before = b.circuit
        if step == "begin" and b.has_room:
            tickets.append(b.begin())
        elif step == "end" and tickets:
            changed = b.end(tickets.pop(0), argument, now, jitter)  # type: ignore[arg-type]
            assert changed == (b.circuit is not before)
            if changed:
                assert (b.circuit is Circuit.IN_USE) == (argument is True)
        elif step == "probed":
            b.probed(bool(argument), now, jitter)
            assert b.circuit is (Circuit.ON_TRIAL if argument and before is Circuit.OUT_OF_USE else before)
        elif step == "trip":
            assert b.trip(now, jitter) == (before is not Circuit.OUT_OF_USE)
        elif step == "wait":
            now += float(argument)  # type: ignore[arg-type]
        if b.circuit is Circuit.OUT_OF_USE:
            assert not b.has_room
            assert b.probe_at <= now + breaker.LONGEST_PAUSE * 1.25
        if b.circuit is Circuit.ON_TRIAL:
            assert sum(ticket == b.ticket for ticket in tickets) <= breaker.AT_ONCE
