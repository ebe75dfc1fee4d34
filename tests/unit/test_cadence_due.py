"""When cadences are due: cases one can check with a calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatcher.errors import CadenceError
from dispatcher.schedule.cadence import (
    expiry,
    latest_due,
    next_after_change,
    next_due,
    parse,
    period,
    previous_due,
    slot,
)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEXT = [  # cadence, zone, after (UTC), due (UTC)
    ("daily at 07:30", "Europe/London", "2026-11-22 07:29", "2026-11-22 07:30"),
    ("daily at 07:30", "Europe/London", "2026-11-22 07:30", "2026-11-23 07:30"),
    ("daily at 07:30", "Europe/London", "2026-07-01 00:00", "2026-07-01 06:30"),
    ("daily at 07:30", "Asia/Kathmandu", "2026-07-01 00:00", "2026-07-01 01:45"),
    ("weekdays at 07:30", "America/New_York", "2026-11-20 13:00", "2026-11-23 12:30"),
    ("weekly on mon,thu at 08:00", "UTC", "2026-11-23 08:00", "2026-11-26 08:00"),
    ("weekly on mon,thu at 08:00", "Pacific/Kiritimati", "2026-11-22 17:00", "2026-11-22 18:00"),
    ("monthly on 31 at 08:00", "UTC", "2026-02-01 00:00", "2026-02-28 08:00"),
    ("monthly on 31 at 08:00", "UTC", "2028-02-01 00:00", "2028-02-29 08:00"),
    ("monthly on 31 at 08:00", "UTC", "2026-02-28 08:00", "2026-03-31 08:00"),
    ("monthly on 30,31 at 08:00", "UTC", "2026-02-28 08:00", "2026-03-30 08:00"),
    ("monthly on 1,15 at 08:00", "UTC", "2026-12-15 08:00", "2027-01-01 08:00"),
    ("hourly", "Asia/Kolkata", "2026-11-22 10:00", "2026-11-22 11:00"),
    ("hourly", "Australia/Lord_Howe", "2026-04-04 14:30", "2026-04-04 15:00"),
    ("cron */20 * * * *", "Asia/Kolkata", "2026-11-22 10:00", "2026-11-22 10:10"),
    # the clocks go forward: two o'clock becomes three
    ("daily at 02:30", "America/New_York", "2026-03-08 00:00", "2026-03-08 07:30"),
    ("daily at 02:30", "America/New_York", "2026-03-08 07:30", "2026-03-09 06:30"),
    ("cron 45 2 * * *", "America/New_York", "2026-03-08 07:30", "2026-03-08 07:45"),
    ("cron 10,45 2,3 * * *", "America/New_York", "2026-03-08 05:00", "2026-03-08 07:10"),
    ("cron 10,45 2,3 * * *", "America/New_York", "2026-03-08 07:10", "2026-03-08 07:45"),
    ("cron 10,45 2,3 * * *", "America/New_York", "2026-03-08 07:45", "2026-03-09 06:10"),
    ("cron 0 * * * *", "America/New_York", "2026-03-08 06:00", "2026-03-08 07:00"),
    ("cron 0 */2 * * *", "America/New_York", "2026-03-08 05:00", "2026-03-08 08:00"),
    # the clocks go back: two o'clock becomes one
    ("daily at 01:30", "America/New_York", "2026-11-01 05:00", "2026-11-01 05:30"),
    ("daily at 01:30", "America/New_York", "2026-11-01 05:30", "2026-11-02 06:30"),
    ("cron 30 * * * *", "America/New_York", "2026-11-01 05:30", "2026-11-01 06:30"),
    ("hourly", "America/New_York", "2026-11-01 05:00", "2026-11-01 06:00"),
    # the gap begins before midnight and pushes Saturday's digest into Sunday
    ("daily at 23:30", "America/Nuuk", "2026-03-28 20:00", "2026-03-29 01:30"),
    ("daily at 23:30", "America/Nuuk", "2026-03-29 01:30", "2026-03-30 00:30"),
    ("weekly on sat at 23:30", "America/Nuuk", "2026-03-28 20:00", "2026-03-29 01:30"),
    # one minute into the day, the clocks fall back into the day before: its second end brings nothing
    ("daily at 00:00", "America/St_Johns", "1988-10-30 00:00", "1988-10-30 01:30"),
    ("daily at 00:00", "America/St_Johns", "1988-10-30 01:30", "1988-10-31 03:30"),
    ("daily at 23:30", "America/St_Johns", "1988-10-30 00:59", "1988-10-30 01:00"),
    ("daily at 23:30", "America/St_Johns", "1988-10-30 01:00", "1988-10-31 03:00"),
    # a day that was left out has no digest
    ("daily at 07:30", "Pacific/Apia", "2011-12-29 17:30", "2011-12-30 17:30"),
    ("weekly on fri at 07:30", "Pacific/Apia", "2011-12-29 17:30", "2012-01-05 17:30"),
    ("monthly on 30 at 08:00", "Pacific/Apia", "2011-12-29 17:30", "2012-01-29 18:00"),
]


@pytest.mark.parametrize(("cadence", "zone", "after", "due"), NEXT)
def test_the_next_digest_is_due(cadence: str, zone: str, after: str, due: str) -> None:
    found = next_due(parse(cadence), at(after), zone)
    assert found == at(due)
    assert found.tzinfo is UTC
    assert latest_due(parse(cadence), found, zone) == found
    assert previous_due(parse(cadence), found, zone) <= at(after)


SLOTS = [
    ("daily at 07:30", "Europe/London", "2026-07-01 06:30", "daily:2026-07-01"),
    ("daily at 07:30", "Asia/Tokyo", "2026-06-30 22:30", "daily:2026-07-01"),
    ("weekdays at 07:30", "UTC", "2026-07-01 07:30", "weekdays:2026-07-01"),
    ("weekly on wed at 07:30", "UTC", "2026-07-01 07:30", "weekly:2026-07-01"),
    ("monthly on 1 at 07:30", "UTC", "2026-07-01 07:30", "monthly:2026-07-01"),
    ("hourly", "Asia/Kolkata", "2026-07-01 07:00", "hourly:2026-07-01T07:00:00Z"),
    ("cron 0 8 * * *", "Asia/Tokyo", "2026-06-30 23:00", "cron 0 8 * * *:2026-07-01"),
    ("cron 0 8,20 * * *", "Asia/Tokyo", "2026-06-30 23:00", "cron 0 8,20 * * *:2026-07-01T08:00"),
    ("cron 0 */8 * * *", "Asia/Tokyo", "2026-06-30 23:00", "cron 0 */8 * * *:2026-06-30T23:00:00Z"),
    ("daily at 23:30", "America/Nuuk", "2026-03-29 01:30", "daily:2026-03-28"),
    ("daily at 23:30", "America/Nuuk", "2026-03-30 00:30", "daily:2026-03-29"),
    ("daily at 19:30", "UTC", "2026-07-01 07:30", "daily:2026-07-01"),  # a slot of before the time was changed
]


@pytest.mark.parametrize(("cadence", "zone", "due", "key"), SLOTS)
def test_a_slot_names_the_label_and_the_local_day_or_the_instant(cadence: str, zone: str, due: str, key: str) -> None:
    assert slot(parse(cadence), at(due), zone) == key


EXPIRIES = {
    "instant": timedelta(hours=12),
    "hourly": timedelta(minutes=50),
    "daily at 07:30": timedelta(hours=20),
    "weekdays at 07:30": timedelta(hours=20),
    "weekly on mon": timedelta(days=4),
    "monthly on 1": timedelta(days=10),
    "cron 0 * * * *": timedelta(minutes=50),
    "cron */15 9-17 * * mon-fri": timedelta(minutes=12, seconds=30),
    "cron 0 8,20 * * *": timedelta(hours=10),
    "cron 0 8 * * mon-fri": timedelta(hours=20),
    "cron 0 8 * * mon": timedelta(days=4),
    "cron 0 8 1 * *": timedelta(days=10),
    "cron 0 8 29 2 *": timedelta(days=10),
}


@pytest.mark.parametrize(("cadence", "lifetime"), EXPIRIES.items())
def test_a_digest_expires_before_it_is_stale(cadence: str, lifetime: timedelta) -> None:
    assert expiry(parse(cadence)) == lifetime


CHANGES = [  # the new cadence, its zone, now, the last digest and its zone, the next one
    # nothing was sent yet
    ("daily at 07:30", "UTC", "2026-11-22 07:29", None, "UTC", "2026-11-22 07:30"),
    # a minute before the slot: today's is still to come
    ("daily at 07:45", "UTC", "2026-11-22 07:29", "2026-11-21 07:30", "UTC", "2026-11-22 07:45"),
    # today's has gone out: not again today
    ("daily at 19:30", "UTC", "2026-11-22 08:00", "2026-11-22 07:30", "UTC", "2026-11-23 19:30"),
    # twelve hours are enough between two days, less is not
    ("daily at 07:30", "UTC", "2026-11-22 20:00", "2026-11-22 19:30", "UTC", "2026-11-23 07:30"),
    ("daily at 07:00", "UTC", "2026-11-22 20:00", "2026-11-22 19:30", "UTC", "2026-11-24 07:00"),
    # Monday's digest from Tokyo is Monday's in New York too
    ("daily at 07:30", "America/New_York", "2026-11-22 23:00", "2026-11-22 22:30", "Asia/Tokyo", "2026-11-24 12:30"),
    # eastwards over the date line, Tuesday's comes in time
    ("daily at 07:30", "Asia/Tokyo", "2026-11-23 13:00", "2026-11-23 12:30", "America/New_York", "2026-11-24 22:30"),
    # back over the date line into a day whose digest has been sent
    ("daily at 20:00", "Pacific/Pago_Pago", "2026-11-22 11:00", "2026-11-22 10:30", "Pacific/Kiritimati",
     "2026-11-25 07:00"),
    # Monday's has gone out: Tuesday's would be too soon, Thursday's not for one who wants two a week
    ("weekly on tue at 08:00", "UTC", "2026-11-23 09:00", "2026-11-23 08:00", "UTC", "2026-12-01 08:00"),
    ("weekly on mon,thu at 08:00", "UTC", "2026-11-23 09:00", "2026-11-23 08:00", "UTC", "2026-11-26 08:00"),
    ("monthly on 10 at 08:00", "UTC", "2026-11-01 09:00", "2026-11-01 08:00", "UTC", "2026-12-10 08:00"),
    # hours go by elapsed time, in every zone the same
    ("hourly", "Asia/Kolkata", "2026-11-22 10:20", "2026-11-22 10:00", "America/New_York", "2026-11-22 11:00"),
    # a long pause is no reason to wait
    ("daily at 07:30", "UTC", "2026-11-22 07:00", "2025-01-01 07:30", "UTC", "2026-11-22 07:30"),
]  # fmt: skip


@pytest.mark.parametrize(("cadence", "zone", "now", "last", "last_zone", "due"), CHANGES)
def test_after_a_change_the_next_digest_keeps_its_distance(
    cadence: str, zone: str, now: str, last: str | None, last_zone: str, due: str
) -> None:
    found = next_after_change(parse(cadence), at(now), zone, at(last) if last else None, last_zone)
    assert found == at(due)


def test_a_period_is_what_typically_lies_between_two_digests() -> None:
    assert period(parse("hourly")) == timedelta(hours=1)
    assert period(parse("weekdays")) == timedelta(days=1)
    assert period(parse("weekly on mon")) == timedelta(days=7)
    assert period(parse("cron 0 8,20 * * *")) == timedelta(hours=12)


@pytest.mark.parametrize("ask", [next_due, latest_due, previous_due, slot])
def test_instant_is_never_due(ask: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="never due"):
        ask(parse("instant"), at("2026-11-22"), "UTC")


def test_a_naive_instant_is_a_bug() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_due(parse("daily"), at("2026-11-22").replace(tzinfo=None), "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "Europe", "x\x00y", "/etc/localtime"])
def test_an_unknown_zone_is_refused_with_a_valid_one(zone: str) -> None:
    with pytest.raises(CadenceError, match="Europe/London"):
        next_due(parse("daily"), at("2026-11-22"), zone)


def test_instants_may_come_in_any_zone() -> None:
    tokyo = datetime.fromisoformat("2026-11-22T16:29:00+09:00")
    assert next_due(parse("daily at 07:30"), tokyo, "Europe/London") == at("2026-11-22 07:30")
    assert latest_due(parse("daily at 07:30"), tokyo, "Europe/London") == at("2026-11-21 07:30")


@pytest.mark.parametrize("ask", [next_due, latest_due, previous_due, slot])
def test_the_two_runs_of_a_repeated_hour_are_two_instants_in_any_zone(ask: Callable[..., object]) -> None:
    cadence, zone = parse("cron */30 * * * *"), "America/New_York"
    runs = [datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
    found = [ask(cadence, at, zone) for at in runs]  # equal and of one hash, as Python has it
    assert found == [ask(cadence, at.astimezone(UTC), zone) for at in runs]
    assert found[0] != found[1]


@pytest.mark.parametrize("cadence", ["daily", "weekdays", "weekly", "monthly", "hourly", "cron 0 8 29 2 *"])
@pytest.mark.parametrize("year", [1970, 2000, 2038, 2100])
def test_every_year_from_1970_to_2100_works(cadence: str, year: int) -> None:
    now = datetime(year, 6, 1, tzinfo=UTC)
    due = next_due(parse(cadence), now, "Europe/London")
    assert latest_due(parse(cadence), now, "Europe/London") <= now < due
    assert previous_due(parse(cadence), due, "Europe/London") == latest_due(parse(cadence), now, "Europe/London")
