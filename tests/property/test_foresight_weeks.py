"""Weeks of a reader whose digests are made ahead: every promise about slots and stories holds as without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from test_select_weeks import (
    CADENCES,
    DAILY,
    LONGEST_SLEEP,
    POLICY,
    START,
    TICK,
    TWICE_A_DAY,
    ZONES,
    Life,
    check_distances,
    check_no_back_catalogue,
    check_nothing_lost,
    check_once_per_story,
    history,
    live,
    naps,
    some_cadences,
)

from dispatcher.model.values import Channel
from dispatcher.schedule import cadence
from dispatcher.schedule.foresight import foresee
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.schedule.select import Due, Following, Reader, earliest_look, slots

AHEAD = timedelta(minutes=100)  # more than three ticks, so that stories and changes fall between the cut and the slot
seeds = st.integers(0, 2**32)


@dataclass
class Foreseen(Life):
    """A reader as in `Life`, for whom every tick also looks ahead, as the presign step does."""

    made_ahead: int = 0

    def tick(self, now: datetime) -> None:
        """Plan what is due, then what will be."""
        super().tick(now)
        for at in sorted({r.next_due_at for r in self.rows if r.next_due_at and now < r.next_due_at <= now + AHEAD}):
            self.look_ahead(at, now)

    def look_ahead(self, at: datetime, now: datetime) -> None:
        """What `ahead._plan_batch` does for one slot."""
        dues = [
            Due(r.id or 0, r.channel, cadence.parse(r.cadence), r.next_due_at)
            for r in self.rows
            if r.next_due_at is not None and r.next_due_at <= at
        ]
        had = frozenset(pick.candidate.cluster_id for made in self.planned for pick in made.picks)
        reader = Reader(1, self.zone, tuple(self.followings), tuple(dues), {Channel.EMAIL: had}, quiet=self.quiet)
        look = earliest_look(reader, at)
        loaded = {
            f.query_id: [m for m in self.matches if m.query_id == f.query_id and m.seen_at >= look]
            for f in self.followings
        }
        made = foresee(reader, loaded, at, POLICY, frozenset(self.keys & set(slots(reader, at))))
        assert not [planned for planned in made.planned if planned.cadence.is_instant], "alerts are never made ahead"
        assert all(due.next_due_at == at for due, *_ in made.moved)
        if made.planned:
            assert release_at(at, self.zone, *self.quiet) == at, "nothing is made for quiet time"
        newest = len(self.matches)
        for due, next_due_at, last_due_at in made.moved:
            assert next_due_at > at >= last_due_at
            row = self.rows[due.schedule_id - 1]
            row.next_due_at, row.last_due_at = next_due_at, last_due_at
        read = {f.subscription_id: slot_at for f, slot_at in made.read}
        self.followings = [
            replace(f, release=newest, read_at=read[f.subscription_id], owed_from_at=None, look_at=None)
            if f.subscription_id in read
            else f
            for f in self.followings
        ]
        for planned in made.planned:
            assert planned.picks
            assert planned.slot not in self.keys, "a slot is filled once"
            self.keys.add(planned.slot)
        self.planned += made.planned
        self.made_ahead += len(made.planned)


def begin(zone: str, texts: list[str]) -> Foreseen:
    """As in `Life`."""
    life = Foreseen(zone, [])
    for number, text in enumerate(texts, 1):
        chosen = cadence.parse(text)
        floor = START if chosen.is_instant else None
        life.followings.append(
            Following(number, f"Topic {number}", number, Channel.EMAIL, chosen, 0, START, floor_at=floor)
        )
    life.reschedule(START)
    return life


@given(seed=seeds)
def test_a_reader_planned_ahead_who_changes_cadence_and_zone_gets_no_story_twice_and_no_digest_too_soon(
    seed: int,
) -> None:
    random = Random(seed)
    cadences, sleeps = random.choice([CADENCES, DAILY]), naps(random, random.choice([4, 3 * 48]))
    life = begin(random.choice(ZONES), [random.choice(cadences)] * 3)
    live(life, history(random, cadences=cadences, sleeps=sleeps), sleeps, together=True)
    check_once_per_story(life)
    check_no_back_catalogue(life)
    check_distances(life)


@given(seed=seeds)
def test_a_reader_of_several_cadences_planned_ahead_gets_no_story_twice(seed: int) -> None:
    random = Random(seed)
    life, sleeps = begin(random.choice(ZONES), some_cadences(random)), naps(random, 3 * 48)
    live(life, history(random, sleeps=sleeps), sleeps, together=False)
    check_once_per_story(life)
    check_no_back_catalogue(life)


@given(seed=seeds)
def test_nothing_is_lost_by_planning_ahead(seed: int) -> None:
    random = Random(seed)
    cadences = [text for text in CADENCES if text not in ("hourly", TWICE_A_DAY)]
    life, sleeps = begin(random.choice(ZONES), some_cadences(random, cadences)), naps(random, LONGEST_SLEEP)
    live(life, history(random, cadences=cadences, sleeps=sleeps), sleeps, together=random.random() < 0.5)
    check_nothing_lost(life)
    check_once_per_story(life)


@given(seed=seeds)
def test_quiet_hours_are_kept_when_digests_are_made_ahead(seed: int) -> None:
    random = Random(seed)
    life = begin(random.choice(ZONES), some_cadences(random))
    life.quiet = Quiet("06:45", "08:15", "")
    live(life, history(random), [], together=False)
    check_once_per_story(life)
    late = [made for made in life.planned if made.cadence.text == "daily at 07:30"]
    assert all(made.slot.startswith("daily:") for made in late)


def test_a_digest_really_is_made_ahead_and_holds_what_was_known_at_the_cut() -> None:
    life = begin("UTC", ["daily at 07:30"])
    life.match(1, 1, START, backlog=False)
    life.tick(START + TICK)  # 05:40
    assert not life.planned, "too early"
    life.tick(START + 2 * TICK)  # 06:10: within the hundred minutes
    assert [pick.candidate.cluster_id for pick in life.planned[0].picks] == [1]
    assert life.planned[0].slot_at == datetime(2026, 3, 25, 7, 30, tzinfo=START.tzinfo)
    life.match(1, 2, START + 3 * TICK, backlog=False)
    for tick in range(3, 60):
        life.tick(START + tick * TICK)
    assert [[pick.candidate.cluster_id for pick in made.picks] for made in life.planned] == [[1], [2]]
    assert life.made_ahead == 2


def test_who_has_nothing_at_the_cut_still_gets_what_comes_before_the_slot() -> None:
    life = begin("UTC", ["daily at 07:30"])
    life.tick(START + 2 * TICK)  # nothing to make ahead
    life.match(1, 1, START + 4 * TICK, backlog=False)  # 07:10
    life.tick(START + 5 * TICK)  # 07:40
    assert [made.slot for made in life.planned] == ["daily:2026-03-25"]
