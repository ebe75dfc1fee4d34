"""Prune: what has outlived its retention, and the fragments of digests that are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.pipeline.context import Context
from dispatcher.store import articles, outbox


@dataclass(slots=True)
class PruneReport:
    """What a prune did."""

    wires: int = 0
    articles: int = 0
    deliveries: int = 0


async def prune(ctx: Context, now: datetime) -> PruneReport:
    """Empty old articles, delete old deliveries and attempts, forget the fragments nobody will send again."""
    keep = ctx.settings.retention
    report = PruneReport()
    async with ctx.store.write() as tx:
        report.wires = await outbox.drop_wires(tx)
    async with ctx.store.write() as tx:
        report.articles = await articles.prune(tx, now - keep.articles)
    async with ctx.store.write() as tx:
        report.deliveries = await outbox.prune(
            tx, deliveries_before=now - keep.deliveries, attempts_before=now - keep.attempts
        )
    return report
