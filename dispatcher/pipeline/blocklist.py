"""Suppressions as a list: addresses that must not be written to, taken in and written out.

An address that was erased is known by nothing but a keyed hash. It is written out as "key:hash", and only a database
with that key, the one it came from or a copy of it, can tell whom it means and takes it in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any

from dispatcher import clock
from dispatcher.config.addresses import reader_email
from dispatcher.config.texts import line
from dispatcher.model.values import SuppressionReason, SuppressionScope
from dispatcher.pipeline import sheet
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import EntryError
from dispatcher.store import Transaction, outbox, suppressions
from dispatcher.store.keys import address_hash
from dispatcher.tokens import key_id

COLUMNS = ("email", "reason", "scope", "since", "hash")
BATCH = 2_000  # rows, or deliveries, in one transaction
_HASH = re.compile(r"[0-9a-f]{40}")


@dataclass(slots=True)
class Listed:
    """What became of the rows of a list, and how many waiting messages it ended."""

    read: int = 0
    added: int = 0
    unchanged: int = 0
    bad: int = 0
    ended: int = 0


def rows(file: sheet.Input) -> sheet.Rows | Addresses:
    """The rows of a list: CSV whose first line names its columns, or plain text with an address in every line."""
    first = next((text for text in sheet.bounded(file.text) if text.strip()), "")
    file.text.seek(0)
    if "@" in first and not any(mark in first for mark in sheet.SEPARATORS):
        return Addresses(file)
    return sheet.Rows(file, known=COLUMNS)


class Addresses:
    """The rows of a plain list of addresses."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: sheet.Input) -> None:
        self._text = file.text

    def __iter__(self) -> Iterator[sheet.Row]:
        for number, text in enumerate(sheet.bounded(self._text), 1):
            if text.strip():
                yield sheet.Row(number, {"email": text.strip()})


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: what holds where they say nothing, and the key that their hashes are made with."""

    reason: SuppressionReason
    newsletter_id: int
    is_narrow: bool
    key: bytes
    now: datetime

    def row(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """A suppression, ready to be stored. EntryError says what is wrong."""
        reason = _word(SuppressionReason, "reason", cells.get("reason", "")) or self.reason
        usual = SuppressionScope.NEWSLETTER if self.is_narrow else SuppressionScope.ADDRESS
        scope = _word(SuppressionScope, "scope", cells.get("scope", "")) or usual
        address, hashed = self._whom(cells)
        return {
            "address_hash": hashed,
            "address": "" if reason is SuppressionReason.ERASED else address,
            "scope": scope,
            "newsletter_id": self.newsletter_id if scope is SuppressionScope.NEWSLETTER else 0,
            "reason": reason,
            "since": self._since(cells.get("since", "")),
        }

    def _whom(self, cells: Mapping[str, str]) -> tuple[str, str]:
        if cells.get("email"):
            address = _address(cells["email"])
            return address, address_hash(self.key, address)
        made_with, _, hashed = cells.get("hash", "").partition(":")
        if not _HASH.fullmatch(hashed):
            raise EntryError("there is neither an e-mail address nor a hash of one")
        if made_with != key_id(self.key):
            raise EntryError("the hash was made with another database's key: nobody here can tell whom it means")
        return "", hashed

    def _since(self, text: str) -> datetime:
        try:
            since = clock.parse(text) if text else self.now
        except (ValueError, OverflowError):
            raise EntryError(f'since: "{text[:60]}" is not a time; write it like 2026-03-01T07:31 (UTC)') from None
        return min(since, self.now)


def _address(text: str) -> str:
    try:
        return reader_email(line(text)).lower()
    except ValueError as error:
        raise EntryError(str(error)[:500]) from None


def _word(kind: Any, name: str, text: str) -> Any:
    if text and text.lower() not in set(kind):
        raise EntryError(f'{name}: "{text[:60]}" is none; there are {", ".join(kind)}')
    return kind(text.lower()) if text else None


async def take_in(
    ctx: Context, found: Iterable[sheet.Row], now: datetime, *, reason: SuppressionReason, is_narrow: bool,
    on_bad: Callable[[int, str], None], on_progress: Callable[[], None] = lambda: None,
) -> Listed:  # fmt: skip
    """Suppress everybody on a list, for the newsletter alone if `is_narrow`, and end what waits in the outbox for them.

    Who is suppressed already stays so, as they are. `on_bad` is told the line and reason of each row left out.
    """
    reading, done, left = (
        Reading(reason, ctx.newsletter.id or 0, is_narrow, ctx.address_key, now),
        Listed(),
        iter(found),
    )
    while batch := list(islice(left, BATCH)):
        good = []
        for row in batch:
            try:
                good.append(reading.row(_sound(row)))
            except EntryError as error:
                on_bad(row.number, str(error))
        async with ctx.store.write() as tx:
            added = await suppressions.add_many(tx, good)
        done.read += len(batch)
        done.added += added
        done.unchanged += len(good) - added
        done.bad += len(batch) - len(good)
        on_progress()
    done.ended = await end_unwanted(ctx, now)
    return done


def _sound(row: sheet.Row) -> Mapping[str, str]:
    if row.fault:
        raise EntryError(row.fault)
    return row.cells


async def end_unwanted(ctx: Context, now: datetime) -> int:
    """End what waits in the outbox for suppressed addresses; returns how much there was."""
    ended, last = 0, 0
    while True:
        async with ctx.store.read() as tx:
            ids = await outbox.waiting_ids(tx, after=last, limit=BATCH)
        if not ids:
            return ended
        async with ctx.store.write() as tx:
            ended += await outbox.suppress(tx, now, among=ids)
        last = ids[-1]


async def suppress(
    ctx: Context, tx: Transaction, email: str, reason: SuppressionReason, now: datetime, *, is_narrow: bool
) -> bool:
    """Suppress one address, and end what waits for it. False if it was so suppressed already."""
    reading = Reading(reason, ctx.newsletter.id or 0, is_narrow, ctx.address_key, now)
    row = reading.row({"email": email})
    is_new = await suppressions.add_many(tx, [row]) == 1
    await outbox.suppress(tx, now, address_hash=row["address_hash"])
    return is_new


async def write_out(ctx: Context, file: IO[str]) -> int:
    """Write all suppressions as CSV that `take_in` reads back; returns how many."""
    sheet.write(file, [COLUMNS])
    made_with, count = key_id(ctx.address_key), 0
    async with ctx.store.read() as tx:
        async for page in suppressions.pages(tx):
            sheet.write(
                file,
                [
                    (one.address, one.reason.value, one.scope.value, one.since.isoformat(),
                     "" if one.address else f"{made_with}:{one.address_hash}")
                    for one in page
                ],
            )  # fmt: skip
            count += len(page)
    return count
