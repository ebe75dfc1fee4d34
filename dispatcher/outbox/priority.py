"""What leaves first, and how long it is worth sending."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from dispatcher.model.values import DeliveryKind, Priority

PRIORITIES = MappingProxyType(
    {
        DeliveryKind.BREAKING: Priority.BREAKING,
        DeliveryKind.ALERT: Priority.INSTANT,
        DeliveryKind.CONFIRMATION: Priority.CONFIRMATION,
        DeliveryKind.OWNER: Priority.CONFIRMATION,  # a warning must not queue behind what it warns about
        DeliveryKind.WELCOME: Priority.CONFIRMATION,
        DeliveryKind.DIGEST: Priority.DIGEST,
        DeliveryKind.EDITION: Priority.DIGEST,
        DeliveryKind.WEBHOOK: Priority.WEBHOOK,
    }
)

LIFETIMES = MappingProxyType(
    {
        DeliveryKind.BREAKING: timedelta(hours=4),
        DeliveryKind.ALERT: timedelta(hours=12),
        DeliveryKind.CONFIRMATION: timedelta(hours=24),  # past it, the reader has long asked again
        DeliveryKind.WELCOME: timedelta(hours=24),
        DeliveryKind.OWNER: timedelta(days=2),
        DeliveryKind.EDITION: timedelta(days=4),
        DeliveryKind.WEBHOOK: timedelta(hours=24),
    }
)
"""How long each kind is worth sending. A digest is not here: its cadence says."""


def priority_of(kind: DeliveryKind) -> Priority:
    """The place in the outbox; the lower number leaves first."""
    return PRIORITIES[kind]


def lifetime_of(kind: DeliveryKind) -> timedelta:
    """How long after its slot a delivery expires. ValueError for a digest, whose cadence decides."""
    if kind is DeliveryKind.DIGEST:
        raise ValueError("a digest lives as long as its cadence says")
    return LIFETIMES[kind]
