"""Prune: what has outlived its retention, and the fragments of digests that are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from dispatcher.digest import kept
from dispatcher.pipeline import letters
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.departure import UNDO_WITHIN
from dispatcher.store import (
    access,
    articles,
    audits,
    consents,
    issues,
    operators,
    outbox,
    pauses,
    pieces,
    tallies,
    topics,
)

SILENT_FOR = timedelta(days=1)
"""How long a request that no mail answered is counted."""


@dataclass(slots=True)
class PruneReport:
    """What a prune did.

    `topics` are those of readers who have left; `entries` counts answers kept for repeats, lapsed visits and lines of
    the audit log.
    """

    wires: int = 0
    pieces: int = 0
    articles: int = 0
    deliveries: int = 0
    requests: int = 0
    networks: int = 0
    topics: int = 0
    entries: int = 0


async def prune(ctx: Context, now: datetime) -> PruneReport:
    """Empty old articles, delete old deliveries and attempts, forget the fragments nobody will send again.

    Forget the requests that nobody confirmed, the machines that consents came from, the own topics of readers who have
    left, and old entries of the admin pages.
    """
    keep = ctx.settings.retention
    report = PruneReport()
    async with ctx.store.write() as tx:
        report.wires = await outbox.drop_wires(tx)
        report.pieces = await pieces.prune(tx, kept.numbers_of)
    async with ctx.store.write() as tx:
        report.articles = await articles.prune(tx, now - keep.articles)
        await issues.prune(tx, now - keep.articles)
    async with ctx.store.write() as tx:
        report.deliveries = await outbox.prune(
            tx, deliveries_before=now - keep.deliveries, attempts_before=now - keep.attempts
        )
    async with ctx.store.write() as tx:
        await tallies.prune(tx, now - keep.deliveries)
        await pauses.prune(tx, now - keep.audit)
    report.requests = await _forget_unconfirmed(ctx, now)
    report.networks = await _cut_networks(ctx, now)
    async with ctx.store.write() as tx:
        report.topics = await topics.prune(tx, now - UNDO_WITHIN)
        await topics.forget_changes(tx)
    async with ctx.store.write() as tx:
        report.entries = await access.prune(tx, now)
        report.entries += await operators.prune(tx, now)
        report.entries += await audits.prune(tx, now - keep.audit)
    return report


async def _forget_unconfirmed(ctx: Context, now: datetime) -> int:
    """Requests that were never confirmed go, and with them all that tells whose address it was."""
    forgotten = 0
    while True:
        async with ctx.store.write() as tx:
            ids = await consents.prune(
                tx, unconfirmed_before=now - ctx.settings.retention.unconfirmed, silent_before=now - SILENT_FOR
            )
            keys = [f"{name}:{opt_in_id}" for opt_in_id in ids for name in ("confirm", "address")]
            await outbox.forget_letters(tx, [letters.key_of(ctx, key) for key in keys])
        if not ids:
            return forgotten
        forgotten += len(ids)


async def _cut_networks(ctx: Context, now: datetime) -> int:
    """After a while a proof of consent says from which network it came, and no longer from which machine."""
    cut = 0
    while True:
        async with ctx.store.write() as tx:
            done = await consents.cut_networks(tx, now - ctx.settings.retention.networks, _network_of)
        if not done:
            return cut
        cut += done


def _network_of(ip: str) -> str:
    """An IPv4 address's /24, an IPv6 address's /48; nothing of what is no address."""
    try:
        return str(ip_network(f"{ip}/{48 if ':' in ip else 24}", strict=False))
    except ValueError:
        return ""
