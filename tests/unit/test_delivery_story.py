"""A delivery's story in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import (
    Blame,
    DeliveryKind,
    DeliveryStatus,
    EventType,
    OutcomeKind,
    SuppressionReason,
    SuppressionScope,
)
from dispatcher.outbox.story import WHOSE, Moment, timeline

SLOT = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return SLOT + timedelta(minutes=minutes)


def delivery(status: DeliveryStatus, **changes: Any) -> Delivery:
    values = {
        "id": 7, "key": "k", "kind": DeliveryKind.DIGEST, "priority": 30, "status": status, "newsletter_id": 1,
        "digest_id": 3, "slot_at": SLOT, "due_at": SLOT, "expires_at": at(1200), "created_at": at(-1), "dated_at": SLOT,
    }  # fmt: skip
    return Delivery(**values | changes)


def attempt(minutes: float, outcome: OutcomeKind, **changes: Any) -> Attempt:
    return Attempt(delivery_id=7, at=at(minutes), outcome=outcome, **changes)


def test_a_story_goes_from_the_plan_over_every_try_to_what_came_back_later() -> None:
    tries = [
        attempt(1, OutcomeKind.DEFERRED, relay="mx1:25", code=451, enhanced="4.7.1", text="4.7.1 slow down",
                blame=Blame.MESSAGE),
        attempt(9, OutcomeKind.ACCEPTED, relay="mx2:25", code=250, text="queued as 12"),
    ]  # fmt: skip
    events = [Event(type=EventType.HARD_BOUNCE, delivery_id=7, at=at(40), raw={"code": 550, "text": "no such user"})]
    barred = [
        Suppression(address_hash="h", scope=SuppressionScope.ADDRESS, reason=SuppressionReason.BOUNCED, since=at(40))
    ]
    told = timeline(delivery(DeliveryStatus.SENT, finished_at=at(9)), tries, events, barred)
    assert told == [
        Moment(at(-1), "planned", "digest, digest 3, for 2026-03-02 07:30Z; of use until 2026-03-03 03:30Z"),
        Moment(SLOT, "first taken", "its Date and Message-ID stand from here on"),
        Moment(at(1), "try 1: deferred", "over mx1:25; 451 4.7.1 slow down; the message or our reputation is at fault"),
        Moment(at(9), "try 2: accepted", "over mx2:25; 250 queued as 12"),
        Moment(at(9), "sent", ""),
        Moment(at(40), "bounced for good", "550 no such user"),
        Moment(at(40), "address suppressed", "bounced, for all mail"),
    ]


def test_a_refusal_in_the_conversation_is_told_once() -> None:
    tries = [attempt(1, OutcomeKind.REJECTED, code=550, enhanced="5.1.1", text="no such user", blame=Blame.ADDRESS)]
    events = [Event(type=EventType.HARD_BOUNCE, delivery_id=7, at=at(1), raw={"code": 550, "text": "no such user"})]
    failed = delivery(DeliveryStatus.FAILED, finished_at=at(1), reason="550 5.1.1 no such user")
    told = timeline(failed, tries, events, [])
    assert [one.what for one in told] == ["planned", "first taken", "try 1: rejected", "failed"]
    assert told[2].detail == "550 5.1.1 no such user; the address is at fault, for good"


def test_what_is_still_open_ends_with_what_comes_next() -> None:
    assert timeline(delivery(DeliveryStatus.QUEUED, dated_at=None), [], [], [])[-1] == Moment(SLOT, "waits to be sent")
    waiting = delivery(DeliveryStatus.DEFERRED, due_at=at(9), reason="451 later")
    assert timeline(waiting, [], [], [])[-1] == Moment(at(9), "waits for its next try", "451 later")
    sending = delivery(DeliveryStatus.SENDING, lease_until=at(2))
    assert timeline(sending, [], [], [])[-1].at == at(2)
    assert timeline(delivery(DeliveryStatus.HELD), [], [], [])[-1].what == "waits for a person"


def test_everybody_who_can_be_at_fault_has_words() -> None:
    assert set(WHOSE) == set(Blame) - {Blame.NOBODY}
