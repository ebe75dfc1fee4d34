"""What counts as a complaint about our pace, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.model.values import Blame, Outcome, OutcomeKind
from dispatcher.outbox.slowdown import (
    CALM,
    DEAF,
    LEAST,
    LONGEST,
    SLOWEST,
    Slowdown,
    after_complaint,
    in_force,
    is_complaint,
)

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


def said(code: int, text: str, kind: OutcomeKind = OutcomeKind.DEFERRED) -> Outcome:
    first = text.split()[0] if text else ""
    return Outcome(kind, code, first if first.count(".") == 2 else "", text, Blame.NOBODY)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (421, "4.7.0 Too many connections from your host"),
        (421, "closing"),
        (450, "4.7.28 Our system has detected an unusual rate of mail originating from your address"),
        (451, "4.7.650 The mail server has been temporarily rate limited"),
        (451, "4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume or user complaints"),
        (451, "4.7.1 Please try again later"),
        (450, "4.7.1 Error: too much mail from 192.0.2.1"),
        (452, "Rate limit exceeded"),
        (451, "You are sending too fast, slow down"),
    ],
)
def test_what_asks_for_a_slower_pace_is_understood(code: int, text: str) -> None:
    assert is_complaint(said(code, text))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (451, "4.7.1 Greylisted, please try again later"),
        (450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery"),
        (452, "4.2.2 Mailbox full, try again later"),
        (452, "4.5.3 Too many recipients"),
        (452, "Too many recipients"),
        (451, "4.3.0 Local error, try again later"),
        (450, "4.1.8 Sender address rejected: domain not found"),
        (421, "4.3.2 Service shutting down"),
        (421, "4.4.2 mail.reader.example Error: timeout exceeded"),
        (0, "cannot connect"),
    ],
)
def test_what_is_about_something_else_is_not(code: int, text: str) -> None:
    assert not is_complaint(said(code, text))


def test_only_what_may_be_tried_again_asks_for_anything() -> None:
    assert not is_complaint(said(550, "5.7.1 too many messages", OutcomeKind.REJECTED))
    assert not is_complaint(said(421, "4.7.0 too many", OutcomeKind.UNCERTAIN))


def test_the_first_complaint_halves_what_was_measured() -> None:
    assert after_complaint(1.0, 0.0, None, NOW, 40.0) == Slowdown(0.5, 40.0)


def test_the_next_one_halves_again_from_the_same_pace() -> None:
    assert after_complaint(0.5, 40.0, NOW - DEAF, NOW, 20.0) == Slowdown(0.25, 40.0)


def test_the_echo_of_a_complaint_changes_nothing() -> None:
    assert after_complaint(0.5, 40.0, NOW - DEAF / 2, NOW, 20.0) is None


def test_it_never_comes_to_a_stop() -> None:
    part, at = 1.0, None
    for n in range(50):
        after = after_complaint(part, 40.0, at, NOW + n * DEAF, 0.0)
        assert after is not None
        part, at = after.part, NOW + n * DEAF
    assert part == LEAST
    assert after_complaint(1.0, 0.0, None, NOW, 0.0) == Slowdown(0.5, SLOWEST)


def test_quiet_minutes_bring_the_pace_back_in_equal_steps() -> None:
    steps = [in_force(0.5, NOW, NOW + n * CALM) for n in range(8)]
    assert steps == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0])
    assert in_force(LEAST, NOW, NOW + LONGEST) == 1.0
    assert in_force(0.5, NOW, NOW - timedelta(hours=1)) == 0.5, "clocks may disagree"


def test_a_complaint_after_it_was_over_begins_with_what_is_measured_now() -> None:
    assert after_complaint(0.5, 40.0, NOW - LONGEST, NOW, 80.0) == Slowdown(0.5, 80.0)


def test_what_is_allowed_is_a_part_of_the_pace() -> None:
    assert Slowdown(0.5, 40.0).rate.count == 1200
