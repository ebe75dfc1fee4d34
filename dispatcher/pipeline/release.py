"""Release: editions whose time has come → digests and deliveries.

    due ▷ lock ▷ (the first time: its stories) ▷ a portion of its readers ▷ digests, deliveries, progress ▷ … ▷ sent

A portion is put into the outbox in one transaction, and how far an edition has come is noted in the same one: whoever
goes on after a crash, or beside us, neither loses nor repeats anybody. Who is a reader is asked at that moment. With
`in_reader_zone` each zone has its hour; when it is past everywhere, those are looked for who have moved meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dispatcher.digest import prose
from dispatcher.digest.headers import message_id
from dispatcher.errors import StoreError
from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.edition import Audience, Edition, EditionStatus
from dispatcher.model.values import Channel, DeliveryKind, DeliveryStatus, Layout
from dispatcher.observability.logs import logger
from dispatcher.outbox.priority import lifetime_of, priority_of
from dispatcher.pipeline.batch import key_of
from dispatcher.pipeline.clippings import clip
from dispatcher.pipeline.context import Context
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.store import Transaction, editions, planning, subscribers

log = logger("editions")

PORTION = 1000  # readers in one transaction
FURTHEST_WEST = timedelta(hours=12)  # how much later than in UTC it is any hour on the wall anywhere
EVERYBODY = ""  # whose progress is noted where zones do not matter
LAST_LOOK = "*"  # the pass after that of the zones


@dataclass(slots=True)
class ReleaseReport:
    """What a release did."""

    deliveries: int = 0
    failed: int = 0


async def release(ctx: Context, now: datetime) -> ReleaseReport:
    """Put into the outbox what is due of every edition. One that fails stops no other."""
    report = ReleaseReport()
    async with ctx.store.read() as tx:
        due = await editions.due(tx, now)
    for edition_id in due:
        try:
            while not ctx.stopping.is_set():
                async with ctx.store.write() as tx:
                    served = await _serve(ctx, tx, edition_id, now)
                if served is None:
                    break
                report.deliveries += served
        except StoreError:
            raise
        except Exception:
            log.exception("an edition could not be released; it is tried again", edition_id=edition_id)
            report.failed += 1
    return report


class Printer:
    """Makes rows of an edition: one digest for all readers of a language and a zone, and their deliveries."""

    def __init__(self, ctx: Context, edition: Edition, now: datetime) -> None:
        self._ctx, self._edition, self._now = ctx, edition, now
        self._letter = ctx.letter(edition.newsletter_id)
        self._styles = {o.section: {"layout": o.layout} for o in prose.blocks(edition.body)[1] if o.layout}
        self._digests: dict[tuple[str, str], dict[str, Any]] = {}

    def rows(self, person: Subscriber, endpoint: Endpoint) -> tuple[dict[str, Any], dict[str, Any]]:
        """The digest that a reader shares with others, and the delivery to one address of theirs."""
        group = (self._ctx.locale_of(person, self._letter), person.timezone)
        if group not in self._digests:
            self._digests[group] = self._digest(*group)
        return self._digests[group], self._delivery(person, endpoint)

    def _digest(self, locale: str, zone: str) -> dict[str, Any]:
        edition, slot_at = self._edition, _slot(self._edition, zone)
        shown = [edition.id, edition.version, self._letter.model_dump_json(), locale, zone, self._ctx.templates.version]
        return {
            "key": hashlib.sha256(json.dumps(["edition", *shown, slot_at.isoformat()]).encode()).hexdigest(),
            "newsletter_id": edition.newsletter_id,
            "kind": DeliveryKind.EDITION,
            "locale": locale,
            "timezone": zone,
            "cadence": "",
            "slot_at": slot_at,
            "items": edition.items,
            "more": 0,
            "layout": Layout.CARDS,
            "styles": self._styles,
            "edition_id": edition.id,
            "created_at": self._now,
        }

    def _delivery(self, person: Subscriber, endpoint: Endpoint) -> dict[str, Any]:
        edition, kind = self._edition, DeliveryKind.EDITION
        key = key_of(edition.newsletter_id, kind, endpoint, f"edition:{edition.id}")
        slot_at = _slot(edition, person.timezone)
        leaves_at = release_at(max(self._now, slot_at), person.timezone, *Quiet.of(person))
        return {
            "key": key,
            "kind": kind,
            "priority": priority_of(kind),
            "status": DeliveryStatus.QUEUED,
            "newsletter_id": edition.newsletter_id,
            "subscriber_id": person.id,
            "endpoint_id": endpoint.id,
            "channel": endpoint.channel,
            "recipient": endpoint.address,
            "address_hash": endpoint.address_hash,
            "personal": {"name": person.name, "email": endpoint.address, "topics": [], "cadence": ""},
            "slot_at": slot_at,
            "due_at": leaves_at,
            "expires_at": leaves_at + lifetime_of(kind),
            "created_at": self._now,
            "message_id": message_id(key, self._ctx.site_key, self._ctx.addresses(edition.newsletter_id).domain),
            "attempts": 0,
            "code": 0,
            "reason": "",
        }


async def _serve(ctx: Context, tx: Transaction, edition_id: int, now: datetime) -> int | None:
    """The next portion of an edition's readers; None when nobody is left for now."""
    edition = await editions.lock(tx, edition_id)
    if edition.status not in (EditionStatus.SCHEDULED, EditionStatus.SENDING) or edition.send_at is None:
        return None
    found = await _next(tx, edition, now)
    if found is None:
        if not edition.in_reader_zone or now >= edition.send_at + FURTHEST_WEST:
            await _end(tx, edition, now)
        return None
    if edition.status is EditionStatus.SCHEDULED:
        edition.items = [[*item[:4], list(item[4])] for item in await clip(ctx, tx, edition, now)]
        await editions.move(tx, edition_id, EditionStatus.SENDING, items=edition.items)
        log.info("an edition is on its way", edition=edition.slug)
    whose, people = found
    saved = await _save(ctx, tx, edition, people, now)
    await editions.write(tx, edition_id, progress=edition.progress | {whose: people[-1].id or 0})
    return saved


async def _next(tx: Transaction, edition: Edition, now: datetime) -> tuple[str, list[Subscriber]] | None:
    """Who comes next, and in whose progress that is noted."""
    assert edition.send_at is not None
    audience, number = Audience.loaded(edition.audience), edition.newsletter_id
    is_over = now >= edition.send_at + FURTHEST_WEST
    if not edition.in_reader_zone:
        passes = [(EVERYBODY, "")]
    else:
        passes = [(zone, zone) for zone in await editions.zones(tx, number, audience) if _slot(edition, zone) <= now]
        passes += [(LAST_LOOK, "")] if is_over else []
    for whose, zone in passes:
        after = edition.progress.get(whose, 0)
        people = await editions.readers(tx, number, audience, after_id=after, limit=PORTION, zone=zone)
        if people:
            return whose, people
    return None


async def _save(ctx: Context, tx: Transaction, edition: Edition, people: Sequence[Subscriber], now: datetime) -> int:
    digests: dict[str, dict[str, Any]] = {}
    deliveries: list[tuple[str, dict[str, Any]]] = []
    endpoints = await subscribers.endpoints(tx, [person.id or 0 for person in people])
    await ctx.acquaint(tx, {edition.newsletter_id})
    printer = Printer(ctx, edition, now)
    for person in people:
        for endpoint in endpoints.get(person.id or 0, ()):
            if endpoint.channel == Channel.EMAIL:
                digest, delivery = printer.rows(person, endpoint)
                digests[digest["key"]] = digest
                deliveries.append((digest["key"], delivery))
    ids, _ = await planning.save_digests(tx, digests)
    return await planning.save_deliveries(tx, [row | {"digest_id": ids[key]} for key, row in deliveries])


async def _end(tx: Transaction, edition: Edition, now: datetime) -> None:
    if edition.status is EditionStatus.SCHEDULED:  # it has no reader at all
        await editions.move(tx, edition.id or 0, EditionStatus.SENDING)
    await editions.move(tx, edition.id or 0, EditionStatus.SENT, released_at=now)
    log.info("all of an edition is in the outbox", edition=edition.slug)


def _slot(edition: Edition, zone: str) -> datetime:
    """When an edition is for a reader: an hour that a clock leaves out counts from before it was put forward."""
    assert edition.send_at is not None
    if not edition.in_reader_zone:
        return edition.send_at
    return edition.send_at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
