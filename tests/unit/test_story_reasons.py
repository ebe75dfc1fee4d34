"""Why a story is in a digest or not, one reason at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from test_select_decide import DAILY, EMAIL, INSTANT, WEEKLY, at, following, match

from dispatcher.model.content import Candidate
from dispatcher.model.values import Style
from dispatcher.schedule.ranking import Policy
from dispatcher.schedule.reasons import Fate, Reason, explain
from dispatcher.schedule.select import Due, Following, Reader, decide

NOW = at(7, 31)


def reasons(
    followings: Sequence[Following], matches: Sequence[Candidate], policy: Policy | None = None, now: datetime = NOW,
    had: frozenset[int] = frozenset(),
) -> dict[int, Reason]:  # fmt: skip
    """By article, what is told of a reader whose daily digests are due."""
    dues = [Due(1, EMAIL, one.cadence, now) for one in followings[:1] if not one.cadence.is_instant]
    reader = Reader(1, "UTC", followings, dues, had={EMAIL: had})
    by_query: dict[int, list[Candidate]] = {}
    for found in sorted(matches, key=lambda m: m.release):
        by_query.setdefault(found.query_id, []).append(found)
    planned = decide(reader, by_query, now, policy or Policy(), frozenset()).planned
    return {reason.candidate.article_id: reason for reason in explain(reader, planned, by_query, now)}


def fates(*arguments: object, **named: object) -> dict[int, Fate]:
    return {number: reason.fate for number, reason in reasons(*arguments, **named).items()}  # type: ignore[arg-type]


def test_what_is_in_the_digest_has_its_place_and_what_a_cap_left_out_says_which() -> None:
    matches = [match(n, at(6, n)) for n in range(1, 5)] + [match(9, at(5), 2)]
    own = replace(following(1), style=Style(max_articles=3))
    found = reasons([own, following(2)], matches, Policy(3))
    assert {n: (r.fate, r.place) for n, r in found.items()} == {
        4: (Fate.CHOSEN, 1), 3: (Fate.CHOSEN, 2), 9: (Fate.CHOSEN, 3), 2: (Fate.OVER, None), 1: (Fate.OVER_TOPIC, None),
    }  # fmt: skip


def test_what_was_read_or_had_is_told_apart() -> None:
    matches = [match(4, at(5, day=-1)), match(5, at(6, day=-1)), match(6, at(6))]
    assert fates([following(release=5)], matches, had=frozenset({4})) == {
        6: Fate.CHOSEN, 5: Fate.PASSED, 4: Fate.HAD,
    }  # fmt: skip


def test_what_is_too_old_or_of_a_first_poll_is_told() -> None:
    matches = [match(1, at(6, day=-4)), match(2, at(6), published_at=at(0, day=-9), is_backlog=True)]
    assert fates([following()], matches) == {1: Fate.OLD, 2: Fate.BACKLOG}


def test_another_article_of_a_story_that_is_there_is_told() -> None:
    assert fates([following()], [match(1, at(5)), match(2, at(6), cluster_id=1)]) == {1: Fate.CHOSEN, 2: Fate.TWIN}


def test_a_topic_that_is_not_due_is_told() -> None:
    followings = [following(1, DAILY), following(2, WEEKLY), following(3, INSTANT)]
    matches = [match(1, at(6)), match(2, at(6), 2), match(3, at(7, 30), 3)]
    assert fates(followings, matches) == {1: Fate.CHOSEN, 2: Fate.LATER, 3: Fate.CHOSEN}


def test_merit_is_told_whatever_the_order_is() -> None:
    found = reasons([following()], [match(1, at(6), score=5.0, priority=10, tellers=3)])
    assert (found[1].merit.relevance, found[1].merit.source, found[1].merit.echo) == (0.5, 2.0, 1.5)
