"""One pass through all steps, in the order of the pipe: what `run --once` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import IngestReport, ingest
from dispatcher.pipeline.plan import PlanReport, plan
from dispatcher.pipeline.prune import PruneReport, prune
from dispatcher.pipeline.send import SendReport, send
from dispatcher.pipeline.settle import SettleReport, settle


@dataclass(frozen=True, slots=True)
class Pass:
    """The reports of one pass."""

    ingest: IngestReport
    plan: PlanReport
    send: SendReport
    settle: SettleReport
    prune: PruneReport


async def once(ctx: Context, now: datetime) -> Pass:
    """Poll every enabled source, plan, send, settle and prune, all as if it were `now`."""
    return Pass(
        ingest=await ingest(ctx, now, everything=True),
        plan=await plan(ctx, now),
        send=await send(ctx, now),
        settle=await settle(ctx, now),
        prune=await prune(ctx, now),
    )
