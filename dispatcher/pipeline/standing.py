"""How sending stands: what keeps mail back, how today compares with the usual, what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dispatcher.model.outbound import Pause
from dispatcher.model.values import PauseCause, PauseScope
from dispatcher.outbox.safety import JUDGED, WINDOWS, Counts, hour_of
from dispatcher.pipeline import safety
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.safety import Volume
from dispatcher.store import Transaction, pauses, tallies

WHAT = {PauseScope.ALL: "all mail", PauseScope.BULK: "digests and editions"}
REMEDY = {
    PauseCause.OPERATOR: "dispatcher send resume",
    PauseCause.BOUNCES: "dispatcher send resume",
    PauseCause.VOLUME: "dispatcher send approve",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """All that `send status` tells. `left_today` is None without a daily cap; `day` and `week` leave letters out."""

    pauses: list[Pause]
    volume: Volume
    left_today: int | None
    day: Counts
    week: Counts


async def standing(ctx: Context, tx: Transaction, now: datetime) -> Standing:
    """How sending stands now."""
    day, week = [_together(await tallies.since(tx, JUDGED, hour_of(now - window))) for window in WINDOWS]
    return Standing(
        pauses=await pauses.in_force(tx),
        volume=await safety.volume(ctx, tx, now),
        left_today=await safety.left_today(ctx, tx, now),
        day=day,
        week=week,
    )


def said(pause: Pause) -> str:
    """A pause on one line, with what ends it."""
    because = f": {pause.reason}" if pause.reason else ""
    since = f"{pause.since:%Y-%m-%d %H:%M}Z"
    return f"{WHAT[pause.scope]} kept back by {pause.by} since {since}{because}; `{REMEDY[pause.cause]}` lets it go"


def _together(found: Mapping[int, Mapping[str, int]]) -> Counts:
    return Counts(**{name: sum(of[name] for of in found.values()) for name in tallies.COUNTED})
