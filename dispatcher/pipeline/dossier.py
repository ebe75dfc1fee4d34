"""The dossier: all that we know of a person, for that person, as plain JSON (GDPR 15 and 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Delivery
from dispatcher.pipeline.context import Context
from dispatcher.store import Transaction, articles, consents, events, outbox, subscribers, suppressions, topics

MOST = 5_000
"""Deliveries and events, the newest first: more than any retention keeps of what one person was sent."""

PROFILE = (
    "email", "name", "timezone", "locale", "cadence", "layout", "quiet_from", "quiet_until", "allowed_days", "status",
    "paused_by", "paused_until", "origin", "chosen", "consent", "soft_bounces", "created_at",
)  # fmt: skip


async def dossier(ctx: Context, tx: Transaction, reader: Subscriber, now: datetime) -> dict[str, Any]:
    """Profile, subscriptions, own topics, proofs of consent, deliveries, what came back, suppressions."""
    reader_id = reader.id or 0
    endpoints = await subscribers.addresses(tx, reader_id)
    hashes = sorted({endpoint.address_hash for endpoint in endpoints if endpoint.address_hash})
    suppressed = await suppressions.of(tx, hashes)
    own = await topics.owned(tx, reader_id)
    return {
        "made_at": now.isoformat(),
        "newsletter": ctx.newsletter.name,
        "profile": _part(reader, PROFILE),
        "endpoints": [_part(one, ("channel", "address", "is_active", "created_at")) for one in endpoints],
        "own_topics": [_part(one, ("name", "query_text", "language", "created_at")) for one in own],
        "subscriptions": await _subscriptions(ctx, tx, reader_id),
        "consents": await _consents(tx, hashes),
        "deliveries": await _deliveries(tx, reader_id),
        "events": [_part(one, ("type", "at", "raw")) for one in await events.of(tx, reader_id, limit=MOST)],
        "suppressions": [
            _part(one, ("address", "scope", "reason", "since")) for found in suppressed.values() for one in found
        ],
    }


async def _subscriptions(ctx: Context, tx: Transaction, reader_id: int) -> list[dict[str, Any]]:
    mine = (await subscribers.subscriptions(tx, [reader_id])).get(reader_id, ())
    known = await topics.by_ids(tx, [one.topic_id for one in mine])
    told = ("channel", "cadence", "status", "origin", "created_at", "ended_at")
    letters = {topic_id: ctx.letter(topic.newsletter_id).name for topic_id, topic in known.items()}
    return [
        {"topic": known[one.topic_id].name, "newsletter": letters[one.topic_id], **_part(one, told)} for one in mine
    ]


async def _consents(tx: Transaction, hashes: Sequence[str]) -> list[dict[str, Any]]:
    found = [proof for hashed in hashes for proof in await consents.of(tx, hashed)]
    words = await consents.wordings(tx, [proof.wording for proof in found])
    told = ("kind", "at", "address", "topics", "source", "ip", "user_agent")
    return [{**_part(proof, told), "wording": words.get(proof.wording, "")} for proof in found]


async def _deliveries(tx: Transaction, reader_id: int) -> list[dict[str, Any]]:
    sent = await outbox.listing(tx, subscriber_id=reader_id, limit=MOST)
    digests = await outbox.digests(tx, [one.digest_id for one in sent if one.digest_id is not None])
    items = {digest_id: [item[0] for item in digest.items] for digest_id, digest in digests.items()}
    known = await articles.by_ids(tx, [article_id for some in items.values() for article_id in some])
    titles = {
        digest_id: [known[article_id].title for article_id in some if article_id in known]
        for digest_id, some in items.items()
    }
    letters = {digest_id: digest.letter for digest_id, digest in digests.items()}
    return [_delivery(one, titles, letters) for one in sent]


def _delivery(one: Delivery, titles: Mapping[int, Sequence[str]], letters: Mapping[int, str]) -> dict[str, Any]:
    told = ("kind", "channel", "recipient", "status", "created_at", "dated_at", "finished_at", "message_id", "reason")
    digest_id = one.digest_id or 0
    return {**_part(one, told), "letter": letters.get(digest_id, ""), "stories": list(titles.get(digest_id, ()))}


def _part(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            return value
