"""Quiet time against a clock that is asked minute by minute, and weeks of a reader who keeps changing it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from test_select_weeks import (
    BUSY,
    CADENCES,
    START,
    TICK,
    ZONES,
    Life,
    begin,
    check_distances,
    check_no_back_catalogue,
    check_nothing_lost,
    check_once_per_story,
    some_cadences,
)

from dispatcher.schedule.quiet import NEVER, WEEK, Quiet, parse_days, parse_window, release_at

MINUTE = timedelta(minutes=1)
CLOCKS = ("Europe/London", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC")
CHANGES = (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 9, 5, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC),
           datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 2, 14, tzinfo=UTC))  # fmt: skip
LAST = BUSY + 5 * 7 * 48  # ticks: a monthful of quiet weeks in which everything must have arrived

times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 29, 30, 45, 59]))
windows = st.one_of(st.just(("", "")), st.tuples(times, times).map(lambda pair: parse_window(*pair)))
days = st.sets(st.sampled_from(WEEK), min_size=1).map(lambda some: parse_days(",".join(some)))
quiets = st.builds(lambda window, allowed: Quiet(*window, allowed), windows, days)


def is_quiet(at: datetime, zone: str, quiet: Quiet) -> bool:
    shown = at.astimezone(ZoneInfo(zone))
    if quiet.allowed_days and WEEK[shown.weekday()] not in quiet.allowed_days.split(","):
        return True
    if not quiet.quiet_from:
        return False
    begin, end = time.fromisoformat(quiet.quiet_from), time.fromisoformat(quiet.quiet_until)
    now = shown.time()
    return begin <= now < end if begin < end else not end <= now < begin


@given(
    quiet=quiets,
    zone=st.sampled_from(CLOCKS),
    near=st.sampled_from(CHANGES),
    minutes=st.integers(0, 48 * 60),
    micro=st.sampled_from([0, 1, 999_999]),
)
def test_quiet_time_ends_when_the_clock_first_says_so(
    quiet: Quiet, zone: str, near: datetime, minutes: int, micro: int
) -> None:
    moment = near + minutes * MINUTE + timedelta(microseconds=micro)
    released = release_at(moment, zone, *quiet)
    assert not is_quiet(released, zone, quiet)
    at = moment
    while is_quiet(at, zone, quiet):
        at = at.replace(microsecond=0) + MINUTE  # all these clocks are moved on full minutes
    assert released == at
    assert release_at(released, zone, *quiet) == released


def some_quiet(random: Random) -> Quiet:
    """Nights, odd hours, and days: mostly such as people choose."""
    hours = [
        ("22:00", "07:00"),
        ("", ""),
        ("18:00", "09:30"),
        ("00:15", "05:45"),
        ("12:00", "13:00"),
        ("07:00", "06:30"),
    ]
    allowed = random.sample(WEEK, random.randrange(1, 7)) if random.random() < 0.4 else list(WEEK)
    return Quiet(*random.choice(hours), parse_days(",".join(allowed)))


def live(life: Life, random: Random, *, cadences: tuple[str, ...], changes: bool = True) -> list[datetime]:
    """Weeks of stories and changes of mind; returns when each message was made."""
    made: list[datetime] = []
    stories = {random.randrange(1, BUSY): (random.randrange(60), random.random() < 0.2) for _ in range(50)}
    turns = {random.randrange(1, BUSY + 300): random.choice(["quiet", "quiet", "zone", "cadence"]) for _ in range(12)}
    for tick in range(1, LAST):
        now = START + tick * TICK + timedelta(minutes=random.randrange(3))
        if tick in stories:
            number, is_backlog = stories[tick]
            query_id, cluster = number % len(life.followings) + 1, 1000 + number if is_backlog else number // 5
            life.match(query_id, cluster, now, backlog=is_backlog)
        if changes and tick in turns:
            turn(life, random, turns[tick], cadences, now)
        before = len(life.planned)
        life.tick(now)
        if len(life.planned) > before:
            assert not is_quiet(now, life.zone, life.quiet), "nothing is made in quiet time"
            made += [now] * (len(life.planned) - before)
    return made


def turn(life: Life, random: Random, what: str, cadences: tuple[str, ...], now: datetime) -> None:
    if what == "quiet":
        life.hush(random.choice([NEVER, some_quiet(random), some_quiet(random)]), now)
        return
    if what == "zone":
        life.zone = random.choice(ZONES)
    else:
        life.change(random.randrange(9), random.choice(cadences), now)
    life.reschedule(now)
    life.hush(life.quiet, now)


seeds = st.integers(0, 2**32)


@given(seed=seeds)
def test_changes_of_quiet_time_neither_lose_nor_repeat_a_story(seed: int) -> None:
    random = Random(seed)
    life = begin(random.choice(ZONES), some_cadences(random))
    life.quiet = some_quiet(random)
    live(life, random, cadences=CADENCES)
    check_nothing_lost(life)
    check_once_per_story(life)
    check_no_back_catalogue(life)


@given(seed=seeds)
def test_a_reader_with_quiet_time_gets_one_digest_at_its_end_and_not_a_heap(seed: int) -> None:
    random = Random(seed)
    text = random.choice(CADENCES)
    life = begin(random.choice(ZONES), [text] * 3)
    life.quiet = some_quiet(random)
    made = live(life, random, cadences=(text,), changes=False)
    check_distances(life)
    check_nothing_lost(life)
    if text != "instant":
        assert len(set(made)) == len(made), "one message at a time"
