"""Hooks: telling other programs what happened here.

    something happens ──▶ announce, in the transaction that does it ──▶ one delivery for each webhook that asked
                                                                          ──▶ the second lane of `send` ──▶ signed POST

What is kept is the event, and the webhook's name: its URL and its secret are looked up in the settings when it is sent,
so that a new one holds at once and none lies in the database.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.config.settings import WebhookSettings
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import Channel, DeliveryKind, DeliveryStatus
from dispatcher.outbox.priority import lifetime_of, priority_of
from dispatcher.pipeline.context import Context
from dispatcher.store import Transaction, planning

KIND = DeliveryKind.WEBHOOK


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that programs may want to know. `key` says which one it is, so that it is told once."""

    event: str
    key: str
    reader: Subscriber | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


async def announce(
    ctx: Context, tx: Transaction, event: str, now: datetime, *, key: str, reader: Subscriber | None = None, **data: Any
) -> int:
    """Tell every webhook that wants this event; returns how many were not told of it before.

    `key` says which happening it is, such as `consent:12`: one event and key is told once. `reader` is described as
    they are now; `data` is what else there is to say, and must be plain JSON.
    """
    return await announce_all(ctx, tx, [Happening(event, key, reader, data)], now)


async def announce_all(ctx: Context, tx: Transaction, happenings: Sequence[Happening], now: datetime) -> int:
    """`announce` for many at once."""
    rows = [
        _delivery(ctx, webhook.name, happening, now)
        for webhook in ctx.settings.webhooks
        for happening in happenings
        if _asks_for(webhook, happening.event)
    ]
    return await planning.save_deliveries(tx, rows) if rows else 0


def is_wanted(ctx: Context, *events: str) -> bool:
    """Whether some webhook asked for one of these events: what is dear to find out need not be found out for nobody."""
    return any(_asks_for(webhook, event) for webhook in ctx.settings.webhooks for event in events)


def event_id(site_key: bytes, event: str, key: str) -> str:
    """The id of an event: the same however often, and to however many, it is told. It has no full stop in it."""
    return "evt_" + hmac.new(site_key, f"event:{event}:{key}".encode(), hashlib.sha256).hexdigest()[:32]


def wrapped(event: str, number: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a program is told: the envelope of Standard Webhooks 1.0, with the event's id in it."""
    return {"type": event, "id": number, "timestamp": in_utc(at), "data": dict(data)}


def in_utc(at: datetime) -> str:
    """An instant as events carry it (RFC 3339)."""
    return at.isoformat().replace("+00:00", "Z")


def _asks_for(webhook: WebhookSettings, event: str) -> bool:
    """A webhook that names no events asks for all."""
    return not webhook.events or event in webhook.events


def _delivery(ctx: Context, name: str, happening: Happening, now: datetime) -> dict[str, Any]:
    event = _event(ctx, happening, now)
    return {
        "key": f"webhook:{name}:{happening.event}:{happening.key}",
        "kind": KIND,
        "priority": priority_of(KIND),
        "status": DeliveryStatus.QUEUED,
        "newsletter_id": ctx.newsletter.id,
        "subscriber_id": None,  # an event about somebody who has left must not stop because they have left
        "endpoint_id": None,
        "digest_id": None,
        "channel": Channel.WEBHOOK,
        "recipient": name,
        "address_hash": "",
        "personal": event,
        "slot_at": now,
        "due_at": now,
        "expires_at": now + lifetime_of(KIND),
        "created_at": now,
        "message_id": event["id"],
        "attempts": 0,
        "code": 0,
        "reason": "",
    }


def _event(ctx: Context, happening: Happening, now: datetime) -> dict[str, Any]:
    number = event_id(ctx.site_key, happening.event, happening.key)
    about = {"subscriber": _described(happening.reader)} if happening.reader else {}
    return wrapped(happening.event, number, now, {"newsletter": ctx.newsletter.slug, **about, **happening.data})


def _described(reader: Subscriber) -> dict[str, Any]:
    return {
        "id": reader.id,
        "email": reader.email,
        "name": reader.name,
        "locale": reader.locale,
        "timezone": reader.timezone,
        "status": reader.status.value,
    }
