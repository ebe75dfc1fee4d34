"""One pass through all steps, in the order of the pipe: what `run --once` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.pipeline.archive import ArchiveReport, archive
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import IngestReport, ingest
from dispatcher.pipeline.plan import PlanReport, plan
from dispatcher.pipeline.presign import PresignReport, presign
from dispatcher.pipeline.prune import PruneReport, prune
from dispatcher.pipeline.send import SendReport, send
from dispatcher.pipeline.settle import SettleReport, settle
from dispatcher.pipeline.tell import tell


@dataclass(frozen=True, slots=True)
class Pass:
    """The reports of one pass."""

    ingest: IngestReport
    plan: PlanReport
    presign: PresignReport
    send: SendReport
    settle: SettleReport
    tell: SendReport
    archive: ArchiveReport
    prune: PruneReport


async def once(ctx: Context, now: datetime) -> Pass:
    """Poll every enabled source, plan, presign, send, settle, tell webhooks of it and prune, all as if it were now."""
    return Pass(
        ingest=await ingest(ctx, now, everything=True),
        plan=await plan(ctx, now),
        presign=await presign(ctx, now),
        send=await send(ctx, now),
        settle=await settle(ctx, now),
        tell=await tell(ctx, now),
        archive=await archive(ctx, now),
        prune=await prune(ctx, now),
    )
