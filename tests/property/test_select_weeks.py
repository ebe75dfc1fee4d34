"""Weeks in the life of one reader, simulated without a database: what is planned for them, and what must never be.

Stories come, the reader changes cadence and zone, the machine sleeps and wakes. Rows are kept as the pipeline keeps
them; the decisions are the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.audience import Schedule
from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel
from dispatcher.schedule import agenda, cadence
from dispatcher.schedule.quiet import NEVER, Quiet
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import (
    Due,
    Following,
    Planned,
    Reader,
    decide,
    earliest_look,
    owed_from,
    slots,
)
from dispatcher.schedule.wait import Wait, wait

START = datetime(2026, 3, 25, 5, 10, tzinfo=UTC)  # London's clocks change in four days, Auckland's in ten
TICK = timedelta(minutes=30)
BUSY, QUIET = 6 * 48, 16 * 48  # ticks with events, and ticks after them in which everything must have arrived
POLICY = Policy(max_articles=1000)
ZONES = ("Europe/London", "Pacific/Auckland", "America/New_York", "Asia/Kathmandu", "UTC")
DAILY = ("daily at 07:30", "daily at 02:30", "daily at 19:00", "daily at 22:15")
TWICE_A_DAY = "cron 30 7,19 * * *"
CADENCES = (
    "instant", "hourly", "daily at 07:30", "daily at 02:30", "daily at 19:00", "weekdays at 08:00",
    "weekly on mon at 08:00", "weekly on tue,fri at 18:00", "cron 0 6 * * mon,thu", TWICE_A_DAY,
)  # fmt: skip
LONGEST_SLEEP = 22  # ticks: eleven hours, less than any of these but the hourly one takes to be too late


@dataclass
class Life:
    """One reader's rows, and everything that was ever planned for them."""

    zone: str
    followings: list[Following]
    rows: list[Schedule] = field(default_factory=list)
    matches: list[Candidate] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    quiet: Quiet = NEVER
    woken: int = 0  # how many matches instant subscriptions have been woken by

    def reschedule(self, now: datetime) -> None:
        """What `enrolment.reschedule` does."""
        wanted = {(f.channel, f.cadence.text) for f in self.followings if not f.cadence.is_instant}
        before = {r.cadence: r.timezone for r in self.rows if r.next_due_at and r.timezone != self.zone}
        self.followings = [
            replace(f, owed_from_at=owed_from(f, now, before[f.cadence.text])) if f.cadence.text in before else f
            for f in self.followings
        ]
        for row in agenda.revise(self.rows, wanted, subscriber_id=1, newsletter_id=1, zone=self.zone, now=now):
            if row.id is None:
                row.id = len(self.rows) + 1
                self.rows.append(row)
            else:
                self.rows[row.id - 1] = row

    def change(self, number: int, text: str, now: datetime) -> None:
        """What `enrolment.follow` does for a subscription that is there."""
        f = self.followings[number % len(self.followings)]
        if f.cadence.text != text:
            zone = next((r.timezone for r in self.rows if r.cadence == f.cadence.text), self.zone)
            fresh = replace(f, cadence=cadence.parse(text), owed_from_at=owed_from(f, now, zone), look_at=now)
            self.followings[self.followings.index(f)] = fresh

    def match(self, query_id: int, cluster_id: int, now: datetime, *, backlog: bool) -> None:
        """A new article of a story, numbered as it is saved."""
        number = len(self.matches) + 1
        published = now - timedelta(days=40) if backlog else now - timedelta(minutes=7)
        self.matches.append(Candidate(number, 1, cluster_id, query_id, number, 1.0, now, published, backlog))

    def postpone(self, waiting: Wait) -> None:
        """What `waiting.postpone` does."""
        for due, then in waiting.dues:
            assert then > due.next_due_at, "what is put off comes later"
            self.rows[due.schedule_id - 1].next_due_at = then
        looks = {f.subscription_id: then for f, then in waiting.looks}
        owed = {f.subscription_id: since for f, since in waiting.owed}
        self.followings = [
            replace(
                f,
                look_at=looks.get(f.subscription_id, f.look_at),
                owed_from_at=owed.get(f.subscription_id, f.owed_from_at),
            )
            for f in self.followings
        ]

    def hush(self, quiet: Quiet, now: datetime) -> None:
        """What a change of quiet time does: the fields, and `waiting.rouse`."""
        self.quiet = quiet
        for row in agenda.rouse(self.rows, zone=self.zone, now=now):
            assert row.id is not None
            self.rows[row.id - 1] = row
        self.followings = [replace(f, look_at=now) if f.look_at and f.look_at > now else f for f in self.followings]

    def _wakes(self, f: Following) -> bool:
        """Whether a match came since the last tick that this subscription is to be looked at for."""
        return any(m.query_id == f.query_id for m in self.matches[self.woken :])

    def tick(self, now: datetime) -> None:
        """What the plan step does for one reader."""
        newest = len(self.matches)
        self.followings = [
            replace(f, look_at=now) if f.cadence.is_instant and self._wakes(f) else f for f in self.followings
        ]
        self.woken = newest
        awake = any(f.cadence.is_instant and f.look_at and f.look_at <= now for f in self.followings)
        dues = [
            Due(r.id or 0, r.channel, cadence.parse(r.cadence), r.next_due_at)
            for r in self.rows
            if r.next_due_at is not None and r.next_due_at <= now
        ]
        if not dues and not awake:
            return
        had = frozenset(pick.candidate.cluster_id for made in self.planned for pick in made.picks)
        reader = Reader(1, self.zone, tuple(self.followings), tuple(dues), {Channel.EMAIL: had}, quiet=self.quiet)
        if (waiting := wait(reader, now)) is not None:
            self.postpone(waiting)
            return
        look = earliest_look(reader, now)
        loaded = {
            f.query_id: [m for m in self.matches if m.query_id == f.query_id and m.seen_at >= look]
            for f in self.followings
        }
        taken = frozenset(self.keys & set(slots(reader, now)))
        made = decide(reader, loaded, now, POLICY, taken)
        assert made == decide(reader, loaded, now, POLICY, taken), "the same question has the same answer"
        for due, next_due_at, last_due_at in made.moved:
            assert next_due_at > now >= last_due_at, "a schedule always moves on"
            row = self.rows[due.schedule_id - 1]
            row.next_due_at, row.last_due_at = next_due_at, last_due_at
        read = {f.subscription_id: at for f, at in made.read}
        self.followings = [
            replace(f, release=newest, read_at=read[f.subscription_id], owed_from_at=None, look_at=None)
            if f.subscription_id in read
            else f
            for f in self.followings
        ]
        for planned in made.planned:
            assert planned.picks, "nothing new, nothing sent"
            assert planned.slot not in self.keys, "a slot is filled once"
            self.keys.add(planned.slot)
        self.planned += made.planned


def begin(zone: str, texts: list[str]) -> Life:
    """A reader who starts to follow one query for each cadence."""
    life = Life(zone, [])
    for number, text in enumerate(texts, 1):
        chosen = cadence.parse(text)
        floor = START if chosen.is_instant else None
        life.followings.append(
            Following(number, f"Topic {number}", number, Channel.EMAIL, chosen, 0, START, floor_at=floor)
        )
    life.reschedule(START)
    return life


Event = tuple[int, str, int, str]


def live(life: Life, events: list[Event], sleeps: list[tuple[int, int]], together: bool) -> None:
    """Run through the weeks. While the machine sleeps, others still bring stories and the reader still changes."""
    asleep = {tick for start, length in sleeps for tick in range(start, start + length)}
    by_tick: dict[int, list[Event]] = {}
    for event in events:
        by_tick.setdefault(event[0], []).append(event)
    for tick in range(1, BUSY + QUIET):
        now = START + tick * TICK
        for _, kind, number, word in by_tick.get(tick, ()):
            if kind == "zone":
                life.zone = word
                life.reschedule(now)
            elif kind == "cadence":
                for which in range(len(life.followings)) if together else (number,):
                    life.change(which, word, now)
                life.reschedule(now)
            else:
                query_id, cluster_id = number % len(life.followings) + 1, number // 5
                life.match(query_id, 1000 + number if kind == "backlog" else cluster_id, now, backlog=kind == "backlog")
        if tick not in asleep or tick >= BUSY:
            life.tick(now)


def check_once_per_story(life: Life) -> None:
    clusters = [pick.candidate.cluster_id for planned in life.planned for pick in planned.picks]
    assert len(clusters) == len(set(clusters)), "a story comes once"


def check_no_back_catalogue(life: Life) -> None:
    assert not [pick for planned in life.planned for pick in planned.picks if pick.candidate.is_backlog]


def check_nothing_lost(life: Life) -> None:
    told = {pick.candidate.cluster_id for planned in life.planned for pick in planned.picks}
    lost = {match.cluster_id for match in life.matches if not match.is_backlog} - told
    assert not lost, f"stories that never came: {sorted(lost)}"


def check_distances(life: Life) -> None:
    """No two digests of one label within half its period."""
    last: dict[str, datetime] = {}
    for planned in life.planned:
        label = planned.cadence.label
        if not planned.cadence.is_instant:
            if label in last:
                assert planned.slot_at - last[label] >= cadence.period(planned.cadence) / 2, label
            last[label] = planned.slot_at


def history(
    random: Random, *, cadences: Sequence[str] = CADENCES, sleeps: Sequence[tuple[int, int]] = ()
) -> list[Event]:
    """Dense weeks: many stories, most of them in several articles; changes, of which half fall into a sleep."""

    def when() -> int:
        start, length = random.choice(sleeps) if sleeps and random.random() < 0.5 else (1, BUSY - 1)
        return start + random.randrange(length)

    stories = [(when(), random.choice(["story"] * 5 + ["backlog"]), random.randrange(60), "") for _ in range(40)]
    moves = [(when(), "zone", 0, random.choice(ZONES)) for _ in range(random.randrange(4))]
    changes = [(when(), "cadence", random.randrange(9), random.choice(cadences)) for _ in range(random.randrange(8))]
    return sorted([*stories, *moves, *changes])


def naps(random: Random, longest: int) -> list[tuple[int, int]]:
    """Sleeps that do not run into one another."""
    found, tick = [], random.randrange(1, 12)
    while tick < BUSY:
        found.append((tick, length := random.randrange(1, longest + 1)))
        tick += length + random.randrange(2, 40)
    return found


def some_cadences(random: Random, cadences: Sequence[str] = CADENCES) -> list[str]:
    return random.choices(cadences, k=random.randrange(1, 5))


seeds = st.integers(0, 2**32)


@given(seed=seeds)
def test_a_reader_who_changes_their_one_cadence_gets_no_story_twice_and_no_digest_too_soon(seed: int) -> None:
    random = Random(seed)
    cadences, sleeps = random.choice([CADENCES, DAILY]), naps(random, random.choice([4, 3 * 48]))
    life = begin(random.choice(ZONES), [random.choice(cadences)] * 3)
    live(life, history(random, cadences=cadences, sleeps=sleeps), sleeps, together=True)
    check_once_per_story(life)
    check_no_back_catalogue(life)
    check_distances(life)


@given(seed=seeds)
def test_a_reader_of_several_cadences_gets_no_story_twice_and_no_back_catalogue(seed: int) -> None:
    random = Random(seed)
    life, sleeps = begin(random.choice(ZONES), some_cadences(random)), naps(random, 3 * 48)
    live(life, history(random, sleeps=sleeps), sleeps, together=False)
    check_once_per_story(life)
    check_no_back_catalogue(life)


@given(seed=seeds)
def test_nothing_is_lost_over_changes_and_short_sleeps(seed: int) -> None:
    random = Random(seed)
    cadences = [text for text in CADENCES if text not in ("hourly", TWICE_A_DAY)]
    life, sleeps = begin(random.choice(ZONES), some_cadences(random, cadences)), naps(random, LONGEST_SLEEP)
    live(life, history(random, cadences=cadences, sleeps=sleeps), sleeps, together=random.random() < 0.5)
    check_nothing_lost(life)
    check_once_per_story(life)


@given(seed=seeds)
def test_nothing_is_lost_by_the_shortest_cadences_while_the_machine_is_awake(seed: int) -> None:
    random = Random(seed)
    life = begin(random.choice(ZONES), ["hourly", "instant", "daily at 07:30", TWICE_A_DAY])
    live(life, history(random), [], together=random.random() < 0.5)
    check_nothing_lost(life)
    check_once_per_story(life)


@given(seed=seeds)
def test_a_slot_slept_over_folds_into_the_next(seed: int) -> None:
    random = Random(seed)
    cadences = [text for text in CADENCES if text.startswith(("daily", "week"))]
    life, sleep = begin(random.choice(ZONES), some_cadences(random, cadences)), (random.randrange(1, 200), 44)
    stories = [event for event in history(random, sleeps=[sleep]) if event[1] in ("story", "backlog")]
    live(life, stories, [sleep], together=False)
    check_nothing_lost(life)
    check_once_per_story(life)
