"""People whom the operator brings by command: one at a time, or a file of them. The operator vouches for consent."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from dispatcher.config.settings import SubscriberEntry
from dispatcher.errors import DispatcherError
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.schedule import cadence as cadences
from dispatcher.store import Transaction, subscribers, topics

COLUMNS = ("email", "name", "timezone", "locale", "topics", "cadence")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run rather than show
BATCH = 500  # lines in one transaction


class NotAdmittedError(DispatcherError):
    """This person may not be enrolled, or not without a consent of their own."""


@dataclass(slots=True)
class ImportReport:
    """What an import did; `bad` holds (line number, reason), the header being line 1."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


async def admit(
    ctx: Context, tx: Transaction, entry: SubscriberEntry, slugs: Mapping[str, Topic], now: datetime, *,
    origin: Origin, consent: str = "", given: frozenset[str] = frozenset(COLUMNS),
) -> str:  # fmt: skip
    """Enrol or update one person: "created", "updated" or "unchanged". `given` names the fields that were said.

    NotAdmittedError for somebody who left (without a new `consent`), bounced, complained or was erased.
    """
    unknown = [follow.topic for follow in entry.topics if follow.topic not in slugs]
    if unknown:
        raise NotAdmittedError(f"there is no topic {unknown[0]!r}; there are {', '.join(sorted(slugs)) or 'none yet'}")
    newsletter_id = ctx.newsletter.id or 0
    reader = await subscribers.by_email(tx, entry.email.lower())
    reason = await enrolment.barred(tx, ctx.address_key, entry.email, newsletter_id)
    if reason is not None and not (consent and reader is not None and reader.status == SubscriberStatus.UNSUBSCRIBED):
        hint = "; give --consent to say how they asked to come back" if reason == "unsubscribed" else ""
        raise NotAdmittedError(f"{entry.email} is suppressed ({reason}){hint}")
    proof = {"how": origin.value, "at": now.isoformat(), "by": consent or "the operator vouches for it"}
    if reader is None:
        reader = await enrolment.enrol(tx, ctx.address_key, _new(ctx, entry, origin, proof, now))
        before = reader.cadence
        done = "created"
    else:
        before = reader.cadence
        done = "updated" if await _update(ctx, tx, reader, entry, given) else "unchanged"
        if reader.status == SubscriberStatus.UNSUBSCRIBED:
            await enrolment.rejoin(tx, ctx.address_key, reader, newsletter_id, proof)
            done = "updated"
    follows = [(slugs[follow.topic], follow.cadence or reader.cadence) for follow in entry.topics]
    if reader.cadence != before:
        follows += await _following_default(tx, reader, before)
    for topic, cadence in follows:
        looks_back = ctx.settings.schedule.first_digest == "period"
        changed = await enrolment.follow(tx, reader, topic, cadence, origin=origin, now=now, looks_back=looks_back)
        done = "updated" if changed and done == "unchanged" else done
    await enrolment.reschedule(tx, reader, newsletter_id, now)
    return done


def _new(ctx: Context, entry: SubscriberEntry, origin: Origin, proof: dict[str, Any], now: datetime) -> Subscriber:
    return Subscriber(
        email=entry.email.lower(),
        name=entry.name,
        timezone=entry.timezone or ctx.settings.site.timezone,
        locale=entry.locale or ctx.settings.site.language,
        cadence=str(cadences.parse(entry.cadence)),
        origin=origin,
        consent=proof,
        created_at=now,
    )


async def _update(
    ctx: Context, tx: Transaction, reader: Subscriber, entry: SubscriberEntry, given: frozenset[str]
) -> bool:
    """Write the fields that were said, but for those the reader chose for themselves."""
    said = {
        "name": entry.name,
        "timezone": entry.timezone,
        "locale": entry.locale,
        "cadence": str(cadences.parse(entry.cadence)),
    }
    changes = {
        name: value
        for name, value in said.items()
        if name in given and value and name not in reader.chosen and getattr(reader, name) != value
    }
    if changes:
        await subscribers.write(tx, reader.id or 0, **changes)
        for name, value in changes.items():
            setattr(reader, name, value)
    return bool(changes)


async def _following_default(tx: Transaction, reader: Subscriber, before: str) -> list[tuple[Topic, str]]:
    """What a reader follows at their old default cadence, with the new one."""
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, [])
    moved = [s for s in mine if s.cadence == before and s.status == SubscriptionStatus.ACTIVE and not s.chosen]
    known = await topics.by_ids(tx, [s.topic_id for s in moved])
    return [(known[s.topic_id], reader.cadence) for s in moved]


async def import_csv(
    ctx: Context, file: IO[str], now: datetime, *, on_progress: Callable[[int], None] = lambda lines: None
) -> ImportReport:
    """Enrol everybody in a CSV file. Bad lines are reported and left out; the same file twice changes nothing."""
    report = ImportReport()
    lines = _lines(file)
    async with ctx.store.read() as tx:
        slugs = {topic.slug: topic for topic in await topics.every(tx)}
    while batch := [line for _, line in zip(range(BATCH), lines, strict=False)]:
        async with ctx.store.write() as tx:
            for number, row in batch:
                await _import_line(ctx, tx, number, row, slugs, now, report)
        report.read += len(batch)
        on_progress(report.read)
    return report


async def _import_line(
    ctx: Context, tx: Transaction, number: int, row: dict[str, str], slugs: Mapping[str, Topic], now: datetime,
    report: ImportReport,
) -> None:  # fmt: skip
    try:
        values = {name: value for name, value in row.items() if value and name != "topics"}
        entry = subscriber_entry(**values, topics=_follows(row.get("topics", "")))
        given = frozenset(values)
        done = await admit(ctx, tx, entry, slugs, now, origin=Origin.IMPORT, given=given)
        setattr(report, done, getattr(report, done) + 1)
    except DispatcherError as error:
        report.bad.append((number, str(error)))


def _follows(text: str) -> list[dict[str, str]]:
    """Topics as "energy; football = instant": slugs, each perhaps with a cadence of its own."""
    parts = (part.partition("=") for part in re.split(r"[;|]", text) if part.strip())
    return [{"topic": slug.strip(), "cadence": cadence.strip()} for slug, _, cadence in parts]


def _lines(file: IO[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column → value), with the separators that spreadsheets use."""
    head = file.read(4096)
    file.seek(0)
    first = head.lstrip("\ufeff").splitlines()[0] if head.strip() else ""
    separator = max(",;\t", key=first.count)
    reader = csv.reader(file, delimiter=separator)
    columns = [name.strip().lstrip("\ufeff").lower() for name in next(reader, [])]
    if "email" not in columns:
        raise DispatcherError(f"line 1 must name the columns, email among them; possible are {', '.join(COLUMNS)}")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield (
                reader.line_num,
                {name: _unguarded(cell.strip()) for name, cell in zip(columns, cells, strict=False) if name in COLUMNS},
            )


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell


async def export_csv(ctx: Context, file: IO[str]) -> int:
    """Write everybody as CSV that `import_csv` reads back; what a spreadsheet would run is made plain text."""
    writer = csv.writer(file)
    writer.writerow((*COLUMNS, "status", "origin", "created_at"))
    count = 0
    async with ctx.store.read() as tx:
        async for page in subscribers.pages(tx):
            followed = await subscribers.subscriptions(tx, [person.id or 0 for person in page])
            known = await topics.by_ids(tx, [s.topic_id for mine in followed.values() for s in mine])
            for person in page:
                mine = [s for s in followed.get(person.id or 0, ()) if s.status == "active"]
                slugs = (_follow_text(known[s.topic_id].slug, s.cadence, person.cadence) for s in mine)
                cells = (person.email, person.name, person.timezone, person.locale, "; ".join(slugs), person.cadence)
                writer.writerow(guarded((*cells, person.status, person.origin, person.created_at.isoformat())))
                count += 1
    return count


def _follow_text(slug: str, cadence: str, default: str) -> str:
    return slug if cadence == default else f"{slug} = {cadence}"


def guarded(cells: Iterable[Any]) -> list[str]:
    """Cells that no spreadsheet takes for a formula."""
    return [f"'{cell}" if str(cell).startswith(FORMULA) else str(cell) for cell in cells]
