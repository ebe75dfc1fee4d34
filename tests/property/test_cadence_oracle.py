"""Cadences against a slow oracle that looks at every minute, and against themselves."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import CadenceError
from dispatcher.schedule.cadence import Cadence, latest_due, next_after_change, next_due, parse, previous_due, slot

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TURNS = {  # a zone, and a day around which its clocks are moved, or not
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/Nuuk", date(2026, 3, 28)),  # a gap from 23:00 to midnight
    ("America/Havana", date(2026, 3, 8)),  # a gap from midnight on
    ("America/Havana", date(2026, 11, 1)),
    ("America/St_Johns", date(1988, 4, 3)),  # two hours, a minute past midnight
    ("America/St_Johns", date(1988, 10, 30)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Antarctica/Troll", date(2026, 3, 29)),
    ("Antarctica/Casey", date(2023, 3, 9)),  # three hours back
    ("Asia/Pyongyang", date(2018, 5, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a whole day
    ("Asia/Kolkata", date(2026, 2, 28)),
    ("Asia/Kathmandu", date(2028, 2, 29)),
}
ZONES = sorted({zone for zone, _ in TURNS} | {"UTC", "Asia/Tehran", "Africa/Casablanca", "Pacific/Kiritimati"})
WEEK = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, frozenset[int]]:
    """One field of a crontab, and the numbers it means."""
    kind = draw(st.sampled_from(["star", "step", "one", "list", "range", "range-step"]))
    if kind == "star":
        return "*", frozenset(range(low, high + 1))
    if kind == "step":
        step = draw(st.integers(1, high))
        return f"*/{step}", frozenset(range(low, high + 1, step))
    if kind in ("one", "list"):
        chosen = draw(st.lists(st.integers(low, high), min_size=1, max_size=1 if kind == "one" else 4))
        return ",".join(map(str, chosen)), frozenset(chosen)
    first = draw(st.integers(low, high))
    last = draw(st.integers(first, high))
    step = draw(st.integers(1, 6)) if kind == "range-step" else 1
    return f"{first}-{last}" + (f"/{step}" if kind == "range-step" else ""), frozenset(range(first, last + 1, step))


@st.composite
def crons(draw: st.DrawFn) -> tuple[Cadence, list[tuple[str, frozenset[int]]]]:
    """A cron cadence, and what its five fields mean."""
    drawn = [draw(fields(*bounds)) for bounds in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))]
    if draw(st.booleans()):
        drawn[3] = ("*", frozenset(range(1, 13)))  # or most would be months away
    try:
        return parse("cron " + " ".join(text for text, _ in drawn)), drawn
    except CadenceError:  # it never comes
        drawn[2] = ("*", frozenset(range(1, 32)))
        return parse("cron " + " ".join(text for text, _ in drawn)), drawn


@cache
def shown(zone: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Every minute of four days around `day`, and what the clock shows."""
    clock, start = ZoneInfo(zone), datetime.combine(day, datetime.min.time(), UTC) - 2 * DAY
    minutes = (start + n * MINUTE for n in range(4 * 1440))
    return tuple((at, at.astimezone(clock).replace(tzinfo=None, fold=0)) for at in minutes)


@cache
def meant(zone: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Every wall-clock minute of those days and the instant it means: shown first then, or moved behind its gap."""
    seen: dict[datetime, datetime] = {}
    previous: tuple[datetime, datetime] | None = None
    for at, wall in shown(zone, day):
        if previous and wall > previous[1] + MINUTE:
            offset_before = previous[1] - previous[0].replace(tzinfo=None)
            skipped = previous[1] + MINUTE
            while skipped < wall:
                seen.setdefault(skipped, (skipped - offset_before).replace(tzinfo=UTC))
                skipped += MINUTE
        seen.setdefault(wall, at)
        previous = at, wall
    existing = {wall.date() for _, wall in shown(zone, day)}
    return tuple((wall, at) for wall, at in seen.items() if wall.date() in existing)


def matches(drawn: list[tuple[str, frozenset[int]]], wall: datetime) -> bool:
    """crontab(5), read aloud."""
    minute, hour, month_day, month, weekday = drawn
    if wall.minute not in minute[1] or wall.hour not in hour[1] or wall.month not in month[1]:
        return False
    on_month_day = wall.day in month_day[1]
    on_weekday = wall.isoweekday() in weekday[1] or (wall.isoweekday() == 7 and 0 in weekday[1])
    if month_day[0].startswith("*") or weekday[0].startswith("*"):
        return on_month_day and on_weekday
    return on_month_day or on_weekday


@given(crons(), st.sampled_from(sorted(TURNS)), st.data())
@settings(max_examples=250, deadline=None)
def test_a_cron_is_due_exactly_when_the_oracle_that_looks_at_every_minute_says_so(
    cron: tuple[Cadence, list[tuple[str, frozenset[int]]]], turn: tuple[str, date], data: st.DataObject
) -> None:
    cadence, drawn = cron
    zone, day = turn
    if drawn[1][0].startswith("*"):
        dues = sorted(at for at, wall in shown(zone, day) if matches(drawn, wall))
    else:
        dues = sorted({at for wall, at in meant(zone, day) if matches(drawn, wall)})
    first, last = shown(zone, day)[0][0], shown(zone, day)[-1][0]
    spots = [*dues[1:-1], *data.draw(st.lists(st.datetimes(naive(first), naive(last)), min_size=5, max_size=5))]
    for spot in spots[:: max(1, len(spots) // 40)]:
        at = spot.replace(tzinfo=UTC)
        following, latest = bisect_right(dues, at), bisect_right(dues, at) - 1
        if following < len(dues) - 1:  # the last of the window may have a rival beyond it
            assert next_due(cadence, at, zone) == dues[following]
        elif following == len(dues):
            assert next_due(cadence, at, zone) > last - DAY
        if latest > 0:
            assert latest_due(cadence, at, zone) == dues[latest]
        before = bisect_left(dues, at) - 1
        if before > 0:
            assert previous_due(cadence, at, zone) == dues[before]


def naive(at: datetime) -> datetime:
    """Without its zone, which is how hypothesis wants its bounds."""
    return at.replace(tzinfo=None)


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
weekday_lists = st.lists(st.sampled_from(WEEK), min_size=1, max_size=7).map(",".join)
month_day_lists = st.lists(st.integers(1, 31), min_size=1, max_size=4).map(lambda days: ",".join(map(str, days)))
cadences = st.one_of(
    st.just("hourly").map(parse),
    st.builds("daily at {}".format, clocks).map(parse),
    st.builds("weekdays at {}".format, clocks).map(parse),
    st.builds("weekly on {} at {}".format, weekday_lists, clocks).map(parse),
    st.builds("monthly on {} at {}".format, month_day_lists, clocks).map(parse),
    crons().map(lambda cron: cron[0]),
)
instants = st.datetimes(datetime(1970, 1, 3), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
near_turns = st.sampled_from(sorted(TURNS)).flatmap(
    lambda turn: st.tuples(
        st.just(turn[0]),
        st.integers(-2 * 86400, 2 * 86400).map(
            lambda seconds: datetime.combine(turn[1], datetime.min.time(), UTC) + timedelta(seconds=seconds)
        ),
    )
)
places = st.one_of(st.tuples(st.sampled_from(ZONES), instants), near_turns)


@given(cadences, places)
@settings(max_examples=300, deadline=None)
def test_next_latest_and_previous_agree(cadence: Cadence, place: tuple[str, datetime]) -> None:
    zone, at = place
    due, latest = next_due(cadence, at, zone), latest_due(cadence, at, zone)
    assert latest <= at < due
    assert latest_due(cadence, due, zone) == due
    assert previous_due(cadence, due, zone) == latest
    assert next_due(cadence, latest, zone) == due
    assert slot(cadence, due, zone) > slot(cadence, latest, zone)


@given(cadences)
@settings(max_examples=300, deadline=None)
def test_every_cadence_reads_back_from_its_canonical_text(cadence: Cadence) -> None:
    again = parse.__wrapped__(str(cadence))
    assert (again, again.days, again.times) == (cadence, cadence.days, cadence.times)
    assert (again.kind, again.is_sub_daily) == (cadence.kind, cadence.is_sub_daily)


@given(cadences, cadences, places, st.sampled_from(ZONES), st.timedeltas(timedelta(0), 9 * DAY))
@settings(max_examples=300, deadline=None)
def test_no_change_of_zone_or_time_brings_two_digests_of_one_label_close_together(
    old: Cadence, new: Cadence, place: tuple[str, datetime], new_zone: str, waited: timedelta
) -> None:
    old_zone, at = place
    last = latest_due(old, at, old_zone)
    now = last + waited
    due = next_after_change(new, now, new_zone, last, old_zone)
    assert due > now
    assert latest_due(new, due, new_zone) == due
    if new.label == old.label:
        assert slot(new, due, new_zone) != slot(old, last, old_zone)
    if new.kind in ("daily", "weekdays"):
        assert due - last >= DAY / 2


pieces = [*"0123456789*/,-:@? ", "on ", "at ", "cron ", "weekly ", "daily ", "monthly ", "mon", "feb", "\x00", "\x1b"]
texts = (
    st.text(max_size=60) | st.lists(st.sampled_from(pieces)).map("".join) | st.text(max_size=40).map("cron {}".format)
)


@given(texts)
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_cadence_or_a_cadence_error(text: str) -> None:
    try:
        cadence = parse(text)
    except CadenceError as error:
        message = str(error)
    else:
        message = str(cadence)
        assert parse(message) == cadence
    assert message.isprintable()


@pytest.mark.parametrize("zone", ["Europe/London", "Pacific/Apia", "America/Nuuk"])
def test_a_monthly_31_is_due_on_the_last_day_of_every_month(zone: str) -> None:
    cadence, at = parse("monthly on 31 at 12:00"), datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(48):
        at = next_due(cadence, at, zone)
        assert (at.astimezone(ZoneInfo(zone)) + DAY).day == 1
