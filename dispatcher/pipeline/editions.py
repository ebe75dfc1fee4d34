"""Editions: what a person wrote, kept, scheduled, stopped. `release` sends it.

    draft ─▶ scheduled ─▶ sending ─▶ sent            (a manuscript ▷ keep ▷ schedule ▷ release ▷ the outbox)
      ▲          │ ▲         │ ▲       │
      └──────────┘ └─ paused ┴─┘ ◀─────┘             what has not left is held, or cancelled

From its first reader on an edition's words and stories stand as they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispatcher.errors import ConfigError, Problem, StoreError
from dispatcher.model.edition import Edition, EditionStatus
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline import audit
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.manuscript import Manuscript, read
from dispatcher.store import Transaction, editions, newsletters, outbox, topics


async def keep(ctx: Context, tx: Transaction, text: str, now: datetime, *, name: str, by: str = "cli") -> Edition:
    """Keep a manuscript as a draft, new or in the place of its earlier version. ConfigError says what is wrong with it,
    StoreError that it is too late."""
    made = read(text, name=name, zone=ctx.settings.site.timezone)
    letter = await _newsletter(ctx, tx, made, name)
    await _check(tx, made, letter, name)
    values = _values(made, letter, text)
    known = await editions.by_slug(tx, made.slug)
    if known is None:
        edition = Edition(**values, created_by=by, created_at=now)
        edition.id = await editions.insert(tx, edition)
    else:
        edition = await editions.lock(tx, known.id or 0)
        if edition.status not in (EditionStatus.DRAFT, EditionStatus.SCHEDULED):
            raise StoreError(
                f'edition "{made.slug}" is {edition.status}: its words stand; give the new one another slug'
            )
        changed = values | {"version": edition.version + 1}
        if edition.status is EditionStatus.SCHEDULED and made.send_at is None:
            changed |= {"send_at": edition.send_at, "in_reader_zone": edition.in_reader_zone}
        await editions.write(tx, edition.id or 0, **changed)
        edition = (await editions.by_ids(tx, [edition.id or 0]))[edition.id or 0]
    await audit.note(tx, by, "write edition", made.slug, now, version=edition.version)
    return edition


async def schedule(
    ctx: Context, tx: Transaction, slug: str, now: datetime, *, at: datetime | None = None, by: str = "cli"
) -> Edition:
    """Have an edition leave at the time that it names, or at another. StoreError if it names none, or is no draft."""
    edition = await named(tx, slug)
    changes: dict[str, Any] = {"send_at": at, "in_reader_zone": False} if at else {}
    if not at and edition.send_at is None:
        raise StoreError(f'edition "{slug}" names no send_at: say when with --at, or `dispatcher editions send {slug}`')
    if edition.status is EditionStatus.SCHEDULED:
        await editions.write(tx, edition.id or 0, **changes)
    else:
        await _move(tx, edition, EditionStatus.SCHEDULED, "scheduled", **changes)
    await audit.note(tx, by, "schedule edition", slug, now, at=at or edition.send_at)
    return await named(tx, slug)


async def unschedule(tx: Transaction, slug: str, now: datetime, *, by: str = "cli") -> Edition:
    """Make a scheduled edition a draft again."""
    edition = await named(tx, slug)
    await _move(tx, edition, EditionStatus.DRAFT, "made a draft again")
    await audit.note(tx, by, "unschedule edition", slug, now)
    return await named(tx, slug)


async def pause(tx: Transaction, slug: str, now: datetime, *, by: str = "cli") -> int:
    """Stop an edition: nobody more is served, and what has not left is held. Returns how many mails that were."""
    edition = await named(tx, slug)
    await _move(tx, edition, EditionStatus.PAUSED, "paused")
    held = await outbox.hold_edition(tx, edition.id or 0)
    await audit.note(tx, by, "pause edition", slug, now, held=held)
    return held


async def resume(tx: Transaction, slug: str, now: datetime, *, by: str = "cli") -> int:
    """Go on with a paused edition. Returns how many mails were let go."""
    edition = await named(tx, slug)
    if edition.status is not EditionStatus.PAUSED:
        raise StoreError(f'edition "{slug}" is not paused but {edition.status}')
    begun = bool(edition.progress) or edition.released_at is not None
    await _move(tx, edition, EditionStatus.SENDING if begun else EditionStatus.SCHEDULED, "resumed")
    freed = await outbox.let_edition_go(tx, edition.id or 0, now)
    await audit.note(tx, by, "resume edition", slug, now, freed=freed)
    return freed


async def cancel(tx: Transaction, slug: str, now: datetime, *, by: str = "cli") -> int:
    """End an edition: what has not left never will. Returns how many mails that were."""
    edition = await named(tx, slug)
    await _move(tx, edition, EditionStatus.CANCELLED, "cancelled")
    cancelled = await outbox.cancel_edition(tx, edition.id or 0, now)
    await audit.note(tx, by, "cancel edition", slug, now, cancelled=cancelled)
    return cancelled


async def named(tx: Transaction, slug: str) -> Edition:
    """The edition of this name. StoreError if there is none."""
    found = await editions.by_slug(tx, slug)
    if found is None:
        raise StoreError(f'there is no edition "{slug}"; `dispatcher editions` lists them')
    return found


async def _newsletter(ctx: Context, tx: Transaction, made: Manuscript, name: str) -> Newsletter:
    if not made.newsletter:
        return ctx.newsletter
    every = {row.slug: row for row in await newsletters.every(tx)}
    if made.newsletter not in every:
        known = f'there is no newsletter "{made.newsletter}"; there are {", ".join(sorted(every))}'
        raise ConfigError([Problem(name, "newsletter", known)])
    return every[made.newsletter]


async def _check(tx: Transaction, made: Manuscript, letter: Newsletter, name: str) -> None:
    """That the topics it names are there."""
    problems = []
    for slug in (*made.audience.topics, *(order.topic for order in made.orders if order.topic)):
        if await topics.by_slug(tx, slug) is None:
            problems.append(Problem(name, "topics", f'there is no topic "{slug}"; `dispatcher topics` lists them'))
    if problems:
        raise ConfigError(problems)


def _values(made: Manuscript, letter: Newsletter, text: str) -> dict[str, Any]:
    return {
        "slug": made.slug,
        "newsletter_id": letter.id,
        "subject": made.subject,
        "preheader": made.preheader,
        "source": text,
        "body": made.body,
        "audience": made.audience.stored(),
        "send_at": made.send_at,
        "in_reader_zone": made.in_reader_zone,
    }


async def _move(tx: Transaction, edition: Edition, after: EditionStatus, what: str, **changes: Any) -> None:
    if not await editions.move(tx, edition.id or 0, after, **changes):
        raise StoreError(f'edition "{edition.slug}" is {edition.status}: it cannot be {what}')
