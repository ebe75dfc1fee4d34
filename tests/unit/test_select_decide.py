"""Who gets what: one decision at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.model.audience import Schedule
from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel, Order
from dispatcher.schedule import agenda, cadence
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import (
    MOST_ALERTS,
    Due,
    Following,
    Plan,
    Planned,
    Reader,
    decide,
    earliest_look,
    owed_from,
    slots,
)

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
EMAIL = Channel.EMAIL
DAILY, EVENING, WEEKLY, INSTANT = "daily at 07:30", "daily at 19:00", "weekly on mon at 07:30", "instant"


def at(hours: int, minutes: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


def following(number: int = 1, text: str = DAILY, **changes: Any) -> Following:
    values: dict[str, Any] = {
        "subscription_id": number, "label": f"Topic {number}", "query_id": number, "channel": EMAIL,
        "cadence": cadence.parse(text), "release": 0, "created_at": at(0, day=-30), "read_at": at(7, 30, day=-1),
    }  # fmt: skip
    return Following(**values | changes)


def match(number: int, seen_at: datetime, query_id: int = 1, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "article_id": number, "version": 1, "cluster_id": number, "query_id": query_id, "release": number,
        "score": 1.0, "seen_at": seen_at, "published_at": seen_at, "is_backlog": False,
    }  # fmt: skip
    return Candidate(**values | changes)


def plan(
    now: datetime, followings: list[Following], matches: list[Candidate], *, zone: str = "UTC",
    due_at: datetime | None = None, policy: Policy | None = None, taken: frozenset[str] = frozenset(), **reader: Any,
) -> Plan:  # fmt: skip
    """A decision about one reader whose every schedule is due."""
    chosen = sorted({f.cadence for f in followings if not f.cadence.is_instant}, key=str)
    dues = [Due(number, EMAIL, c, due_at or now) for number, c in enumerate(chosen, 1)]
    by_query: dict[int, list[Candidate]] = {}
    for found in sorted(matches, key=lambda m: m.release):
        by_query.setdefault(found.query_id, []).append(found)
    return decide(Reader(1, zone, followings, dues, **reader), by_query, now, policy or Policy(), taken)


def ids(planned: Planned) -> list[int]:
    return [pick.candidate.article_id for pick in planned.picks]


def test_nothing_new_sends_nothing_and_the_schedule_moves_on() -> None:
    made = plan(at(7, 31), [following()], [])
    assert made.planned == ()
    ((_, next_due_at, last_due_at),) = made.moved
    assert (next_due_at, last_due_at) == (at(7, 30, day=1), at(7, 30))
    assert [(f.subscription_id, read_at) for f, read_at in made.read] == [(1, at(7, 30))]


def test_what_was_read_is_not_read_again_unless_its_digest_expired() -> None:
    seen = at(20, day=-1)
    assert plan(at(7, 31), [following(release=5)], [match(5, seen)]).planned == ()
    (again,) = plan(
        at(7, 31), [following(release=5)], [match(5, seen), match(6, seen)], returned=frozenset({5})
    ).planned
    assert sorted(ids(again)) == [5, 6]
    too_old = match(4, at(7, 29, day=-2))
    assert plan(at(7, 31), [following(release=5)], [too_old], returned=frozenset({4})).planned == ()


def test_a_story_that_this_reader_had_does_not_come_again_in_another_article() -> None:
    matches = [match(1, at(6), cluster_id=9), match(2, at(6))]
    (made,) = plan(at(7, 31), [following()], matches, had={EMAIL: frozenset({9})}).planned
    assert ids(made) == [2]
    (made,) = plan(at(7, 31), [following()], matches[:1], had={Channel.CHAT: frozenset({9})}).planned
    assert ids(made) == [1], "had on another channel"


def test_the_best_article_of_a_story_is_the_best_among_those_that_matched() -> None:
    first, second = match(1, at(5), cluster_id=9), match(2, at(6), cluster_id=9)
    (made,) = plan(at(7, 31), [following()], [second, first]).planned
    assert ids(made) == [1]
    (made,) = plan(at(7, 31), [following(2)], [first, match(2, at(6), 2, cluster_id=9)]).planned
    assert ids(made) == [2]


def test_an_article_of_several_topics_stands_under_the_first_and_names_the_others() -> None:
    matches = [match(1, at(5), 1, score=0.2), match(1, at(5), 2, score=0.9)]
    (made,) = plan(at(7, 31), [following(1), following(2)], matches).planned
    (pick,) = made.picks
    assert (pick.label, pick.others, pick.candidate.score) == ("Topic 1", ("Topic 2",), 0.9)
    assert made.labels == ("Topic 1", "Topic 2")


def test_newest_or_most_relevant_first_within_topics_in_the_readers_order() -> None:
    matches = [
        match(1, at(4), 1, score=0.9), match(2, at(6), 1, score=0.1), match(3, at(5), 2), match(4, at(5), 1, score=0.9),
    ]  # fmt: skip
    followings = [following(1), following(2)]
    (newest,) = plan(at(7, 31), followings, matches).planned
    assert ids(newest) == [2, 4, 1, 3]
    (relevant,) = plan(at(7, 31), followings, matches, policy=Policy(order=Order.RELEVANT)).planned
    assert ids(relevant) == [4, 1, 2, 3]


def test_the_cap_keeps_the_first_and_counts_the_rest() -> None:
    (made,) = plan(at(7, 31), [following()], [match(n, at(6, n)) for n in range(1, 8)], policy=Policy(3)).planned
    assert (ids(made), made.more) == ([7, 6, 5], 4)


def test_the_shorter_cadence_has_the_story() -> None:
    followings = [following(1, WEEKLY), following(2, DAILY), following(3, INSTANT)]
    matches = [match(1, at(6), q) for q in (1, 2, 3)] + [match(2, at(6), q) for q in (1, 2)] + [match(3, at(6), 1)]
    made = plan(at(7, 31), followings, matches).planned
    assert [(p.cadence.kind, ids(p)) for p in made] == [("instant", [1]), ("daily", [2]), ("weekly", [3])]


def test_a_first_digest_looks_back_one_period_and_a_later_one_two() -> None:
    matches = [match(1, at(7, 29, day=-2)), match(2, at(7, 31, day=-2)), match(3, at(7, 31, day=-1))]
    (first,) = plan(at(7, 31), [following(created_at=at(5), read_at=None)], matches).planned
    assert ids(first) == [3]
    (later,) = plan(at(7, 31), [following()], matches).planned
    assert sorted(ids(later)) == [2, 3]


def test_a_subscription_whose_first_slot_was_missed_still_has_what_that_slot_would_have_brought() -> None:
    """Made on Sunday at 5, machine down from 6 to Monday."""
    young = following(created_at=at(5, day=-1), read_at=None)
    (made,) = plan(at(7, 31), [young], [match(1, at(20, day=-2))]).planned
    assert ids(made) == [1]


def test_nothing_first_seen_before_the_floor_ever_comes() -> None:
    floored = following(floor_at=at(6), created_at=at(6), read_at=None)
    (made,) = plan(at(7, 31), [floored], [match(1, at(5, 59)), match(2, at(6))]).planned
    assert ids(made) == [2]


def test_a_slot_too_late_to_be_of_use_is_skipped_and_nothing_of_it_is_read() -> None:
    made = plan(at(3, 31, day=1), [following()], [match(1, at(6))])
    assert (made.planned, made.read) == ((), ())
    assert made.moved[0][1:] == (at(7, 30, day=1), at(7, 30))
    (folded,) = plan(at(7, 31, day=1), [following()], [match(1, at(6))]).planned
    assert ids(folded) == [1]


def test_a_slot_that_has_its_delivery_is_not_filled_again() -> None:
    assert slots(Reader(1, "UTC", [following()], [Due(1, EMAIL, cadence.parse(DAILY), at(7, 30))]), at(7, 31)) == [
        "daily:2026-03-02"
    ]
    made = plan(at(7, 31), [following()], [match(1, at(6))], taken=frozenset({"daily:2026-03-02"}))
    assert (made.planned, made.read) == ((), ())
    assert made.moved


def test_missed_slots_fold_into_the_latest_that_came() -> None:
    (made,) = plan(at(9, day=2), [following()], [match(1, at(8, day=0)), match(2, at(8, day=1))]).planned
    assert (made.slot, sorted(ids(made))) == ("daily:2026-03-04", [2, 1][::-1])


def test_morning_and_evening_are_two_slots_of_a_day() -> None:
    both = [following(1, DAILY), following(2, EVENING)]
    matches = [match(1, at(6), 1), match(2, at(6), 2)]
    morning = plan(at(7, 31), both, matches)  # after a night in which both became due
    assert [ids(p) for p in morning.planned] == [[1], [2]]
    taken = frozenset(p.slot for p in morning.planned)
    assert len(taken) == 2
    evening = plan(at(19, 1), both, [match(3, at(12), 2)], taken=taken)
    assert [ids(p) for p in evening.planned] == [[3]]


def test_a_back_catalogue_is_what_a_first_poll_brought_from_before_a_period() -> None:
    old = match(1, at(6), is_backlog=True, published_at=at(7, 29, day=-1))
    new = match(2, at(6), is_backlog=True, published_at=at(7, 31, day=-1))
    (made,) = plan(at(7, 31), [following()], [old, new]).planned
    assert ids(made) == [2]
    assert plan(at(6, 1), [following(text=INSTANT)], [old, new]).planned == ()
    owed = following(text=INSTANT, owed_from_at=at(7, 30, day=-1))
    (alert,) = plan(at(6, 1), [owed], [old, new]).planned
    assert ids(alert) == [2], "what was owed before the change still is"


def test_each_alert_is_a_message_until_there_are_too_many() -> None:
    keen = following(text=INSTANT)
    few = plan(at(7), [keen], [match(n, at(6, n)) for n in range(1, MOST_ALERTS + 1)])
    assert [p.slot for p in few.planned] == [f"story:{n}" for n in range(MOST_ALERTS, 0, -1)]
    (many,) = plan(at(7), [keen], [match(n, at(6, n)) for n in range(1, MOST_ALERTS + 2)]).planned
    assert (many.slot, len(many.picks)) == (f"instant:{MOST_ALERTS + 1}", MOST_ALERTS + 1)


def test_an_alert_looks_back_twelve_hours_and_no_further() -> None:
    made = plan(at(7), [following(text=INSTANT)], [match(1, at(18, 59, day=-1)), match(2, at(19, 1, day=-1))])
    assert [ids(p) for p in made.planned] == [[2]]


def test_somebody_who_follows_nothing_has_schedules_that_move_on() -> None:
    reader = Reader(1, "UTC", (), [Due(1, EMAIL, cadence.parse(DAILY), at(7, 30))])
    made = decide(reader, {}, at(7, 31), Policy(), frozenset())
    assert (made.planned, made.read, len(made.moved)) == ((), (), 1)
    assert earliest_look(reader, at(7, 31)) == at(7, 31)


def test_how_far_back_to_load_is_as_far_as_anything_due_could_take() -> None:
    reader = Reader(1, "UTC", [following(1), following(2, WEEKLY)], [Due(1, EMAIL, cadence.parse(DAILY), at(7, 30))])
    assert earliest_look(reader, at(7, 31)) == at(7, 30, day=-2), "the weekly one is not due"


# -- what a change of cadence or zone owes ---------------------------------------------------------------------------


def test_a_change_owes_what_the_next_slot_would_have_taken() -> None:
    assert owed_from(following(read_at=at(7, 30)), at(20), "UTC") == at(7, 30, day=-1)
    young = following(created_at=at(20), read_at=None)
    assert owed_from(young, at(21), "UTC") == at(7, 30)


def test_a_change_before_a_slot_that_came_was_filled_owes_what_that_slot_would_have_brought() -> None:
    """Made on Monday at 5, changed at 8, while the machine had slept since 7."""
    young = following(created_at=at(5), read_at=None)
    assert owed_from(young, at(8), "UTC") == at(7, 30, day=-1)
    slept_since_saturday = following(read_at=at(7, 30, day=-2))
    assert owed_from(slept_since_saturday, at(8), "UTC") == at(7, 30, day=-2)
    assert owed_from(following(read_at=at(7, 30)), at(8), "UTC") == at(7, 30, day=-1)


def test_a_change_over_instant_and_on_keeps_what_the_first_one_owed() -> None:
    """Weekly until Saturday, then instant, then daily, before anything was planned."""
    weekly = following(text=WEEKLY, read_at=at(7, 30))
    owed = owed_from(weekly, at(9, day=5), "UTC")
    hasty = following(text=INSTANT, read_at=at(7, 30), owed_from_at=owed)
    assert owed_from(hasty, at(9, 5, day=5), "UTC") == owed <= at(7, 30)


def test_a_change_never_reaches_behind_the_floor() -> None:
    floored = following(floor_at=at(6), created_at=at(6), read_at=None)
    assert owed_from(floored, at(8), "UTC") == at(6)
    assert owed_from(following(text=INSTANT, floor_at=at(6)), at(8), "UTC") == at(6)


# -- which schedules there are ---------------------------------------------------------------------------------------


def revise(rows: list[Schedule], *texts: str, zone: str = "UTC", now: datetime) -> list[Schedule]:
    wanted = {(EMAIL, text) for text in texts}
    return agenda.revise(rows, wanted, subscriber_id=1, newsletter_id=1, zone=zone, now=now)


def row(text: str, next_due_at: datetime | None, last_due_at: datetime | None = None, zone: str = "UTC") -> Schedule:
    return Schedule(
        id=1, subscriber_id=1, newsletter_id=1, cadence=text, label=cadence.parse(text).label, timezone=zone,
        next_due_at=next_due_at, last_due_at=last_due_at,
    )  # fmt: skip


def test_a_new_cadence_gets_a_schedule_and_one_that_is_right_stays_as_it_is() -> None:
    (fresh,) = revise([row(DAILY, at(7, 30))], DAILY, WEEKLY, now=at(7))
    assert (fresh.id, fresh.cadence, fresh.label, fresh.next_due_at) == (None, WEEKLY, "weekly", at(7, 30))


def test_what_nobody_needs_goes_dormant_and_remembers_its_last_slot() -> None:
    before = row(DAILY, at(7, 30, day=1), at(7, 30))
    (dormant,) = revise([before], now=at(9))
    assert (dormant.id, dormant.next_due_at, dormant.last_due_at) == (1, None, at(7, 30))
    assert before.next_due_at == at(7, 30, day=1), "a decision changes nothing"
    assert revise([dormant], now=at(9)) == []
    (woken,) = revise([dormant], DAILY, now=at(9))
    assert woken.next_due_at == at(7, 30, day=1)


@pytest.mark.parametrize(
    ("now", "expected"), [(at(9), at(19, day=1)), (at(7, 20, day=1), at(19, day=1)), (at(9, day=1), at(19, day=1))]
)
def test_another_time_of_day_keeps_half_a_period_from_the_last_digest(now: datetime, expected: datetime) -> None:
    _, evening = revise([row(DAILY, at(7, 30, day=1), at(7, 30))], EVENING, now=now)
    assert evening.next_due_at == expected
    assert evening.last_due_at == at(7, 30)


def test_another_zone_keeps_half_a_period_too_and_is_noted() -> None:
    (moved,) = revise([row(DAILY, at(7, 30, day=1), at(7, 30))], DAILY, zone="America/New_York", now=at(8))
    assert moved.timezone == "America/New_York"
    assert moved.next_due_at == at(12, 30, day=1)


def test_a_cadence_that_cannot_be_read_is_told() -> None:
    with pytest.raises(Exception, match="whenever"):
        revise([], "whenever", now=at(9))
