"""Deliveries and the attempts at them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field

from dispatcher.model.outbound import Attempt, Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus
from dispatcher.web.api.fields import LARGEST, At, Count, Instant, Sent
from dispatcher.web.api.paging import Paging

LONGEST = 31 * 24  # hours: a month, the longest period


class DeliveryListing(Paging):
    """Which deliveries."""

    status: Annotated[DeliveryStatus | None, Field(description="That stand so.")] = None
    kind: Annotated[DeliveryKind | None, Field(description="Of this kind.")] = None
    subscriber: Annotated[int | None, Field(ge=1, le=LARGEST, description="To this subscriber.")] = None
    since: Annotated[Instant | None, Field(description="Made at or after this instant.")] = None


class Retry(Sent):
    """Another life for a delivery that did not arrive."""

    hours: Annotated[Count, Field(ge=1, le=LONGEST, description="How long it may take.")] = 12


class DeliveryShown(BaseModel):
    """One message to one endpoint."""

    id: int
    kind: str
    status: str
    channel: str
    subscriber_id: int | None
    digest_id: int | None
    recipient: str
    message_id: str
    slot_at: At
    due_at: At
    expires_at: At
    created_at: At
    finished_at: At | None
    attempts: int
    code: int
    reason: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """From the row."""
        return cls(**delivery.model_dump(include=set(cls.model_fields)))


class AttemptShown(BaseModel):
    """One try, and what the other side said."""

    at: At
    outcome: str
    code: int
    enhanced: str
    text: str
    relay: str
    blame: str

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """From the row."""
        return cls(**attempt.model_dump(include=set(cls.model_fields)))


class MomentShown(BaseModel):
    """One thing that happened to a delivery, or is to happen next."""

    at: At
    what: str
    detail: str


class DeliveryStory(DeliveryShown):
    """A delivery with every try at it, and all that is known of it as a story."""

    attempts_made: list[AttemptShown]
    story: list[MomentShown]
