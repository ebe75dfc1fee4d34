"""What may leave: pauses, the daily cap, what comes back, and what is usual."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dispatcher.model.values import PauseScope, Priority
from dispatcher.outbox.safety import (
    Allowance,
    Counts,
    Limits,
    allowance,
    day_of,
    hour_of,
    most_unasked,
    too_much_back,
    usual,
)

TODAY = date(2026, 3, 31)
S14 = Limits(bounced=0.05, complained=0.003, batch=500)


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def test_without_pause_or_cap_everything_may_leave() -> None:
    assert allowance([], None) == Allowance(None, None)
    assert all(Allowance().lets(priority) for priority in Priority)


def test_a_pause_of_bulk_mail_lets_alerts_and_letters_go() -> None:
    allowed = allowance([PauseScope.BULK], 10)
    assert [priority.name for priority in Priority if allowed.lets(priority)] == ["BREAKING", "INSTANT", "CONFIRMATION"]


def test_a_pause_of_all_mail_lets_nothing_go_whatever_else_is_paused() -> None:
    allowed = allowance([PauseScope.BULK, PauseScope.ALL], None)
    assert not any(allowed.lets(priority) for priority in Priority)


def test_a_cap_that_is_reached_keeps_only_bulk_mail_back() -> None:
    assert allowance([], 7) == Allowance(None, 7)
    assert allowance([], 0) == allowance([PauseScope.BULK], None)


@pytest.mark.parametrize(
    ("counts", "is_too_much"),
    [
        (Counts(sent=474, failed=25, bounced=25), False),  # one short of a batch
        (Counts(sent=475, failed=25, bounced=25), True),
        (Counts(sent=476, failed=24, bounced=24), False),
        (Counts(sent=500, bounced=25), True),  # those that came back later
        (Counts(sent=1000, complained=3), True),
        (Counts(sent=1000, complained=2), False),
        (Counts(sent=100, failed=900), False),  # refused for what we are: that says nothing of the addresses
        (Counts(), False),
    ],
)
def test_s14_five_per_cent_of_bounces_or_three_in_a_thousand_complaints_are_too_much(
    counts: Counts, is_too_much: bool
) -> None:
    assert bool(too_much_back(counts, S14)) is is_too_much


def test_what_is_wrong_is_said_in_numbers() -> None:
    said = too_much_back(Counts(sent=1400, failed=100, bounced=92), S14)
    assert said == "92 of 1,500 mails bounced for good: 6.13%, where 5.00% is the limit"


def test_a_limit_of_0_is_none() -> None:
    assert not too_much_back(Counts(failed=500, bounced=500, complained=500), Limits(0, 0, 1))


def test_the_usual_is_the_busiest_of_the_last_30_days_and_not_today() -> None:
    daily = {TODAY: 900, days_ago(1): 100, days_ago(30): 200, days_ago(31): 800}
    assert usual(daily, days_ago(31), TODAY) == 200
    assert usual({}, days_ago(40), TODAY) == 0


@pytest.mark.parametrize(("first", "known"), [(None, False), (0, False), (13, False), (14, True)])
def test_nothing_is_unusual_before_there_are_14_days_of_history(first: int | None, known: bool) -> None:
    begun = None if first is None else days_ago(first)
    assert (usual({days_ago(1): 5}, begun, TODAY) is not None) is known


def test_five_times_the_usual_and_more_than_ten_thousand_asks_a_person() -> None:
    assert most_unasked(None, factor=5, over=10_000) is None
    assert most_unasked(8_000, factor=5, over=10_000) == 40_000
    assert most_unasked(100, factor=5, over=10_000) == 10_000
    assert most_unasked(8_000, factor=0, over=10_000) is None
    assert most_unasked(8_000, factor=5, over=10_000, approved=60_000) == 120_000


def test_hours_and_days_begin_where_utc_has_them() -> None:
    moment = datetime(2026, 3, 31, 7, 45, 12, 5, tzinfo=UTC)
    assert hour_of(moment) == datetime(2026, 3, 31, 7, tzinfo=UTC)
    assert day_of(moment) == datetime(2026, 3, 31, tzinfo=UTC)
