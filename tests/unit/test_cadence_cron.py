"""Cron cadences, by crontab(5)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dispatcher.errors import CadenceError
from dispatcher.schedule.cadence import next_due, parse

CANONICAL = {
    "0 8 * * mon-fri": "0 8 * * mon-fri",
    "00 08 01 01 *": "0 8 1 1 *",
    "*/1 */1 */1 */1 */1": "* * * * *",
    "*/15 */2 * * *": "*/15 */2 * * *",
    "0,0,5,3,4 8 * * *": "0,3-5 8 * * *",
    "0-59/5 9-17 * * *": "0-55/5 9-17 * * *",
    "0 8 * jan,feb,MAR *": "0 8 * 1-3 *",
    "0 8 * january-june/2 *": "0 8 * 1,3,5 *",
    "0 8 * * 0": "0 8 * * sun",
    "0 8 * * 7": "0 8 * * sun",
    "0 8 * * 0,7": "0 8 * * sun",
    "0 8 * * 5-7": "0 8 * * fri-sun",
    "0 8 * * sat-sun": "0 8 * * sat,sun",
    "0 8 * * sun-tue": "0 8 * * mon,tue,sun",
    "0 8 * * 0-7": "0 8 * * mon-sun",
    "0 8 * * Monday,wed,5": "0 8 * * mon,wed,fri",
    "0 8 1-31/10 * *": "0 8 1,11,21,31 * *",
    "0 8 * * sun-sun": "0 8 * * sun",
}

REFUSED = {
    "0 8 * *": "five fields (minute, hour, day of month, month, day of week), not 4",
    "0 0 8 * * *": "five fields (minute, hour, day of month, month, day of week), not 6",
    "@daily": 'write, for instance, "daily at 00:00"',
    "@hourly": 'write, for instance, "hourly"',
    "@reboot": "is a nickname",
    "60 8 * * *": "minute 60 does not exist: it goes from 0 to 59",
    "0 24 * * *": "hour 24 does not exist",
    "0 8 0 * *": "day of month 0 does not exist",
    "0 8 32 * *": "day of month 32 does not exist",
    "0 8 * 13 *": "month 13 does not exist",
    "0 8 * * 8": "day of week 8 does not exist",
    "0 8 * * xyz": '"xyz" is not a number from 0 to 7 or a name such as mon',
    "0 8 * mon *": '"mon" is not a number from 1 to 12 or a name such as feb',
    "0 8 L * *": '"l" is not a number',
    "0 8 15w * *": '"15w" is not a number',
    "0 8 * * mon#1": '"mon#1" is not a number',
    "0 8 ? * *": '"?" is not a number',
    "0 17-9 * * *": '"17-9" runs backwards: make two of it, 17-23,0-9',
    "0 8 * * fri-mon": '"fri-mon" runs backwards: make two of it, fri-7,1-mon',
    "*/0 8 * * *": '"/0" is not a step',
    "*/60 8 * * *": '"/60" is not a step: the minute field takes one from /1 to /59',
    "*/x 8 * * *": '"/x" is not a step',
    "5/10 8 * * *": '"5/10": a step needs a range or *',
    "*,5 8 * * *": "* stands alone",
    "5,*/2 8 * * *": "a step needs a range",
    "5,* 8 * * *": '"*" is not a number',
    "1,,2 8 * * *": "empty place",
    "1, 2 8 * *": "empty place",
    "-5 8 * * *": '"-5" is not a number',
    "1-2-3 8 * * *": '"1-2-3" is not a number',
    "1.5 8 * * *": '"1.5" is not a number',
    "0 8 30 2 *": "never comes: its months have no such day",
    "0 8 31 2,4,6,9,11 *": "never comes",
    "0 8 30 2 */2": "never comes",
    "H 8 * * *": '"h" is not a number',
    "99999999999999999999 8 * * *": "is not a number",
}


def days_of(expression: str, year: int, month: int) -> list[int]:
    """The days of a month on which a cron that fires once a day does, in UTC."""
    cadence, found = parse(f"cron {expression}"), []
    at = next_due(cadence, datetime(year, month, 1, tzinfo=UTC) - timedelta(microseconds=1), "UTC")
    while (at.year, at.month) == (year, month):
        found.append(at.day)
        at = next_due(cadence, at, "UTC")
    return found


@pytest.mark.parametrize(("expression", "canonical"), CANONICAL.items())
def test_an_expression_has_one_canonical_text_that_means_the_same(expression: str, canonical: str) -> None:
    read, again = parse(f"cron {expression}"), parse(f"cron {canonical}")
    assert str(read) == str(again) == f"cron {canonical}"
    assert (read.days, read.times, read.is_sub_daily) == (again.days, again.times, again.is_sub_daily)


@pytest.mark.parametrize(("expression", "pointer"), REFUSED.items())
def test_an_expression_outside_crontab_is_refused_with_a_valid_one(expression: str, pointer: str) -> None:
    with pytest.raises(CadenceError) as refusal:
        parse(f"cron {expression}")
    message = str(refusal.value)
    assert pointer in message
    assert parse(message.split('"')[-2])


def test_1_is_monday_and_both_0_and_7_are_sunday() -> None:
    assert days_of("0 8 * * 1", 2026, 11) == [2, 9, 16, 23, 30]
    assert days_of("0 8 * * mon", 2026, 11) == [2, 9, 16, 23, 30]
    assert days_of("0 8 * * 0", 2026, 11) == [1, 8, 15, 22, 29]
    assert days_of("0 8 * * 7", 2026, 11) == [1, 8, 15, 22, 29]


def test_when_both_day_fields_are_restricted_either_may_match() -> None:
    assert days_of("0 8 13 * fri", 2026, 11) == [6, 13, 20, 27]
    assert days_of("0 8 1,15 * mon", 2026, 11) == [1, 2, 9, 15, 16, 23, 30]
    assert days_of("0 8 30 2 mon", 2026, 2) == [2, 9, 16, 23]


def test_a_day_field_that_starts_with_a_star_is_unrestricted_so_both_must_match() -> None:
    assert days_of("0 8 */2 * mon", 2026, 11) == [9, 23]
    assert days_of("0 8 1-7 * */7", 2026, 11) == [1]  # the first Sunday


def test_29_february_waits_for_leap_years_and_2100_is_none() -> None:
    leap_day = parse("cron 0 8 29 2 *")
    assert next_due(leap_day, datetime(2026, 1, 1, tzinfo=UTC), "UTC").date() == date(2028, 2, 29)
    assert next_due(leap_day, datetime(2096, 3, 1, tzinfo=UTC), "UTC").date() == date(2104, 2, 29)


def test_steps_count_from_the_start_of_their_range() -> None:
    cadence = parse("cron 10-50/20 8 * * *")
    assert [at.minute for at in cadence.times] == [10, 30, 50]
    assert [at.hour for at in parse("cron 0 */7 * * *").times] == [0, 7, 14, 21]
    assert days_of("0 8 */10 * *", 2026, 11) == [1, 11, 21]
