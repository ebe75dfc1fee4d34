"""Stand-ins: our template in the place of one of the operator's that cannot be used, and the owner is told.

    at start and reload   rehearse all with invented news ─┐
    while composing       it breaks on real news ──────────┴▶ ours takes its place ▷ told once ▷ mended: told once

What cannot be used stays out until the operator changes any of their templates: then all are tried again. So it is in
every process, and after every restart.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.digest.files import Fault
from dispatcher.digest.rehearsal import first_fault
from dispatcher.digest.render import Templates
from dispatcher.digest.understudy import lay_aside, sound
from dispatcher.model.runtime import TemplateFault
from dispatcher.model.values import AlarmName
from dispatcher.observability.logs import logger
from dispatcher.pipeline.alarms import Notice, raise_alarm
from dispatcher.store import faults

if TYPE_CHECKING:
    from dispatcher.errors import TemplateError
    from dispatcher.model.outbound import DigestContent, Newsletter
    from dispatcher.pipeline.context import Context
    from dispatcher.store import Transaction

log = logger("templates")


async def inspect(ctx: Context, now: datetime) -> None:
    """Try the templates in force, put ours in the place of what cannot be used, and tell the owner what is new."""
    async with ctx.store.read() as tx:
        known = await faults.every(tx)
    templates = _recalled(ctx.templates, known)
    if templates.collection.theirs:
        locale = ctx.settings.site.language
        templates = await asyncio.to_thread(sound, templates, lambda some: first_fault(some, locales=(locale,)))
    ctx.templates = templates
    await account(ctx, now)


def replaced(ctx: Context, error: TemplateError, content: DigestContent, newsletter: Newsletter) -> bool:
    """Whether a template that broke on a digest was the operator's. Ours is in its place then, from now on."""

    def fails(templates: Templates) -> TemplateError | None:
        return first_fault(templates, (newsletter,), contents=(content,))

    templates = lay_aside(ctx.templates, error, fails)
    if templates is None:
        return False
    ctx.templates = templates
    return True


async def account(ctx: Context, now: datetime) -> None:
    """Tell the owner of templates that cannot be used and of those that can be used again, each once."""
    collection = ctx.templates.collection
    async with ctx.store.read() as tx:
        known = await faults.every(tx)
    broken = {fault.name: fault for fault in collection.faults}
    fresh = [one for one in broken.values() if one.name not in known or known[one.name].written != collection.written]
    mended = [row for row in known.values() if row.name not in broken and row.written != collection.written]
    if not (fresh or mended):
        return
    async with ctx.store.write() as tx:
        for fault in fresh:
            await _tell_broken(ctx, tx, fault, now)
        for row in mended:
            await _tell_mended(ctx, tx, row, now)


def _recalled(templates: Templates, known: dict[str, TemplateFault]) -> Templates:
    """The templates without those that broke before, as long as nothing was changed."""
    collection = templates.collection
    for row in known.values():
        if row.written == collection.written and row.name in collection.theirs:
            collection = collection.without(Fault(row.name, row.reason))
    return templates if collection is templates.collection else Templates(collection=collection)


async def _tell_broken(ctx: Context, tx: Transaction, fault: Fault, now: datetime) -> None:
    written = ctx.templates.collection.written
    if not await faults.keep(tx, TemplateFault(name=fault.name, written=written, reason=fault.reason, since=now)):
        return
    log.error("a template cannot be used; ours takes its place", template=fault.name, reason=fault.reason)
    notice = Notice(
        title=f"A template of yours cannot be used: {fault.name}",
        since=now,
        paragraphs=(
            fault.reason,
            "Nothing is lost: mail goes out as before, with our template in the place of this one. What was composed "
            "already stays as it is.",
            "Mend the file, look whether all is well, and have it read again:",
        ),
        commands=("dispatcher templates check", "systemctl reload dispatcher"),
    )
    await raise_alarm(ctx, tx, AlarmName.TEMPLATE, notice, key=f"{fault.name}:{written}", now=now)


async def _tell_mended(ctx: Context, tx: Transaction, row: TemplateFault, now: datetime) -> None:
    if not await faults.forget(tx, row):
        return
    log.info("a template can be used again", template=row.name)
    notice = Notice(
        title=f"A template of yours is in use again: {row.name}",
        since=now,
        paragraphs=(f"It could not be used since {row.since:%Y-%m-%d %H:%M} UTC:", row.reason),
    )
    await raise_alarm(ctx, tx, AlarmName.TEMPLATE, notice, key=f"{row.name}:{row.written}:mended", now=now)
