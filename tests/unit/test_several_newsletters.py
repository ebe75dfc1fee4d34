"""One reader, several newsletters: each decided about by itself, and a story told once."""

from __future__ import annotations

from datetime import UTC, datetime

from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel
from dispatcher.schedule import cadence
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.select import Due, Following, Reader
from dispatcher.schedule.several import decide_each, newsletters, slots_of

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SLOT = MONDAY.replace(hour=7, minute=30)
DAILY = cadence.parse("daily at 07:30")


def story(number: int, query: int) -> Candidate:
    return Candidate(number, 1, number, query, number, 1.0, MONDAY, MONDAY, is_backlog=False)


def reader(text: str = "daily at 07:30") -> Reader:
    how = cadence.parse(text)
    follows = [
        Following(n, f"Topic {n}", n, Channel.EMAIL, how, 0, MONDAY.replace(day=1), newsletter_id=n) for n in (1, 2)
    ]
    dues = [] if how.is_instant else [Due(n, Channel.EMAIL, how, SLOT, n) for n in (2, 1)]
    return Reader(9, "UTC", follows, dues)


def many(_: int) -> Policy:
    return Policy()


def test_each_newsletter_has_a_message_of_its_own_in_the_order_of_their_ids() -> None:
    made = decide_each(reader(), {1: [story(1, 1)], 2: [story(2, 2)]}, SLOT, many, frozenset())
    assert [(one.newsletter_id, one.labels) for one in made.planned] == [(1, ("Topic 1",)), (2, ("Topic 2",))]
    assert {due.newsletter_id for due, _, _ in made.moved} == {1, 2}
    assert {following.subscription_id for following, _ in made.read} == {1, 2}


def test_a_story_of_both_is_told_by_the_first_and_the_second_says_nothing() -> None:
    both = {1: [story(1, 1)], 2: [story(1, 2)]}
    assert [one.newsletter_id for one in decide_each(reader(), both, SLOT, many, frozenset()).planned] == [1]
    alerts = decide_each(reader("instant"), both, MONDAY, many, frozenset())
    assert [one.newsletter_id for one in alerts.planned] == [1]


def test_what_the_cap_of_the_first_left_out_may_stand_in_the_second() -> None:
    both = {1: [story(1, 1), story(2, 1)], 2: [story(1, 2), story(2, 2)]}
    made = decide_each(reader(), both, SLOT, lambda n: Policy(max_articles=n), frozenset())
    assert [len(one.picks) for one in made.planned] == [1, 1]
    assert len({pick.candidate.cluster_id for one in made.planned for pick in one.picks}) == 2


def test_a_slot_that_is_filled_for_one_newsletter_is_open_for_the_other() -> None:
    first, second = slots_of(reader(), SLOT)
    assert (first[0], second[0], first[1]) == (1, 2, second[1])
    made = decide_each(reader(), {1: [story(1, 1)], 2: [story(2, 2)]}, SLOT, many, frozenset({first}))
    assert [one.newsletter_id for one in made.planned] == [2]


def test_a_reader_of_nothing_has_no_newsletter() -> None:
    nobody = Reader(9, "UTC", (), ())
    assert newsletters(nobody) == []
    assert decide_each(nobody, {}, SLOT, many, frozenset()).planned == ()
