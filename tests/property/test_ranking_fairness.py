"""Ranking, whatever the stories: the same however loaded, no topic forgotten, no story worse off for a merit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.content import Candidate
from dispatcher.model.values import Order, Style
from dispatcher.schedule.ranking import Merit, Pick, Policy, arrange

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
LABELS = ("Wind", "Council", "Football", "All")
ORDERS = st.sampled_from(list(Order))
CAPS = st.integers(1, 30)


@st.composite
def stories(draw: st.DrawFn, *, alone: bool = False) -> list[Pick]:
    """Up to thirty stories, many of them equal in much; `alone`: each of one topic only."""
    found = []
    for number in range(1, draw(st.integers(1, 30)) + 1):
        published_at = NOW - timedelta(hours=draw(st.integers(-1, 60)))
        candidate = Candidate(
            number, 1, number, 1, number, draw(st.sampled_from((0.5, 1.0, 4.0, 4.0, 9.5))), published_at, published_at,
            False, draw(st.integers(1, 10)), draw(st.integers(1, 3)),
        )  # fmt: skip
        label = draw(st.sampled_from(LABELS))
        others = () if alone else tuple(draw(st.sets(st.sampled_from([other for other in LABELS if other != label]))))
        found.append(Pick(candidate, label, tuple(sorted(others))))
    return found


STYLES = st.dictionaries(
    st.sampled_from(LABELS),
    st.builds(Style, order=st.none() | ORDERS.map(str), max_articles=st.none() | st.integers(1, 6)),
)


def numbers(picks: Sequence[Pick]) -> list[int]:
    return [pick.candidate.article_id for pick in picks]


@given(stories(), ORDERS, CAPS, STYLES, st.randoms())
def test_the_same_stories_give_the_same_digest_in_whatever_order_they_were_loaded(
    some: list[Pick], order: Order, cap: int, styles: dict[str, Style], chance: object
) -> None:
    policy = Policy(cap, order, NOW)
    one = arrange(some, LABELS, policy, styles)
    chance.shuffle(some)  # type: ignore[attr-defined]
    assert arrange(some, LABELS, policy, styles) == one


@given(stories(), ORDERS, CAPS, STYLES)
def test_caps_are_kept_nothing_is_lost_and_topics_stand_in_the_readers_order(
    some: list[Pick], order: Order, cap: int, styles: dict[str, Style]
) -> None:
    made = arrange(some, LABELS, Policy(cap, order, NOW), styles)
    assert sorted(numbers((*made.shown, *made.over_topic, *made.over))) == sorted(numbers(some))
    assert len(made.shown) == min(cap, len(some) - len(made.over_topic))
    assert made.more == len(some) - len(made.shown)
    standing = [LABELS.index(pick.label) for pick in made.shown]
    assert standing == sorted(standing)
    for label, count in Counter(pick.label for pick in made.shown).items():
        assert count <= (styles.get(label, Style()).max_articles or count)


@given(stories(), ORDERS)
def test_no_topic_that_has_a_story_is_without_one_as_far_as_the_cap_goes(some: list[Pick], order: Order) -> None:
    made = arrange(some, LABELS, Policy(len(LABELS), order, NOW))
    there = {label for pick in some for label in (pick.label, *pick.others)}
    assert {label for pick in made.shown for label in (pick.label, *pick.others)} == there


@given(stories(alone=True), ORDERS, CAPS, st.data())
def test_what_speaks_for_a_story_never_costs_it_its_place(
    some: list[Pick], order: Order, cap: int, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(some) - 1))
    before = some[which].candidate
    better = replace(
        before, score=before.score + data.draw(st.integers(0, 5)),
        tellers=before.tellers + data.draw(st.integers(0, 2)),
        priority=min(10, before.priority + data.draw(st.integers(0, 5))),
        published_at=before.published_at + timedelta(hours=data.draw(st.integers(0, 60))),
    )  # fmt: skip
    assert Merit.of(better, NOW, timedelta(days=1)).score >= Merit.of(before, NOW, timedelta(days=1)).score
    if order == Order.RELEVANT and better.score == before.score:  # a tie goes to the later one
        better = replace(better, published_at=before.published_at)
    policy = Policy(cap, order, NOW)
    was = numbers(arrange(some, LABELS, policy).shown)
    raised = [replace(pick, candidate=better) if pick.candidate is before else pick for pick in some]
    if before.article_id in was:
        assert before.article_id in numbers(arrange(raised, LABELS, policy).shown)
