"""Letters: mails to one person in which no article stands, such as the one that asks for a confirmation.

A letter is a digest without stories: its templates are rendered once for each language, what is the reader's own stands
in `{% personal %}`, and it leaves through the outbox like everything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from dispatcher.digest.headers import message_id
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import Channel, DeliveryKind, DeliveryStatus, LetterName
from dispatcher.outbox.priority import lifetime_of, priority_of
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import Action
from dispatcher.store import Transaction, planning
from dispatcher.store.keys import address_hash

NOTHING: Mapping[str, Any] = MappingProxyType({})


async def post(
    ctx: Context, tx: Transaction, letter: LetterName, *, to: str, key: str, now: datetime, locale: str = "",
    timezone: str = "", name: str = "", topics: Sequence[str] = (), action: Action | None = None,
    reader: Subscriber | None = None, kind: DeliveryKind = DeliveryKind.CONFIRMATION, notice: str = "",
    newsletter: Newsletter | None = None, endpoint_id: int | None = None, known: Mapping[str, Any] = NOTHING,
) -> bool:  # fmt: skip
    """Put a letter into the outbox; False if one with this `key` is there already.

    `key` says which letter it is, such as `confirm:12`. `topics` and the link of `action` are what its templates may
    show. Locale, zone and name are the `reader`'s where none are given. `notice` is what the owner's letter says.
    It comes from `newsletter`, or from the default one. `endpoint_id` is needed by those that hold a reader's links;
    `known` is what else is kept with the delivery for its personal blocks.
    """
    sender = newsletter or ctx.newsletter
    locale = locale or (reader.locale if reader else "") or ctx.settings.site.language
    timezone = timezone or (reader.timezone if reader else "") or ctx.settings.site.timezone
    digest = _digest(ctx, letter, sender, locale, timezone, now) | {"kind": kind, "notice": notice}
    if notice:
        digest["key"] = hashlib.sha256(f"{digest['key']}:{notice}".encode()).hexdigest()
    ids, _ = await planning.save_digests(tx, {digest["key"]: digest})
    delivery = _delivery(ctx, kind, sender, to, key_of(ctx, key), now) | {
        "digest_id": ids[digest["key"]],
        "subscriber_id": reader.id if reader else None,
        "endpoint_id": endpoint_id,
        "personal": {
            "name": name or (reader.name if reader else ""),
            "email": to,
            "topics": list(topics),
            **({"action": action.stored()} if action else {}),
            **known,
        },
    }
    return bool(await planning.save_deliveries(tx, [delivery]))


def key_of(ctx: Context, key: str) -> str:
    """The idempotency key of the delivery that carries a letter."""
    return f"letter:{ctx.newsletter.id}:{key}"


def _digest(
    ctx: Context, letter: LetterName, sender: Newsletter, locale: str, timezone: str, now: datetime
) -> dict[str, Any]:
    """The row that everybody's letter of this name and language shares."""
    shown = [letter, sender.model_dump_json(), locale, timezone, ctx.templates.version, ctx.door.url]
    return {
        "key": hashlib.sha256(json.dumps([*shown, ctx.door.key_id, ctx.door.signed_by]).encode()).hexdigest(),
        "newsletter_id": sender.id,
        "kind": DeliveryKind.CONFIRMATION,
        "locale": locale,
        "timezone": timezone,
        "cadence": "",
        "slot_at": now,
        "items": [],
        "more": 0,
        "layout": "",
        "letter": letter,
        "created_at": now,
    }


def _delivery(ctx: Context, kind: DeliveryKind, sender: Newsletter, to: str, key: str, now: datetime) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "priority": priority_of(kind),
        "status": DeliveryStatus.QUEUED,
        "newsletter_id": sender.id,
        "endpoint_id": None,
        "channel": Channel.EMAIL,
        "recipient": to,
        "address_hash": address_hash(ctx.address_key, to),
        "slot_at": now,
        "due_at": now,
        "expires_at": now + lifetime_of(kind),
        "created_at": now,
        "message_id": message_id(key, ctx.site_key, ctx.addresses(sender.id).domain),
        "attempts": 0,
        "code": 0,
        "reason": "",
    }
