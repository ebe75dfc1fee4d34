"""What comes back: events, and the suppressions they lead to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, words
from dispatcher.model.values import EventType, SuppressionReason, SuppressionScope


class Event(SQLModel, table=True):
    """Something that happened to a message or an address after we let it go; applied once by the settle step."""

    id: int | None = Field(default=None, primary_key=True)
    type: EventType = words(EventType)
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", nullable=True)
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", nullable=True)
    raw: dict[str, Any] = json(dict)
    at: datetime = instant(index=True)
    applied_at: datetime | None = instant(nullable=True, index=True)


class Suppression(SQLModel, table=True):
    """An address that must not be written to. `address_hash` is keyed and survives erasure, `address` does not.

    Scope *address* stops every mail; scope *newsletter* only that publication's, and never a confirmation.
    """

    __table_args__ = (sa.UniqueConstraint("address_hash", "scope", "newsletter_id"),)

    id: int | None = Field(default=None, primary_key=True)
    address_hash: str
    address: str = ""
    scope: SuppressionScope = words(SuppressionScope)
    newsletter_id: int = Field(default=0, description="0 for scope address")
    reason: SuppressionReason = words(SuppressionReason)
    since: datetime = instant()
