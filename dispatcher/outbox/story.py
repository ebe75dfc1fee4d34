"""A delivery's story, in words: what was planned, each try, what came back, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from dispatcher.model.feedback import Event, Suppression
from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import Blame, DeliveryStatus, EventType, OutcomeKind
from dispatcher.outbox.transitions import TERMINAL

WHOSE = MappingProxyType(
    {
        Blame.ADDRESS: "the address is at fault, for good",
        Blame.ADDRESS_SOFT: "the mailbox is at fault, for now",
        Blame.MESSAGE: "the message or our reputation is at fault",
        Blame.RELAY: "the way there is at fault, not this message",
    }
)
CAME_BACK = MappingProxyType(
    {
        EventType.HARD_BOUNCE: "bounced for good",
        EventType.SOFT_BOUNCE: "bounced",
        EventType.COMPLAINT: "the reader complained",
        EventType.UNSUBSCRIBE: "the reader unsubscribed by it",
    }
)
STANDS = MappingProxyType(
    {
        DeliveryStatus.QUEUED: "waits to be sent",
        DeliveryStatus.DEFERRED: "waits for its next try",
        DeliveryStatus.SENDING: "is being sent",
        DeliveryStatus.HELD: "waits for a person",
    }
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, or, for what is still open, is to happen."""

    at: datetime
    what: str
    detail: str = ""


def timeline(
    delivery: Delivery, attempts: Sequence[Attempt], events: Sequence[Event], suppressions: Sequence[Suppression]
) -> list[Moment]:
    """The story from the plan to the last thing known, in order."""
    told = [
        Moment(delivery.created_at, "planned", _planned(delivery)),
        *([Moment(delivery.dated_at, "first taken", "its Date and Message-ID stand from here on")]
          if delivery.dated_at else []),
        *(Moment(attempt.at, f"try {number}: {attempt.outcome}", _tried(attempt))
          for number, attempt in enumerate(attempts, 1)),
        *_came_back(attempts, events),
        *(Moment(one.since, "address suppressed", f"{one.reason}, {_reach(one)}") for one in suppressions),
    ]  # fmt: skip
    if delivery.finished_at:
        told.append(Moment(delivery.finished_at, delivery.status.value, delivery.reason))
    told.sort(key=lambda moment: moment.at)
    return told if delivery.status in TERMINAL else [*told, _open(delivery)]


def _planned(delivery: Delivery) -> str:
    digest = f", digest {delivery.digest_id}" if delivery.digest_id else ""
    return f"{delivery.kind}{digest}, for {_minute(delivery.slot_at)}; of use until {_minute(delivery.expires_at)}"


def _tried(attempt: Attempt) -> str:
    enhanced = "" if attempt.text.startswith(attempt.enhanced) else attempt.enhanced
    answer = " ".join(part for part in (str(attempt.code or ""), enhanced, attempt.text) if part)
    if attempt.outcome is OutcomeKind.ACCEPTED:
        whose = ""
    else:
        whose = WHOSE.get(Blame(attempt.blame), "") if attempt.blame else ""
    by = f"over {attempt.relay}" if attempt.relay else ""
    return "; ".join(part for part in (by, answer, whose) if part)


def _came_back(attempts: Sequence[Attempt], events: Sequence[Event]) -> Iterator[Moment]:
    """What came back later; a bounce in the very conversation is told as a try already."""
    tried = {attempt.at for attempt in attempts}
    for event in events:
        if event.at not in tried:
            words = [str(event.raw.get(name) or "") for name in ("code", "enhanced", "text")]
            yield Moment(event.at, CAME_BACK[event.type], " ".join(word for word in words if word))


def _reach(suppression: Suppression) -> str:
    return "for all mail" if suppression.scope == "address" else "for this newsletter"


def _open(delivery: Delivery) -> Moment:
    """How it stands: what comes next, and when."""
    if delivery.status is DeliveryStatus.SENDING:
        return Moment(delivery.lease_until or delivery.due_at, STANDS[delivery.status], "its claim is good until then")
    if delivery.status is DeliveryStatus.HELD:
        return Moment(delivery.expires_at, STANDS[delivery.status], delivery.reason or "it expires then")
    return Moment(delivery.due_at, STANDS[delivery.status], delivery.reason)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
