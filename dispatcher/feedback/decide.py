"""What an event means for the person it is about. Pure."""

from __future__ import annotations

from enum import StrEnum

from dispatcher.model.values import EventType

STRIKES = 5  # soft bounces in a row (a full or unreachable mailbox) after which an address counts as dead


class Action(StrEnum):
    """What the settle step does."""

    STRIKE = "strike"
    SUPPRESS_BOUNCE = "suppress-bounce"
    SUPPRESS_COMPLAINT = "suppress-complaint"
    UNSUBSCRIBE = "unsubscribe"


def decide(event: EventType, *, soft_bounces: int) -> Action:
    """The action for an event; `soft_bounces` counts those in a row, this one included."""
    if event is EventType.SOFT_BOUNCE:
        return Action.SUPPRESS_BOUNCE if soft_bounces >= STRIKES else Action.STRIKE
    return {
        EventType.HARD_BOUNCE: Action.SUPPRESS_BOUNCE,
        EventType.COMPLAINT: Action.SUPPRESS_COMPLAINT,
        EventType.UNSUBSCRIBE: Action.UNSUBSCRIBE,
    }[event]
