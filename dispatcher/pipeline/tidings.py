"""Tidings of mail: sent, failed, bounced, told to the webhooks that asked, in the transaction that makes it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dispatcher.model.outbound import Claimed, Delivery
from dispatcher.model.values import Channel, DeliveryStatus
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.hooks import Happening, announce_all, in_utc, is_wanted
from dispatcher.pipeline.ledger import Entry
from dispatcher.store import Transaction, outbox, subscribers

OF_MAIL = ("sent", "failed", "bounced")
"""The events that outcomes lead to."""

Mail = Delivery | Claimed
GIVEN_UP = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED)


async def tell_outcomes(ctx: Context, tx: Transaction, entries: Sequence[Entry]) -> None:
    """Announce what attempts led to. When no webhook asked, it costs nothing."""
    if entries and is_wanted(ctx, *OF_MAIL):
        found = [(entry.delivery, happening) for entry in entries if entry.delivery for happening in _of(entry)]
        await _announce(ctx, tx, found, entries[-1].at)


async def tell_expired(ctx: Context, tx: Transaction, ids: Sequence[int], now: datetime) -> None:
    """Announce as failed the mails that became too old to be of use."""
    if ids and is_wanted(ctx, "failed"):
        found = [(one, _failed(one, now, "too late to be of use")) for one in await outbox.by_ids(tx, ids)]
        await _announce(ctx, tx, found, now)


def _of(entry: Entry) -> list[Happening]:
    delivery, verdict = entry.delivery, entry.verdict
    assert delivery is not None
    found = []
    if verdict.status == DeliveryStatus.SENT:
        found.append(Happening("sent", str(delivery.id), data=_about(delivery)))
    if verdict.status in GIVEN_UP:
        found.append(_failed(delivery, entry.at, verdict.reason, verdict.code))
    if entry.strike is not None and entry.strike.is_final:
        bounce = {"code": verdict.code, "enhanced": verdict.enhanced, "text": verdict.text}
        found.append(Happening("bounced", str(delivery.id), data={**_about(delivery), "bounce": bounce}))
    return found


def _failed(delivery: Mail, now: datetime, reason: str, code: int = 0) -> Happening:
    """A person may have it sent again, and it may fail again: that is another happening."""
    data = {**_about(delivery), "reason": reason, "code": code}
    return Happening("failed", f"{delivery.id}:{int(now.timestamp())}", data=data)


def _about(delivery: Mail) -> dict[str, Any]:
    return {
        "delivery": {
            "id": delivery.id,
            "kind": delivery.kind.value,
            "recipient": delivery.recipient,
            "message_id": delivery.message_id,
            "slot_at": in_utc(delivery.slot_at),
        }
    }


async def _announce(ctx: Context, tx: Transaction, found: Sequence[tuple[Mail, Happening]], now: datetime) -> None:
    """Announce what happened to mail, each with its reader; that a webhook was told is not told to webhooks."""
    of_mail = [(delivery, one) for delivery, one in found if delivery.channel != Channel.WEBHOOK]
    wanted = [(delivery, one) for delivery, one in of_mail if is_wanted(ctx, one.event)]
    if wanted:
        readers = await subscribers.by_ids(tx, [delivery.subscriber_id or 0 for delivery, _ in wanted])
        happenings = [
            replace(
                one,
                reader=readers.get(delivery.subscriber_id or 0),
                data={"newsletter": ctx.letter(delivery.newsletter_id).slug, **one.data},
            )
            for delivery, one in wanted
        ]
        await announce_all(ctx, tx, happenings, now)
