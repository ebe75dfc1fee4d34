"""Cadences in every zone of the tz database: one digest per local day, never two, never none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from dispatcher.schedule.cadence import Cadence, latest_due, next_due, parse, previous_due, slot

YEAR = 2026
ZONES = sorted(available_timezones())
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAILY = [parse(f"daily at {at}") for at in ("00:00", "00:30", "02:30", "23:30", "23:59")]
ELAPSED = [parse("hourly"), parse("cron */30 * * * *")]


@cache
def changes(zone: str, first: int, last: int) -> tuple[tuple[datetime, timedelta, timedelta], ...]:
    """Every change of a zone's clocks in these years: the instant, the offset before, the offset after."""
    return tuple(_changes(ZoneInfo(zone), datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)))


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    at, before = start, offset(start)
    while at < end:
        later = at + timedelta(days=7)  # no zone ever changed its clocks and took it back within a week
        after = offset(later)
        if after != before:
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            yield high, before, after
        at, before = later, after


def distinct(first: int, last: int) -> list[str]:
    """One zone of each group that behaves alike in these years; links are many."""
    alike = {(changes(zone, first, last), _offset(zone, first)): zone for zone in reversed(ZONES)}
    return sorted(alike.values())


def _offset(zone: str, year: int) -> timedelta:
    return datetime(year, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()


def walk(cadence: Cadence, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """The due instants after `start` up to the first at or after `end`."""
    found = [next_due(cadence, start, zone)]
    while found[-1] < end:
        found.append(next_due(cadence, found[-1], zone))
    return found


def check_days(cadence: Cadence, zone: str, dues: list[datetime]) -> None:
    """One slot for each local day that exists, in order, each where the clock shows the time, or as long after it as
    the clocks were put forward."""
    clock = ZoneInfo(zone)
    days = [date.fromisoformat(slot(cadence, at, zone).removeprefix("daily:")) for at in dues]
    for at, day in zip(dues, days, strict=True):
        wanted, shown = datetime.combine(day, cadence.times[0]), at.astimezone(clock).replace(tzinfo=None)
        assert shown == wanted or shown - wanted == gap_at(wanted, clock) > timedelta(), (zone, at)
        assert at.astimezone(clock).fold == 0, (zone, at)
    for (before, day), (after, following) in pairwise(zip(dues, days, strict=True)):
        assert before < after, (zone, before, after)
        between = [day + DAY * n for n in range(1, (following - day).days)]
        assert day < following, (zone, before, after)
        assert not any(exists(missed, clock) for missed in between), (zone, before, after)


def gap_at(wall: datetime, clock: ZoneInfo) -> timedelta:
    """How long the gap is that this wall-clock time falls into; nothing if it is shown."""
    before, after = (wall.replace(tzinfo=clock, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return max(after - before, timedelta())


def exists(day: date, clock: ZoneInfo) -> bool:
    """Whether some quarter of an hour of the day was ever shown."""
    quarters = (datetime.combine(day, time.min) + timedelta(minutes=15 * n) for n in range(96))
    return any(not gap_at(quarter, clock) for quarter in quarters)


def check_there_and_back(cadence: Cadence, zone: str, dues: list[datetime]) -> None:
    """From every due instant, and from between two, the one before and the one after are found."""
    for before, after in pairwise(dues):
        middle = before + (after - before) / 2
        assert latest_due(cadence, before, zone) == latest_due(cadence, middle, zone) == before, (zone, before)
        assert previous_due(cadence, after, zone) == before, (zone, after)
        assert next_due(cadence, middle, zone) == after, (zone, middle)


def test_every_zone_has_one_digest_per_local_day_around_each_change_of_its_clocks() -> None:
    for zone in ZONES:
        moments = [at for at, _, _ in changes(zone, YEAR, YEAR)] or [datetime(YEAR, 6, 1, tzinfo=UTC)]
        for moment in moments:
            for cadence in DAILY:
                dues = walk(cadence, zone, moment - 2 * DAY, moment + 2 * DAY)
                check_days(cadence, zone, dues)


def test_there_are_both_changes_of_a_year_to_look_at() -> None:
    assert len(ZONES) > 400
    twice = [zone for zone in ZONES if len(changes(zone, YEAR, YEAR)) >= 2]
    assert {"Europe/London", "America/New_York", "America/Nuuk", "Australia/Lord_Howe"} <= set(twice)
    assert len(twice) > 100


@pytest.mark.parametrize("clock", ["00:00", "00:30", "02:30", "23:59"])
def test_a_whole_year_has_one_digest_for_each_of_its_days_in_every_zone(clock: str) -> None:
    cadence = parse(f"daily at {clock}")
    for zone in distinct(YEAR, YEAR):
        new_year = datetime(YEAR, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        dues = walk(cadence, zone, new_year - timedelta(microseconds=1), new_year + 364 * DAY)
        check_days(cadence, zone, dues)
        days = {slot(cadence, at, zone) for at in dues}
        assert len(days) == len(dues)
        assert {f"daily:{date(YEAR, 1, 1) + n * DAY}" for n in range(365)} <= days, zone


def test_every_change_of_clocks_since_1970_leaves_one_digest_per_day_and_finds_its_way_back() -> None:
    seen: set[tuple[object, ...]] = set()
    for zone in distinct(1970, YEAR + 12):
        for change in changes(zone, 1970, YEAR + 12):
            moment, before, after = change
            shape = ((moment + before).time(), after - before, before if abs(after - before) != HOUR else None)
            if shape in seen:  # the same jump at the same time of day, elsewhere or in another year
                continue
            seen.add(shape)
            for cadence in DAILY:
                dues = walk(cadence, zone, moment - 2 * DAY, moment + 2 * DAY)
                check_days(cadence, zone, dues)
                check_there_and_back(cadence, zone, dues)


def test_sub_daily_cadences_go_by_elapsed_time_through_each_change_of_every_zone() -> None:
    for zone in ZONES:
        for moment, before, after in changes(zone, YEAR, YEAR):
            for cadence, step in zip(ELAPSED, (HOUR, HOUR / 2), strict=True):
                dues = walk(cadence, zone, moment - 2 * HOUR, moment + 2 * HOUR)
                assert {later - earlier for earlier, later in pairwise(dues)} == {step}, (zone, before, after)
                assert len({slot(cadence, at, zone) for at in dues}) == len(dues)


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Fakaofo", date(2011, 12, 30)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
        ("Pacific/Kanton", date(1994, 12, 31)),
    ],
)
@pytest.mark.parametrize("cadence", [*DAILY, parse("cron 0 0,8,23 * * *")], ids=str)
def test_a_day_that_a_zone_left_out_has_no_digest_and_no_instant_two(
    zone: str, skipped: date, cadence: Cadence
) -> None:
    middle = datetime.combine(skipped, time(12), UTC)
    dues = walk(cadence, zone, middle - 3 * DAY, middle + 3 * DAY)
    slots = [slot(cadence, at, zone) for at in dues]
    assert dues == sorted(set(dues))
    assert len(set(slots)) == len(slots)
    assert not any(str(skipped) in key for key in slots)
    assert all(any(str(skipped + n * DAY) in key for key in slots) for n in (-1, 1))
    check_there_and_back(cadence, zone, dues)
