"""Rates as they are written, meant and held; providers; warm-up."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dispatcher.config import addresses, rates
from dispatcher.model import providers
from dispatcher.model.rates import Rate
from dispatcher.outbox.meters import HORIZON, LONGEST, RATION_LONGEST, Standing, meter
from dispatcher.outbox.throttle import Applicant, Till, admit
from dispatcher.outbox.warmup import most_a_day

START = 1_772_000_000.0
MINUTE = Rate(60, 60.0)
HOUR = Rate(1000, 3600.0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", {}),
        ("1000/min", {"min": Rate(1000, 60)}),
        ("14/s, 50000/day", {"s": Rate(840, 60), "day": Rate(50_000, 86_400)}),
        (" 7 / h ", {"h": Rate(7, 3600)}),
    ],
)
def test_a_rate_is_read_as_it_is_meant(text: str, meant: dict[str, Rate]) -> None:
    assert rates.parse(text) == meant


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("1000/minn", '"1000/min"'),
        ("1000/minute", '"1000/min"'),
        ("5/seconds", '"5/s"'),
        ("50/Hours", '"50/h"'),
        ("50/d", '"50/day"'),
        ("50/dayy", '"50/day"'),
    ],
)
def test_a_misspelt_unit_is_answered_with_the_nearest(text: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=f"is not a rate; did you mean {suggestion}"):
        rates.parse(text)


@pytest.mark.parametrize("text", ["fast", "1000", "/min", "0/min", "-5/min", "1.5/s", "10/week", "5/s,", "٥/s"])
def test_what_is_not_a_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate; expected a number and a unit"):
        rates.parse(text)


def test_two_rates_of_one_unit_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="two rates per min"):
        rates.parse("10/min, 20/min")


@pytest.mark.parametrize(
    ("text", "meant"), [("gmail", "gmail"), ("Yahoo", "yahoo"), ("*", "*"), ("Bücher.example", "xn--bcher-kva.example")]
)
def test_a_destination_is_a_provider_a_domain_or_all_others(text: str, meant: str) -> None:
    assert addresses.destination(text) == meant


def test_a_misspelt_provider_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match='not a provider; did you mean "gmail"'):
        addresses.destination("gmial")


def test_every_domain_belongs_to_one_provider_in_small_letters() -> None:
    listed = " ".join(providers._DOMAINS.values()).split()
    assert sorted(listed) == sorted(set(listed))
    assert all(domain == domain.lower() and "." in domain for domain in listed)


def test_the_page_names_every_provider() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "limit-your-sending.md"
    listed = page.read_text(encoding="utf-8").partition("## The providers we know")[2]
    assert sorted(re.findall(r"`([a-z-]+)`", listed)) == list(providers.NAMES)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com", "gmail"),
        ("ALT1.ASPMX.L.GOOGLE.COM.", "gmail"),
        ("example-com.mail.protection.outlook.com", "microsoft"),
        ("mta7.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "apple"),
        ("mail.example.org", None),
        ("com", None),
        ("", None),
    ],
)
def test_a_hosted_domain_is_told_by_its_exchanger(host: str, provider: str | None) -> None:
    assert providers.by_exchanger(host) == provider


def test_a_warm_up_begins_with_fifty_doubles_each_day_and_ends_where_it_is_told_to() -> None:
    began = date(2026, 3, 1)
    plan = [most_a_day(began, began + timedelta(days=day), 1000) for day in range(-1, 6)]
    assert [rate.count if rate else None for rate in plan] == [50, 50, 100, 200, 400, 800, None]
    assert most_a_day(began, date(2126, 3, 1), 10**12) is None


# Meters


def served(rate: Rate, wanted: int, standing: Standing = Standing(), *, urgent: int = 0, owned: int = 0) -> Till:  # noqa: B008
    """What is taken for so many, of which the last ones are urgent; all are in the till."""
    till = Till(meter(rate, standing, START), owned)
    admit([Applicant(n, n >= wanted - urgent, ("m",)) for n in range(wanted)], {"m": till})
    return till


def test_a_rate_by_the_minute_gives_tokens_at_even_distances_and_no_further_than_the_horizon() -> None:
    taken = served(MINUTE, 50).taken
    assert taken == pytest.approx([START, START + 1.01])
    assert taken[-1] <= START + HORIZON


def test_tokens_that_nobody_took_in_time_are_gone() -> None:
    assert len(served(MINUTE, 50, Standing(next_at=START - 3600)).taken) == 2


def test_a_ration_is_given_out_at_once_but_for_what_is_kept_for_the_urgent() -> None:
    assert len(served(HOUR, 2000).taken) == 995
    assert len(served(HOUR, 2000, urgent=3).taken) == 995
    assert len(served(HOUR, 2000, urgent=2000).taken) == 1000


def test_a_spent_ration_comes_back_when_it_has_become_older_than_its_span_and_not_before() -> None:
    spent = served(HOUR, 2000).meter.standing
    for after, left in [(0, 0), (3599, 0), (3600, 0), (3600 + 2 * HOUR.tolerance + 1, 995)]:
        assert meter(HOUR, spent, START + after).left(is_urgent=False) == left


def test_around_midnight_a_day_s_ration_is_still_one_day_s_ration() -> None:
    day = Rate.per(50_000, 86_400)
    midnight = 20_513 * 86_400.0
    evening = Till(meter(day, Standing(), midnight - 60))
    admit([Applicant(n, False, ("m",)) for n in range(50_001)], {"m": evening})
    assert len(evening.taken) == 49_750
    assert meter(day, evening.meter.standing, midnight + 60).left(is_urgent=True) == 250


def test_a_clock_that_was_set_back_does_not_stop_the_mail() -> None:
    ahead = served(MINUTE, 50, Standing(next_at=START + 10_000))
    assert ahead.meter.standing.next_at <= START + HORIZON + MINUTE.interval
    assert meter(HOUR, Standing(spent=((10**9, 10),)), START).standing.spent[0][0] <= START / HOUR.tolerance


def test_what_is_urgent_takes_the_tokens_that_are_there_already() -> None:
    full = served(MINUTE, 50).meter.standing
    till = Till(meter(MINUTE, full, START), owned=2)
    go, later = admit([*(Applicant(n, False, ("m",)) for n in range(2)), Applicant(9, True, ("m",))], {"m": till})
    assert go == {9, 0}
    assert [number for number, _ in later] == [1]


def test_one_that_lacks_a_token_of_one_meter_takes_none_of_the_others() -> None:
    tills = {"free": Till(meter(HOUR, Standing(), START)), "tight": Till(meter(MINUTE, Standing(), START))}
    go, later = admit([Applicant(n, False, ("free", "tight")) for n in range(10)], tills)
    assert len(go) == len(tills["free"].taken) == len(tills["tight"].taken) == 2
    assert len(later) == 8


def test_what_is_put_back_lines_up_for_the_tokens_to_come_a_little_faster_than_they_do() -> None:
    till = Till(meter(MINUTE, Standing(), START))
    _, later = admit([Applicant(n, False, ("m",)) for n in range(100)], {"m": till})
    instants = [at for _, at in later]
    gaps = [after - before for before, after in pairwise(instants[10:])]
    assert all(0.9 < gap < MINUTE.interval for gap in gaps)
    again = Till(meter(MINUTE, till.meter.standing, START))
    _, behind = admit([Applicant(n, False, ("m",)) for n in range(100, 150)], {"m": again})
    assert min(at for _, at in behind) >= instants[-1]


@pytest.mark.parametrize(("rate", "longest"), [(MINUTE, LONGEST), (HOUR, RATION_LONGEST)])
def test_nothing_is_put_back_for_so_long_that_it_would_miss_a_change_nor_all_to_one_instant(
    rate: Rate, longest: float
) -> None:
    _, later = admit([Applicant(n, False, ("m",)) for n in range(3000)], {"m": Till(meter(rate, Standing(), START))})
    assert all(START < at <= START + longest for _, at in later)
    assert len({at for _, at in later}) > 0.95 * len(later)


def test_what_a_spent_ration_puts_back_returns_when_its_tokens_do() -> None:
    spent = served(HOUR, 2000).meter.standing
    till = Till(meter(HOUR, spent, START + 3000))
    _, later = admit([Applicant(n, False, ("m",)) for n in range(500)], {"m": till})
    begin = START + 3600 + HOUR.tolerance
    assert all(begin <= at <= begin + 2 * HOUR.tolerance for _, at in later)
