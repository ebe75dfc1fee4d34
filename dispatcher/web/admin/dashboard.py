"""The dashboard: what flows through the pipe, on a page that one wants to leave open. It refreshes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from dispatcher import clock
from dispatcher.model.content import Source
from dispatcher.model.runtime import Instance
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.standing import said
from dispatcher.store import dashboard, instances, pauses
from dispatcher.store.dashboard import HOUR, Figures
from dispatcher.web.admin import charts
from dispatcher.web.admin.charts import Bar
from dispatcher.web.admin.desk import desk_page
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of

REFRESH = 30  # seconds between two looks of an open page
FRESH = timedelta(seconds=10)
PATIENCE = 0.2  # seconds that a page waits for newer figures
SHOWN = 12  # sources


class Reading(NamedTuple):
    """The figures, the processes at work, and when that was so."""

    at: datetime
    figures: Figures
    living: list[Instance]


class Board:
    """The figures of one process, counted at most every ten seconds however many look at them."""

    def __init__(self) -> None:
        self._last: Reading | None = None
        self._counting: asyncio.Task[Reading] | None = None

    async def read(self, ctx: Context, now: datetime) -> Reading | None:
        """The latest figures, or the ones before while counting takes its time; None while there are none at all."""
        if self._last is None or now - self._last.at >= FRESH:
            if self._counting is None or self._counting.done():
                self._counting = asyncio.create_task(_count(ctx, now))
            done, _ = await asyncio.wait({self._counting}, timeout=PATIENCE)
            self._last = self._counting.result() if done else self._last
        return self._last


async def show(request: Request, who: Signed) -> Response:
    """The dashboard; before anything is counted, a page that says so and comes again at once."""
    board: Board = request.app.state.board
    ctx = context_of(request)
    reading = await board.read(ctx, clock.now())
    if reading is None:
        return await desk_page(request, who, "counting", headers={"Refresh": "1"})
    async with ctx.store.read() as tx:
        kept_back = await pauses.in_force(tx)
    figures = reading.figures
    return await desk_page(
        request, who, "dashboard",
        headers={"Refresh": str(REFRESH)},
        reading=reading,
        figures=figures,
        charts=_charts(figures, ZoneInfo(ctx.settings.site.timezone)),
        queue=charts.share("queue", "The outbox by state", list(figures.queue.items())),
        failing=sum(1 for source in figures.sources if source.failures and not source.is_paused),
        sources=_worst_first(figures.sources)[:SHOWN],
        bounce_rate=_rate(figures.events.get("hard-bounce", 0) + figures.events.get("soft-bounce", 0), figures),
        kept_back=[said(pause) for pause in kept_back],
        complaint_rate=_rate(figures.events.get("complaint", 0), figures),
    )  # fmt: skip


async def _count(ctx: Context, now: datetime) -> Reading:
    async with ctx.store.read() as tx:
        figures = await dashboard.figures(tx, now, confirm_within=ctx.settings.subscribe.confirm_within)
    return Reading(now, figures, await instances.living(ctx.store))


def _charts(figures: Figures, zone: ZoneInfo) -> dict[str, Markup]:
    series = {
        "articles": ("Articles read, by the hour", figures.articles, figures.since),
        "matches": ("Matches, by the hour their article came", figures.matches, figures.since),
        "sent": ("Sent, by the hour", figures.sent, figures.since),
        "due": ("Digests due, by the hour to come", figures.due, figures.due_since),
    }
    return {
        name: charts.columns(name, title, _bars(values, since, zone), kind=name)
        for name, (title, values, since) in series.items()
    }


def _bars(values: Sequence[int], since: datetime, zone: ZoneInfo) -> list[Bar]:
    hours = [(since + HOUR * number).astimezone(zone) for number in range(len(values))]
    return [Bar(f"{hour:%H:%M}", value) for hour, value in zip(hours, values, strict=True)]


def _worst_first(sources: Sequence[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: (-source.failures, source.is_paused, source.name.casefold()))


def _rate(count: int, figures: Figures) -> float | None:
    """Per cent of what was sent in the same week; None where nothing was."""
    sent = figures.ended["sent"]
    return 100 * count / sent if sent else None
