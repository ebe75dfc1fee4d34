"""An outbox full of digests: 200 articles, each reader with another selection of 20 of them, under three topics."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from dispatcher.digest import compose
from dispatcher.digest.headers import message_id
from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.content import Article, Cluster, Sighting, Source
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import Channel, DeliveryKind, DeliveryStatus, Layout, Origin, Priority
from dispatcher.pipeline.context import Context
from dispatcher.store.engine import add, add_all

ARTICLES, STORIES = 200, 20
TOPICS = ("Energy and the grid", "Town hall", "Sport at the weekend")
PORTION = 5_000  # rows in one transaction
SYLLABLES = ("ba", "do", "ki", "lu", "mer", "san", "tor", "vel", "wan", "zem", "pli", "gra")


async def furnish(ctx: Context, count: int, now: datetime, *, shared: bool = False, seed: int = 7) -> None:
    """Queue so many digests, due now. `shared`: all readers get the same one."""
    rng = random.Random(seed)
    articles = await _articles(ctx, rng, now)
    for start in range(0, count, PORTION):
        numbers = range(start, min(count, start + PORTION))
        await _deliveries(ctx, rng, articles, numbers, now, shared=shared)


async def _articles(ctx: Context, rng: random.Random, now: datetime) -> list[int]:
    async with ctx.store.write() as tx:
        source = Source(name="The Bench Gazette", url="https://gazette.example/feed", origin=Origin.CLI,
                        next_poll_at=now + timedelta(days=9), created_at=now)  # fmt: skip
        source_id = await add(tx, source)
        clusters = await add_all(tx, Cluster, [{"created_at": now}] * ARTICLES)
        ids = await add_all(tx, Article, [_article(rng, n, source_id, c, now) for n, c in enumerate(clusters)])
        sightings = [
            {"article_id": i, "source_id": source_id, "guid": str(i), "content_hash": str(i), "seen_at": now}
            for i in ids
        ]
        await add_all(tx, Sighting, sightings)
    return ids


def _article(rng: random.Random, number: int, source_id: int, cluster_id: int, now: datetime) -> dict[str, Any]:
    about: dict[str, Any] = {
        "source_id": source_id,
        "cluster_id": cluster_id,
        "url": f"https://gazette.example/2026/03/02/{number}-{_words(rng, 4).replace(' ', '-')}.html",
        "title": _words(rng, 7).capitalize(),
        "summary": f"{_words(rng, 20).capitalize()} – “{_words(rng, 5)}”.",
        "image_url": f"https://gazette.example/pictures/{number}.jpg",
        "published_at": now - timedelta(minutes=number),
        "seen_at": now - timedelta(minutes=number),
        "content_hash": str(number),
    }
    return Article(**about).model_dump(exclude={"id"})


def _words(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(count))


async def _deliveries(
    ctx: Context, rng: random.Random, articles: list[int], numbers: range, now: datetime, *, shared: bool
) -> None:
    async with ctx.store.write() as tx:
        readers = await add_all(tx, Subscriber, [_reader(n, now) for n in numbers])
        endpoints = await add_all(tx, Endpoint, [_endpoint(i, n, now) for i, n in zip(readers, numbers, strict=True)])
        if shared:
            digests = await add_all(tx, Digest, [_digest(ctx, rng, articles, now)]) * len(numbers)
        else:
            digests = await add_all(tx, Digest, [_digest(ctx, rng, articles, now) for _ in numbers])
        parties = zip(numbers, readers, endpoints, digests, strict=True)
        await add_all(tx, Delivery, [_delivery(ctx, *party, now) for party in parties])


def _reader(number: int, now: datetime) -> dict[str, Any]:
    reader = Subscriber(email=_address(number), name=f"Reader {number}", origin=Origin.CLI, created_at=now)
    return reader.model_dump(exclude={"id"})


def _endpoint(reader_id: int, number: int, now: datetime) -> dict[str, Any]:
    mine: dict[str, Any] = {"subscriber_id": reader_id, "address": _address(number), "address_hash": f"{number:064x}"}
    endpoint = Endpoint(**mine, created_at=now)
    return endpoint.model_dump(exclude={"id"})


def _digest(ctx: Context, rng: random.Random, articles: list[int], now: datetime) -> dict[str, Any]:
    chosen = rng.sample(articles, STORIES)
    items: list[compose.Item] = [(i, 1, i, TOPICS[n * len(TOPICS) // STORIES], ()) for n, i in enumerate(chosen)]
    return compose.identity(
        items, newsletter_id=ctx.newsletter.id or 1, kind=DeliveryKind.DIGEST, locale="en", zone="Europe/London",
        cadence="daily at 07:30", slot_at=now, more=0, layout=Layout.HEADLINES, look="bench", now=now,
    )  # fmt: skip


def _delivery(
    ctx: Context, number: int, reader_id: int, endpoint_id: int, digest_id: int, now: datetime
) -> dict[str, Any]:
    key = f"bench:{number}"
    row = Delivery(
        key=key, kind=DeliveryKind.DIGEST, priority=Priority.DIGEST, status=DeliveryStatus.QUEUED,
        newsletter_id=ctx.newsletter.id or 1, subscriber_id=reader_id, endpoint_id=endpoint_id, digest_id=digest_id,
        channel=Channel.EMAIL, recipient=_address(number), address_hash=f"{number:064x}",
        personal={"name": f"Reader {number}", "email": _address(number), "topics": list(TOPICS),
                  "cadence": "daily at 07:30"},
        slot_at=now, due_at=now, expires_at=now + timedelta(hours=20), created_at=now, dated_at=now,
        message_id=message_id(key, ctx.site_key, ctx.addresses(None).domain),
    )  # fmt: skip
    return row.model_dump(exclude={"id"})


def _address(number: int) -> str:
    return f"reader{number}@mailbox{number % 50}.example"
