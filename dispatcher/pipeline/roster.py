"""The readers as a sheet: people taken in from one, everybody written out as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Any

from dispatcher.config.settings import SubscriberEntry
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import sheet
from dispatcher.pipeline.admission import Known, NotAdmittedError, admit, look_up, suppressed
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import EntryError, subscriber_entry
from dispatcher.store import Transaction, subscribers, topics

COLUMNS = ("email", "name", "timezone", "locale", "topics", "cadence", "status")
IGNORED = ("origin", "created_at")  # what we write for people to see, and do not read back
BATCH = 200  # people in one transaction: others want to write meanwhile
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")


@dataclass(slots=True)
class TakenIn:
    """What became of the rows of a sheet."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0


async def take_in(
    ctx: Context, rows: Iterable[sheet.Row], now: datetime, *, on_bad: Callable[[int, str], None],
    on_progress: Callable[[], None] = lambda: None,
) -> TakenIn:  # fmt: skip
    """Enrol everybody in a sheet. `on_bad` is told the line and reason of each row left out.

    The same sheet a second time changes nothing. Memory: a number for each row, to know an address that comes twice.
    """
    done, seen, left = TakenIn(), set[int](), iter(rows)
    async with ctx.store.read() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    while batch := list(islice(left, BATCH)):
        told = [_read(row, seen) for row in batch]
        async with ctx.store.write() as tx:
            known = await look_up(ctx, tx, [one.entry.email.lower() for one in told if isinstance(one, Applicant)])
            for row, one in zip(batch, told, strict=True):
                try:
                    what = await _take(ctx, tx, one, known, slugs, now)
                except (EntryError, NotAdmittedError) as error:
                    what = "bad"
                    on_bad(row.number, str(error))
                setattr(done, what, getattr(done, what) + 1)
        done.read += len(batch)
        on_progress()
    return done


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody as a row tells of them: the entry, the fields that were said, and their status where they come from."""

    entry: SubscriberEntry
    said: frozenset[str]
    status: str


def _read(row: sheet.Row, seen: set[int]) -> Applicant | EntryError:
    """What a row says, or what is wrong with it; an address is `seen` once."""
    if row.fault:
        return EntryError(row.fault)
    said = {name: _LINE_BREAK.sub(" ", row.cells[name]) for name in COLUMNS if name != "topics" and row.cells.get(name)}
    status = said.pop("status", "").lower()
    if "email" not in said:
        return EntryError("there is no e-mail address")
    try:
        entry = subscriber_entry(**said, topics=_follows(row.cells.get("topics", "")))
    except EntryError as error:
        return error
    mark = hash(entry.email.lower())
    if mark in seen:
        return EntryError(f"{entry.email} is in this file more than once; the first line counts")
    seen.add(mark)
    return Applicant(entry, frozenset(said), status)


async def _take(
    ctx: Context, tx: Transaction, one: Applicant | EntryError, known: Mapping[str, Known], slugs: Mapping[str, Topic],
    now: datetime,
) -> str:  # fmt: skip
    if isinstance(one, EntryError):
        raise one
    found = known[one.entry.email.lower()]
    if one.status not in ("", SubscriberStatus.ACTIVE):
        return _stay_away(one, found)
    return await admit(ctx, tx, one.entry, slugs, now, origin=Origin.IMPORT, given=one.said, known=found)


def _stay_away(one: Applicant, known: Known) -> str:
    """Somebody who gets no mail where the sheet comes from must get none here: nothing to do if it is so already."""
    if known.reader is not None and one.status == (known.reason or known.reader.status):
        return "unchanged"
    email, status = one.entry.email, one.status
    raise NotAdmittedError(f'{email} was "{status}" where this file comes from; only who is "active" is taken in')


def _follows(text: str) -> list[dict[str, str]]:
    """Topics as in "energy, football = weekly on mon,thu at 08:00; climate": slugs, each perhaps with its cadence."""
    return [follow for part in re.split(r"[;|\r\n]", text) for follow in _listed(part)]


def _listed(part: str) -> Iterator[dict[str, str]]:
    head, _, cadence = part.partition("=")
    slugs = re.split(r"[,\s]+", head.strip(", \t"))
    for slug in filter(None, slugs):
        yield {"topic": slug, "cadence": cadence.strip() if slug is slugs[-1] else ""}


async def write_out(ctx: Context, file: IO[str]) -> int:
    """Write everybody who was not erased, as `take_in` reads them back; returns how many."""
    sheet.write(file, [(*COLUMNS, *IGNORED)])
    count = 0
    async with ctx.store.read() as tx:
        async for page in subscribers.pages(tx):
            people = [person for person in page if person.email]
            followed = await subscribers.subscriptions(tx, [person.id or 0 for person in people])
            known = await topics.by_ids(tx, [s.topic_id for mine in followed.values() for s in mine])
            reasons = await suppressed(ctx, tx, [person.email for person in people])
            for one in people:
                standing = reasons.get(one.email, one.status)
                sheet.write(file, [_cells(one, followed.get(one.id or 0, ()), known, standing)])
            count += len(people)
    return count


def _cells(
    person: Subscriber, followed: Iterable[Subscription], known: Mapping[int, Topic], standing: str
) -> list[Any]:
    follows = [
        known[s.topic_id].slug + ("" if s.cadence == person.cadence else f" = {s.cadence}")
        for s in followed
        if s.status == SubscriptionStatus.ACTIVE and known[s.topic_id].owner_id is None
    ]
    shown = (person.email, person.name, person.timezone, person.locale, "; ".join(follows), person.cadence)
    return [*shown, standing, person.origin, person.created_at.isoformat()]
