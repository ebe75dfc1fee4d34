"""Editions: what a person wrote, kept, scheduled, stopped. `release` sends it.

    draft ─▶ scheduled ─▶ sending ─▶ sent            (a manuscript ▷ keep ▷ schedule ▷ release ▷ the outbox)
      ▲          │ ▲         │ ▲       │
      └──────────┘ └─ paused ┴─┘ ◀─────┘             what has not left is held, or cancelled

From its first reader on an edition's words and stories stand as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from dispatcher.config.nearest import did_you_mean
from dispatcher.digest.render import HTML_LIMIT
from dispatcher.errors import ConfigError, DispatcherError, Problem
from dispatcher.model.edition import Edition, EditionStatus
from dispatcher.model.outbound import DigestContent, Newsletter
from dispatcher.model.values import DeliveryKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.manuscript import Manuscript, read
from dispatcher.pipeline.wires import written
from dispatcher.store import Transaction, editions, newsletters, outbox, topics
from dispatcher.store.engine import in_turn

BYGONE = timedelta(days=2)
"""How long after its hour an edition may still be scheduled: more than any zone is behind another."""

RECENT = 200
"""Editions among which the one that somebody may have meant is looked for."""

WRITTEN = (
    "newsletter_id", "subject", "preheader", "source", "body", "audience", "send_at", "in_reader_zone",
)  # fmt: skip
"""What of an edition its manuscript says."""


class EditionError(DispatcherError):
    """There is no such edition, or it does not stand where this could be done."""


async def keep(
    ctx: Context, tx: Transaction, text: str, now: datetime, *, name: str, newsletter: str = "", by: str = "cli"
) -> Edition:
    """Keep a manuscript as a draft, new or in the place of its earlier version. ConfigError says what is wrong with it,
    EditionError that it is too late."""
    made = await drafted(ctx, tx, text, now, name=name, newsletter=newsletter, by=by)
    await in_turn(tx, "edition")  # so that no two bring the same name at the same moment
    known = await editions.by_slug(tx, made.slug)
    if known is None:
        made.id = await editions.insert(tx, made)
    else:
        await _replace(tx, await _locked(tx, made.slug), made, now)
    return await named(tx, made.slug)


async def drafted(
    ctx: Context, tx: Transaction, text: str, now: datetime, *, name: str, newsletter: str = "", by: str = "cli"
) -> Edition:
    """A manuscript as an edition that is not kept. `newsletter`: a slug, whatever the manuscript says. ConfigError."""
    made = read(text, name=name, zone=ctx.settings.site.timezone)
    if newsletter:
        made = replace(made, newsletter=newsletter)
    letter = await _checked(ctx, tx, made, name)
    edition = Edition(
        slug=made.slug, newsletter_id=letter.id or 0, subject=made.subject, preheader=made.preheader, source=text,
        body=made.body, audience=made.audience.stored(), send_at=made.send_at, in_reader_zone=made.in_reader_zone,
        created_by=by, created_at=now,
    )  # fmt: skip
    _refuse_too_long(ctx, letter, edition, now, name)
    return edition


async def schedule(tx: Transaction, slug: str, now: datetime, *, at: datetime | None = None) -> Edition:
    """Have an edition leave at the time that it names, or at another. EditionError if it names none, or is no draft."""
    edition = await _locked(tx, slug)
    changes: dict[str, Any] = {"send_at": at, "in_reader_zone": False} if at else {}
    if not at and edition.send_at is None:
        raise EditionError(f'edition "{slug}" names no send_at: say when it leaves, or send it now')
    if not at:
        _refuse_bygone(edition, now)
    if edition.status is EditionStatus.SCHEDULED:
        await editions.write(tx, edition.id or 0, **changes)
    else:
        await _move(tx, edition, EditionStatus.SCHEDULED, "scheduled", **changes)
    return await named(tx, slug)


async def unschedule(tx: Transaction, slug: str, now: datetime) -> int:
    """Make a scheduled edition a draft again. Like the other moves, it returns how many mails that concerns."""
    await _move(tx, await _locked(tx, slug), EditionStatus.DRAFT, "made a draft again")
    return 0


async def pause(tx: Transaction, slug: str, now: datetime) -> int:
    """Stop an edition: nobody more is served, and what has not left is held."""
    edition = await _locked(tx, slug)
    await _move(tx, edition, EditionStatus.PAUSED, "paused")
    return await outbox.hold_edition(tx, edition.id or 0)


async def resume(tx: Transaction, slug: str, now: datetime) -> int:
    """Go on with a paused edition."""
    edition = await _locked(tx, slug)
    if edition.status is not EditionStatus.PAUSED:
        raise EditionError(f'edition "{slug}" is not paused but {edition.status}')
    await _move(tx, edition, _before_pause(edition), "resumed")
    return await outbox.let_edition_go(tx, edition.id or 0, now)


async def cancel(tx: Transaction, slug: str, now: datetime) -> int:
    """End an edition: what has not left never will."""
    edition = await _locked(tx, slug)
    await _move(tx, edition, EditionStatus.CANCELLED, "cancelled")
    return await outbox.cancel_edition(tx, edition.id or 0, now)


MOVES: Mapping[str, Callable[[Transaction, str, datetime], Awaitable[int]]] = MappingProxyType(
    {"unschedule": unschedule, "pause": pause, "resume": resume, "cancel": cancel}
)
"""What can be done to an edition by its name alone, by command, API or page. EditionError if it cannot."""


async def named(tx: Transaction, slug: str) -> Edition:
    """The edition of this name. EditionError if there is none."""
    found = await editions.by_slug(tx, slug)
    if found is None:
        recent = [edition.slug for edition in await editions.every(tx, limit=RECENT)]
        near = did_you_mean(slug, recent, "`dispatcher editions` lists them")
        raise EditionError(f'there is no edition "{slug[:64]}"{near}')
    return found


async def _locked(tx: Transaction, slug: str) -> Edition:
    """The edition of this name, which nobody else can change until this transaction ends."""
    return await editions.lock(tx, (await named(tx, slug)).id or 0)


def _before_pause(edition: Edition) -> EditionStatus:
    if edition.released_at is not None:
        return EditionStatus.SENT
    return EditionStatus.SENDING if edition.progress else EditionStatus.SCHEDULED


async def _replace(tx: Transaction, known: Edition, made: Edition, now: datetime) -> None:
    """Have a new version of an edition instead of the one that is kept. One that is scheduled stays so."""
    if known.status not in (EditionStatus.DRAFT, EditionStatus.SCHEDULED):
        raise EditionError(f'edition "{known.slug}" is {known.status}: its words stand; give the new one another slug')
    if known.status is EditionStatus.SCHEDULED:
        if made.send_at is None:
            made.send_at, made.in_reader_zone = known.send_at, known.in_reader_zone
        _refuse_bygone(made, now)
    changes = made.model_dump(include=set(WRITTEN))
    await editions.write(tx, known.id or 0, **changes, version=known.version + 1)


def _refuse_bygone(edition: Edition, now: datetime) -> None:
    """A year that is mistyped must not send everything at once."""
    if edition.send_at is not None and edition.send_at < now - BYGONE:
        raise EditionError(
            f'edition "{edition.slug}" was to leave at {edition.send_at:%Y-%m-%d %H:%M}, which is over: change its '
            f"send_at, or send it now with `dispatcher editions send {edition.slug}`"
        )


async def _checked(ctx: Context, tx: Transaction, made: Manuscript, name: str) -> Newsletter:
    """A manuscript's newsletter, if that is there, and so are all the topics it names."""
    every = {row.slug: row for row in await newsletters.every(tx)}
    wanted = made.newsletter or ctx.newsletter.slug
    known = {topic.slug for topic in await topics.every(tx) if topic.owner_id is None}
    asked = [(made.lines.get("topics", 0), "topics", slug) for slug in made.audience.topics]
    asked += [(order.line, "topic", order.topic) for order in made.orders if order.topic]
    problems = [
        _missing(name, line, key, slug, known, "`dispatcher topics` lists them")
        for line, key, slug in asked
        if slug not in known
    ]
    if wanted not in every:
        there_are = f"there are {', '.join(sorted(every))}"
        problems.append(_missing(name, made.lines.get("newsletter", 0), "newsletter", wanted, every, there_are))
    if problems:
        raise ConfigError(problems)
    return every[wanted]


def _refuse_too_long(ctx: Context, letter: Newsletter, edition: Edition, now: datetime, name: str) -> None:
    """What a look adds to each link and each cell of a table is known only once it is rendered. Stories that find no
    room are left out and counted; what a person wrote must not be."""
    content = DigestContent(
        kind=DeliveryKind.EDITION, locale=ctx.settings.site.language, timezone=ctx.settings.site.timezone, cadence="",
        slot_at=now, sections=(), written=written(edition),
    )  # fmt: skip
    size = ctx.templates.render(content, letter).html_size
    if size > HTML_LIMIT:
        message = f"it makes a mail of {size:,} octets, and mail programs cut off what is longer than {HTML_LIMIT:,}"
        raise ConfigError([Problem(name, "", f"{message}: shorten it, or make it two")])


def _missing(name: str, line: int, key: str, slug: str, known: Collection[str], otherwise: str) -> Problem:
    message = f'there is no {key.removesuffix("s")} "{slug[:64]}"{did_you_mean(slug, known, otherwise)}'
    return Problem(f"{name}:{line}" if line else name, key, message)


async def _move(tx: Transaction, edition: Edition, after: EditionStatus, what: str, **changes: Any) -> None:
    if not await editions.move(tx, edition.id or 0, after, **changes):
        raise EditionError(f'edition "{edition.slug}" is {edition.status}: it cannot be {what}')
