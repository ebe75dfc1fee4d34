"""The watch counts seldom, and never too late: too many is seen before any of it is claimed."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.outbox.safety import Counts, Limits, Watch, most_unasked, too_much_back

DAY = date(2026, 3, 2)
STEPS = st.lists(st.tuples(st.sampled_from(["comes", "other", "leaves", "expires", "tomorrow"]), st.integers(0, 30)))


@given(STEPS, st.integers(0, 100))
def test_the_watch_is_never_calm_while_there_are_too_many(steps: list[tuple[str, int]], most: int) -> None:
    watch, day, newest, waiting, gone = Watch(), DAY, 0, 0, 0
    counted = looked = 0
    for what, number in steps:
        match what:
            case "comes":
                newest, waiting = newest + number, waiting + number
            case "other":  # an alert: it has a number, and is not bulk mail
                newest += number
            case "leaves":
                waiting, gone = waiting - min(number, waiting), gone + min(number, waiting)
            case "expires":
                waiting -= min(number, waiting)
            case "tomorrow":
                day, gone = date.fromordinal(day.toordinal() + 1), 0
        looked += 1
        if not watch.is_calm(day, newest, "settings"):
            counted += 1
            is_fine = watch.keep(day, newest, "settings", most - gone - waiting)
            assert is_fine == (gone + waiting <= most)
        else:
            assert gone + waiting <= most
    assert counted <= looked


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 100), st.integers(0, 10**6))
def test_the_more_is_usual_or_approved_the_more_may_go(usual: int, more: int, factor: float, over: int) -> None:
    few, many = (most_unasked(number, factor=factor, over=over) for number in sorted((usual, more)))
    assert (few is None) == (many is None) == (factor == 0)
    if few is not None and many is not None:
        assert over <= few <= many
        assert most_unasked(usual, factor=factor, over=over, approved=more) >= 2 * more  # type: ignore[operator]


COUNTS = st.builds(
    Counts, sent=st.integers(0, 5000), failed=st.integers(0, 5000), bounced=st.integers(0, 500),
    complained=st.integers(0, 500),
)  # fmt: skip


@given(COUNTS, COUNTS, st.floats(0, 1), st.floats(0, 1), st.integers(1, 1000))
def test_more_that_comes_back_never_makes_it_better(
    counts: Counts, known: Counts, bounced: float, complained: float, batch: int
) -> None:
    limits = Limits(bounced, complained, batch)
    worse = Counts(counts.sent, counts.failed, counts.bounced + 1, counts.complained + 1)
    if too_much_back(counts, limits):
        assert too_much_back(worse, limits)
    left = counts - known
    assert min(left.sent, left.failed, left.bounced, left.complained) >= 0
