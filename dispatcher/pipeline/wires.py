"""Wires: digests as fragments of mail, composed once, kept with the digest, and only then used.

    digest rows ▷ those that are kept: their pieces                                  ▷ wires by digest
                ▷ the others: their articles ▷ compose ▷ keep, all in one transaction ▷

What was kept first stands: a repeat is byte for byte what was sent before, whatever has become of templates, articles,
settings and this process. A digest that cannot be composed stops its own readers' mail and no other.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dispatcher import clock
from dispatcher.digest import compose, kept, prose
from dispatcher.digest.assembly import Envelope
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Stretch, content_of
from dispatcher.digest.kept import Kept
from dispatcher.digest.slots import Piece
from dispatcher.digest.wire import Draft, Wire
from dispatcher.errors import DispatcherError, StoreError, TemplateError
from dispatcher.model.edition import Edition, Written
from dispatcher.model.outbound import Claimed, Delivery, Digest, Personal
from dispatcher.observability.logs import logger
from dispatcher.pipeline import standins
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import links_of, list_headers
from dispatcher.pipeline.pictures import Pictures
from dispatcher.pipeline.tales import Tales
from dispatcher.store import Connection, Transaction, editions, pieces
from dispatcher.tokens import Keyring

log = logger("compose")

REMEMBERED = 32_000_000
"""Octets, roughly, of pieces in memory that were read from the database."""

TURN = 0.02
"""Seconds after which others of this process have their turn."""


async def load(ctx: Context, digest_ids: Sequence[int]) -> dict[int, Wire | Exception]:
    """The wires of these digests, or what is wrong with one; a digest that is gone is missing. StoreError as ever."""
    return await ctx.kept(Bindery).load(digest_ids)


async def kept_wire(ctx: Context, tx: Transaction, digest: Digest) -> Wire | None:
    """A digest's wire if it is kept and can be read."""
    if digest.wire is None:
        return None
    found = (await ctx.kept(Bindery).kept(tx, {digest.id or 0: digest.wire})).get(digest.id or 0)
    return found if isinstance(found, Wire) else None


async def outlines(ctx: Context, tx: Transaction, digests: Sequence[Digest]) -> dict[int, Outline]:
    """Digests as they are to be composed from the articles as they are now, by id."""
    return await ctx.kept(Bindery).outlines(tx, digests)


def envelope_of(delivery: Claimed | Delivery, wire: Wire, keyring: Keyring) -> Envelope:
    """What differs between the messages of one digest."""
    known, links = delivery.personal, links_of(delivery, wire.door, keyring)
    return Envelope(
        recipient=delivery.recipient,
        personal=Personal(
            name=known.get("name", ""),
            email=known.get("email", ""),
            topics=tuple(known.get("topics", ())),
            cadence=known.get("cadence", ""),
            next_at=datetime.fromisoformat(known["next_at"]) if "next_at" in known else None,
        ),
        message_id=delivery.message_id,
        dated_at=delivery.dated_at or delivery.created_at,
        headers=list_headers(links),
        links=links,
    )


class Bindery:
    """What one process remembers for its wires. One for each context."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._tales = Tales()
        self._looking_up = asyncio.Lock()
        self._composers: dict[int, Composer] = {}
        self._pieces = Remembered()
        self._pictures = Pictures(ctx)

    def composer(self, newsletter_id: int) -> Composer:
        """The composer of a newsletter's digests for templates and settings as they are now."""
        ctx, known = self._ctx, self._composers.get(newsletter_id)
        now = ctx.templates, ctx.letter(newsletter_id), ctx.door
        if known is None or (known.templates, known.newsletter, known.door) != now:
            known = self._composers[newsletter_id] = Composer(*now, refused=_tell_refusal)
        return known

    async def load(self, digest_ids: Sequence[int]) -> dict[int, Wire | Exception]:
        """See the function of this name."""
        async with self._ctx.store.read() as tx:
            rows = await pieces.digests(tx, digest_ids)
            wires = await self.kept(tx, {row.id: row.wire for row in rows if row.wire is not None})
        outlines = await self._outlined([row for row in rows if row.wire is None], wires)
        drafts = await self._compose(await self._pictures.placed(outlines), wires)
        return wires | await self._keep(drafts)

    async def outlines(self, tx: Transaction, digests: Sequence[Any]) -> dict[int, Outline]:
        """Digests, or the columns of them, as they are to be composed, by id."""
        if not digests:
            return {}
        ids = {item[0] for digest in digests for item in digest.items}
        await self._ctx.acquaint(tx, {digest.newsletter_id for digest in digests})
        async with self._looking_up:
            whole = {i for digest in digests for i in compose.told_whole(digest)}
            length = self._ctx.settings.digest.summary_length
            await self._tales.look_up(tx, ids, summary_length=length, whole=whole)
            made = {digest.id or 0: compose.outline(digest, self._tales.tell) for digest in digests}
        return made | await _written_into(tx, made, {digest.id or 0: digest.edition_id for digest in digests})

    async def _outlined(self, rows: Sequence[Any], failed: dict[int, Wire | Exception]) -> dict[int, Outline]:
        """All together; where that cannot be done, each by itself, so that a bad one stops nobody else's mail."""
        try:
            async with self._ctx.store.read() as tx:
                return await self.outlines(tx, rows)
        except StoreError:
            raise
        except Exception as error:
            if len(rows) == 1:
                log.exception("a digest failed on our side; its mail is set aside", digest_id=rows[0].id)
                failed[rows[0].id] = error
                return {}
        found: dict[int, Outline] = {}
        for row in rows:
            found |= await self._outlined([row], failed)
        return found

    async def _compose(self, outlines: Mapping[int, Outline], failed: dict[int, Wire | Exception]) -> dict[int, Draft]:
        """Drafts by digest; what is wrong with the others goes to `failed`."""
        drafts: dict[int, Draft] = {}
        before, began = self._ctx.templates, time.monotonic()
        for digest_id, outline in outlines.items():
            try:
                drafts[digest_id] = self._pictures.attached(self._draft(_with_content(outline)), outline)
            except DispatcherError as error:
                log.error("a digest could not be rendered", digest_id=digest_id, reason=str(error))
                failed[digest_id] = error
            except Exception as error:
                log.exception("a digest failed on our side; its mail is set aside", digest_id=digest_id)
                failed[digest_id] = error
            if time.monotonic() - began > TURN:
                await asyncio.sleep(0)
                began = time.monotonic()
        if self._ctx.templates is not before:
            await standins.account(self._ctx, clock.now())
        return drafts

    def _draft(self, outline: Outline) -> Draft:
        """A digest's draft. A template of the operator's that breaks on it is out of use from then on."""
        while True:
            composer = self.composer(outline.newsletter_id)
            try:
                return composer.compose(outline)
            except TemplateError as error:
                if not standins.replaced(self._ctx, error, outline.content, composer.newsletter):
                    raise

    async def _keep(self, drafts: Mapping[int, Draft]) -> dict[int, Wire | Exception]:
        """Keep drafts, and only then hand out their wires, or those that others kept before."""
        if not drafts:
            return {}
        stretches = {stretch for draft in drafts.values() for stretch in draft.stretches}

        def work(connection: Connection) -> tuple[dict[Stretch, int], dict[int, str]]:
            numbers = _keep_stretches(connection, stretches)
            wires = {digest_id: kept.dumps(draft, numbers) for digest_id, draft in drafts.items()}
            return numbers, pieces.keep_wires(connection, wires)

        numbers, earlier = await self._ctx.store.at_once(work)
        for stretch, number in numbers.items():
            stretch.number = number
        made: dict[int, Wire | Exception] = {i: draft.wire() for i, draft in drafts.items() if i not in earlier}
        if earlier:
            async with self._ctx.store.read() as tx:
                made |= await self.kept(tx, earlier)
        return made

    async def kept(self, tx: Transaction, texts: Mapping[int, str]) -> dict[int, Wire | Exception]:
        """The wires that are kept in these texts."""
        found: dict[int, Wire | Exception] = {}
        read: dict[int, Kept] = {}
        for digest_id, text in texts.items():
            try:
                wire = kept.loads(text)
            except Exception as error:
                log.exception("a digest's fragments cannot be read", digest_id=digest_id)
                found[digest_id] = error
                continue
            if isinstance(wire, Kept):
                read[digest_id] = wire
            else:
                found[digest_id] = wire
        contents = await self._pieces.of(tx, {number for wire in read.values() for number in wire.numbers})
        for digest_id, wire in read.items():
            try:
                found[digest_id] = wire.wire(contents)
            except KeyError as error:
                log.error("a piece of a digest is gone", digest_id=digest_id, piece=str(error))
                found[digest_id] = error
        return found


class Remembered:
    """Pieces that were read, up to REMEMBERED."""

    def __init__(self) -> None:
        self._contents: OrderedDict[int, Piece] = OrderedDict()  # the latest used last
        self._weight = 0

    async def of(self, tx: Transaction, numbers: set[int]) -> dict[int, Piece]:
        """Those of these pieces that there are."""
        bodies = await pieces.bodies(tx, numbers - self._contents.keys())
        for number, body in bodies.items():
            self._contents[number] = content_of(body)
            self._weight += _weight_of(self._contents[number])
        found = {number: self._contents[number] for number in numbers if number in self._contents}
        for number in found:
            self._contents.move_to_end(number)
        while self._weight > REMEMBERED and len(self._contents) > len(found):
            self._weight -= _weight_of(self._contents.popitem(last=False)[1])
        return found


def _keep_stretches(connection: Connection, stretches: Collection[Stretch]) -> dict[Stretch, int]:
    """The numbers under which these are kept, now if not before."""
    standing = pieces.standing(connection, {stretch.number for stretch in stretches if stretch.number})
    fresh = [stretch for stretch in stretches if stretch.number not in standing]
    added = pieces.add(connection, {stretch.hash.hex(): stretch.body for stretch in fresh})
    numbers = {stretch: stretch.number for stretch in stretches}
    return numbers | {stretch: added[stretch.hash.hex()] for stretch in fresh}


def _weight_of(piece: Piece) -> int:
    return len(piece if isinstance(piece, str) else piece.source) + 200


async def _written_into(
    tx: Transaction, outlines: Mapping[int, Outline], editions_of: Mapping[int, int | None]
) -> dict[int, Outline]:
    """Those that are of editions, with what a person wrote."""
    known = {digest_id: edition_id for digest_id, edition_id in editions_of.items() if edition_id is not None}
    found = await editions.by_ids(tx, list(known.values()))
    return {
        digest_id: replace(outlines[digest_id], written=written(found[edition_id]))
        for digest_id, edition_id in known.items()
        if edition_id in found
    }


def written(edition: Edition) -> Written:
    """What of an edition templates see."""
    return Written(edition.subject, edition.preheader, prose.blocks(edition.body)[0])


def _with_content(outline: Outline) -> Outline:
    """The outline, unless nothing is left of it."""
    if outline.letter or outline.sections or outline.written:
        return outline
    raise DispatcherError("every article of this digest is gone")


def _tell_refusal(reason: str) -> None:
    log.info("digests are rendered in full each time; see docs/explanation/composing.md", reason=reason)
