"""Settle: what came back is applied, each event once, and a bad one stops nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import settings, subscriber, topic

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.errors import StoreError
from dispatcher.feedback.decide import STRIKES, Action, decide
from dispatcher.model.feedback import Event
from dispatcher.model.values import EventType, SubscriberStatus, SuppressionReason, SuppressionScope
from dispatcher.pipeline import enrolment
from dispatcher.pipeline import settle as step
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.settle import SettleReport, settle
from dispatcher.store import events, subscribers, suppressions
from dispatcher.store.engine import many

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
ANN = "ann@reader.example"


@pytest.fixture
async def ctx(tmp_path: Path, furnished_url: str) -> AsyncIterator[Context]:
    """A context with one reader."""
    chosen = settings(tmp_path, furnished_url, topics=[topic("all", "*")], subscribers=[subscriber(ANN, "all")])
    async with open_context(chosen, now=NOW, transport=MemoryTransport()) as opened:
        await declare(opened, NOW)
        yield opened


async def happen(ctx: Context, *kinds: EventType, subscriber_id: int | None = 1) -> SettleReport:
    async with ctx.store.write() as tx:
        rows = [{"type": kind, "at": NOW, "raw": {}, "subscriber_id": subscriber_id} for kind in kinds]
        await events.record(tx, rows)
    return await settle(ctx, NOW)


async def reader(ctx: Context) -> Any:
    async with ctx.store.read() as tx:
        return (await subscribers.by_ids(tx, [1]))[1]


async def reasons(ctx: Context) -> list[tuple[SuppressionReason, SuppressionScope]]:
    async with ctx.store.read() as tx:
        return [(s.reason, s.scope) for s in await suppressions.every(tx)]


@pytest.mark.parametrize(
    ("kind", "reason", "scope"),
    [
        (EventType.HARD_BOUNCE, SuppressionReason.BOUNCED, SuppressionScope.ADDRESS),
        (EventType.COMPLAINT, SuppressionReason.COMPLAINED, SuppressionScope.ADDRESS),
        (EventType.UNSUBSCRIBE, SuppressionReason.UNSUBSCRIBED, SuppressionScope.NEWSLETTER),
    ],
)
async def test_an_event_leads_to_its_suppression_once(
    ctx: Context, kind: EventType, reason: SuppressionReason, scope: SuppressionScope
) -> None:
    report = await happen(ctx, kind)
    assert (report.events, report.suppressed + report.unsubscribed) == (1, 1)
    assert await reasons(ctx) == [(reason, scope)]
    assert (await settle(ctx, NOW)).events == 0
    report = await happen(ctx, kind)
    assert (report.events, report.suppressed) == (1, 0)
    assert len(await reasons(ctx)) == 1


async def test_an_unsubscription_ends_everything_a_person_follows(ctx: Context) -> None:
    await happen(ctx, EventType.UNSUBSCRIBE)
    assert (await reader(ctx)).status is SubscriberStatus.UNSUBSCRIBED
    async with ctx.store.read() as tx:
        assert [s.status for s in (await subscribers.subscriptions(tx, [1]))[1]] == ["ended"]
        assert [s.next_due_at for s in (await subscribers.schedules(tx, [1]))[1]] == [None]


async def test_soft_bounces_in_a_row_add_up_to_a_dead_address(ctx: Context) -> None:
    await happen(ctx, *[EventType.SOFT_BOUNCE] * (STRIKES - 1))
    assert (await reader(ctx)).soft_bounces == STRIKES - 1
    assert await reasons(ctx) == []
    assert (await happen(ctx, EventType.SOFT_BOUNCE)).suppressed == 1
    assert await reasons(ctx) == [(SuppressionReason.BOUNCED, SuppressionScope.ADDRESS)]


async def test_events_about_nobody_or_somebody_erased_are_laid_to_rest(ctx: Context) -> None:
    assert (await happen(ctx, EventType.COMPLAINT, subscriber_id=None)).events == 1
    async with ctx.store.write() as tx:
        person = (await subscribers.by_ids(tx, [1]))[1]
        await enrolment.erase(tx, ctx.address_key, person, NOW)
    before = await reasons(ctx)
    assert (await happen(ctx, EventType.COMPLAINT)).events == 1
    assert await reasons(ctx) == before
    async with ctx.store.read() as tx:
        assert await events.unapplied(tx) == []


async def test_an_event_that_cannot_be_applied_is_set_aside_once_and_stops_nobody(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = decide, 0

    def stumble(event: EventType, *, soft_bounces: int) -> Action:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return whole(event, soft_bounces=soft_bounces)

    monkeypatch.setattr(step, "decide", stumble)
    report = await happen(ctx, EventType.SOFT_BOUNCE, EventType.SOFT_BOUNCE)
    assert (report.events, calls) == (1, 2)
    assert (await reader(ctx)).soft_bounces == 1
    assert (await settle(ctx, NOW + timedelta(hours=1))).events == 0


async def test_a_database_that_refuses_loses_no_event(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*args: Any) -> int:
        raise StoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(subscribers, "strike", refuse)
        with pytest.raises(StoreError):
            await happen(ctx, EventType.SOFT_BOUNCE)
    async with ctx.store.read() as tx:
        assert [event.applied_at for event in await many(tx, Event)] == [None]
    assert (await settle(ctx, NOW)).events == 1
