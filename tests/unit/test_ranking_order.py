"""Which stories come first, and which a cap leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.model.content import Candidate
from dispatcher.model.values import Order, Style
from dispatcher.schedule.ranking import Arranged, Merit, Pick, Policy, arrange

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RANKED = Policy(order=Order.RANKED, at=NOW)


def story(number: int, hours_old: float = 1, **changes: Any) -> Candidate:
    published_at = NOW - timedelta(hours=hours_old)
    return replace(Candidate(number, 1, number, 1, number, 5.0, published_at, published_at, False), **changes)


def picks(label: str, *some: Candidate, others: tuple[str, ...] = ()) -> list[Pick]:
    return [Pick(one, label, others) for one in some]


def numbers(arranged: Arranged) -> list[int]:
    return [pick.candidate.article_id for pick in arranged.shown]


@pytest.mark.parametrize(
    "better", [{"score": 6.0}, {"priority": 6}, {"tellers": 2}, {"published_at": NOW - timedelta(minutes=59)}]
)
def test_each_factor_counts(better: dict[str, Any]) -> None:
    two = picks("A", story(1), story(2, **better))
    assert numbers(arrange(two, ["A"], RANKED)) == [2, 1]


def test_the_factors_are_what_the_page_says() -> None:
    merit = Merit.of(story(1, 24, priority=10, tellers=3), NOW, DAY)
    assert (merit.relevance, merit.freshness, merit.source, merit.echo) == (0.5, 0.5, 2.0, 1.5)
    assert merit.score == 0.75
    assert Merit.of(story(1, -3), NOW, DAY).freshness == 1.0, "nothing is fresher than now"
    assert Merit.of(story(1, 24), NOW, 7 * DAY).freshness == 0.875, "a day is little in a week"


def test_what_is_equal_goes_by_date_and_then_by_id() -> None:
    equal = [story(3), story(1), story(2, published_at=NOW), story(4)]
    assert numbers(arrange(picks("A", *equal), ["A"], Policy(order=Order.RELEVANT, at=NOW))) == [2, 1, 3, 4]
    assert numbers(arrange(picks("A", *equal), ["A"], Policy(at=NOW))) == [2, 4, 3, 1]


@pytest.mark.parametrize("order", list(Order))
def test_a_busy_topic_leaves_each_other_topic_its_best_story(order: Order) -> None:
    busy = picks("Busy", *(story(n, 1, score=9.0) for n in range(10, 40)))
    quiet = picks("Quiet", story(1, 20, score=1.0), story(2, 21, score=0.5))
    arranged = arrange(quiet + busy, ["Quiet", "Busy"], Policy(5, order, NOW))
    assert numbers(arranged)[0] == 1
    assert [pick.label for pick in arranged.shown] == ["Quiet", *["Busy"] * 4]
    assert (arranged.more, len(arranged.over)) == (27, 27)


def test_a_topic_whose_stories_all_stand_under_another_one_is_not_forgotten() -> None:
    news = picks("All", *(story(n, 1) for n in range(10, 40)))
    climate = picks("All", story(1, 20), story(2, 21), others=("Climate",))
    arranged = arrange(news + climate, ["All", "Climate"], Policy(3))
    assert numbers(arranged) == [39, 38, 1]


def test_with_a_cap_below_the_number_of_topics_the_best_of_them_are_there() -> None:
    some = [pick for n in range(1, 5) for pick in picks(f"T{n}", story(n, n), story(n + 10, n + 0.5))]
    assert numbers(arrange(some, ["T4", "T3", "T2", "T1"], Policy(2))) == [2, 1]


def test_ranked_a_topic_that_has_shown_much_gives_way() -> None:
    some = picks("A", *(story(n, score=5.0) for n in range(1, 9))) + picks(
        "B", *(story(20 + n, score=4.0) for n in (1, 2, 3))
    )
    shown = arrange(some, ["A", "B"], replace(RANKED, max_articles=6)).shown
    assert [pick.label for pick in shown] == ["A", "A", "A", "B", "B", "B"]
    greedy = arrange(some, ["A", "B"], Policy(6, Order.RELEVANT, NOW)).shown
    assert [pick.label for pick in greedy] == ["A", "A", "A", "A", "A", "B"]


def test_a_topic_has_an_order_and_a_cap_of_its_own() -> None:
    some = picks("A", story(1, 3, score=9.0), story(2, 2), story(3, 1)) + picks(
        "B", story(4, 2), story(5, 1, score=9.0)
    )
    styles = {"A": Style(order=Order.RELEVANT, max_articles=2)}
    arranged = arrange(some, ["A", "B"], Policy(), styles)
    assert numbers(arranged) == [1, 3, 5, 4]
    assert [pick.candidate.article_id for pick in arranged.over_topic] == [2]
    assert arranged.more == 1
    tight = arrange(some, ["A", "B"], Policy(2), styles)
    assert numbers(tight) == [1, 5], "within a topic its own order counts, between them the digest's"
