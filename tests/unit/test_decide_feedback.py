"""What an event means for the person it is about."""

from __future__ import annotations

import pytest

from dispatcher.feedback.decide import STRIKES, Action, decide
from dispatcher.model.values import EventType


def test_every_event_has_its_action() -> None:
    assert {kind: decide(kind, soft_bounces=1) for kind in EventType} == {
        EventType.HARD_BOUNCE: Action.SUPPRESS_BOUNCE,
        EventType.SOFT_BOUNCE: Action.STRIKE,
        EventType.COMPLAINT: Action.SUPPRESS_COMPLAINT,
        EventType.UNSUBSCRIBE: Action.UNSUBSCRIBE,
    }


@pytest.mark.parametrize(
    ("in_a_row", "action"),
    [(1, Action.STRIKE), (STRIKES - 1, Action.STRIKE), (STRIKES, Action.SUPPRESS_BOUNCE), (99, Action.SUPPRESS_BOUNCE)],
)
def test_soft_bounces_in_a_row_add_up(in_a_row: int, action: Action) -> None:
    assert decide(EventType.SOFT_BOUNCE, soft_bounces=in_a_row) is action


def test_other_events_do_not_wait_for_more_of_their_kind() -> None:
    assert decide(EventType.COMPLAINT, soft_bounces=0) is decide(EventType.COMPLAINT, soft_bounces=STRIKES)
