"""What a claim may take, and who stops it: on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import builders
import pytest

from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Claimed, Delivery, Tally
from dispatcher.model.values import (
    Channel,
    DeliveryKind,
    DeliveryStatus,
    EventType,
    Origin,
    PauseCause,
    PauseScope,
    Priority,
    SubscriberStatus,
)
from dispatcher.outbox.priority import priority_of
from dispatcher.outbox.safety import JUDGED, Allowance
from dispatcher.pipeline import safety
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.prune import prune
from dispatcher.pipeline.settle import settle
from dispatcher.pipeline.standing import said, standing
from dispatcher.store import audits, events, pauses, tallies
from dispatcher.store.engine import add, add_all, many

OWNER = "owner@gazette.example"
BULK_ONLY = Allowance(priority_below=int(Priority.DIGEST))
OPEN = Allowance()


@pytest.fixture
async def ctx(tmp_path: Path, furnished_url: str, now: datetime) -> AsyncIterator[Context]:
    """A newsletter whose limits are small enough to be reached in a test."""
    chosen = builders.settings(
        tmp_path, furnished_url, alerts={"to": OWNER}, safety={"batch": 20, "volume_over": 10, "volume_factor": 5}
    )
    async with builders.world(chosen, now) as opened:
        yield opened


async def allowed(ctx: Context, now: datetime) -> Allowance:
    async with ctx.store.write() as tx:
        return await safety.allowance(ctx, tx, now)


def row(ctx: Context, number: int, now: datetime, **changes: Any) -> dict[str, Any]:
    kind = changes.get("kind", DeliveryKind.DIGEST)
    values = {
        "key": f"d:{number}", "kind": kind, "priority": priority_of(kind), "status": DeliveryStatus.QUEUED,
        "newsletter_id": ctx.newsletter.id, "channel": Channel.EMAIL, "recipient": f"r{number}@reader.example",
        "address_hash": "", "personal": {}, "slot_at": now, "due_at": now, "expires_at": now + timedelta(hours=20),
        "created_at": now, "message_id": "", "attempts": 0, "code": 0, "reason": "",
    }  # fmt: skip
    return values | changes


async def queue(ctx: Context, how_many: int, now: datetime, **changes: Any) -> list[int]:
    async with ctx.store.write() as tx:
        first = await tallies.newest(tx) + 1
        return await add_all(tx, Delivery, [row(ctx, first + n, now, **changes) for n in range(how_many)])


def claimed(ctx: Context, kind: DeliveryKind = DeliveryKind.DIGEST, channel: Channel = Channel.EMAIL) -> Claimed:
    blank = dict.fromkeys(Claimed._fields)
    return Claimed(**blank | {"newsletter_id": ctx.newsletter.id, "kind": kind, "channel": channel})  # type: ignore[arg-type]


async def count(
    ctx: Context, now: datetime, *, sent: int = 0, failed: int = 0, bounced: int = 0, me: int = 1, **of: Any
) -> None:
    """Count outcomes, as the ledger does."""
    one = claimed(ctx, **of)
    ended = [(one, DeliveryStatus.SENT, False)] * sent + [(one, DeliveryStatus.FAILED, False)] * failed
    ended += [(one, DeliveryStatus.FAILED, True)] * bounced
    await ctx.store.at_once(lambda connection: safety.tally(connection, me, ended, now))


async def standing_pauses(ctx: Context) -> list[tuple[PauseScope, PauseCause]]:
    async with ctx.store.read() as tx:
        return [(pause.scope, pause.cause) for pause in await pauses.in_force(tx)]


async def letters(ctx: Context) -> list[Delivery]:
    async with ctx.store.read() as tx:
        return [found for found in await many(tx, Delivery) if found.kind is DeliveryKind.OWNER]


# -- pauses ----------------------------------------------------------------------------------------------------------


async def test_an_operator_pauses_and_resumes_and_the_log_says_who(ctx: Context, now: datetime) -> None:
    assert await allowed(ctx, now) == OPEN
    async with ctx.store.write() as tx:
        assert await safety.pause(ctx, tx, PauseScope.BULK, now, "cli", reason="a wrong story")
        assert not await safety.pause(ctx, tx, PauseScope.BULK, now, "cli")
    assert await allowed(ctx, now) == BULK_ONLY
    async with ctx.store.write() as tx:
        assert await safety.pause(ctx, tx, PauseScope.ALL, now, "cli"), "all is more than bulk"
        assert not await safety.pause(ctx, tx, PauseScope.BULK, now, "cli"), "all is kept back already"
    assert await allowed(ctx, now) == Allowance(priority_below=0)
    async with ctx.store.read() as tx:
        shown = [said(pause) for pause in (await standing(ctx, tx, now)).pauses]
    assert shown[0] == (
        "digests and editions kept back by cli since 2026-03-02 07:00Z: a wrong story; "
        "`dispatcher send resume` lets it go"
    )
    async with ctx.store.write() as tx:
        assert len(await safety.resume(ctx, tx, now, "cli")) == 2
        assert await safety.resume(ctx, tx, now, "cli") == []
    assert await allowed(ctx, now) == OPEN
    async with ctx.store.read() as tx:
        actions = [line.action for line in await audits.latest(tx, 9)]
    assert actions == ["resume sending"] * 2 + ["pause sending"] * 2


async def test_two_who_pause_at_once_make_one_pause(ctx: Context, now: datetime) -> None:
    async def pause() -> bool:
        async with ctx.store.write() as tx:
            return await safety.pause(ctx, tx, PauseScope.BULK, now, "cli")

    assert sorted(await asyncio.gather(*(pause() for _ in range(5)))) == [False] * 4 + [True]


# -- counting --------------------------------------------------------------------------------------------------------


async def test_outcomes_are_counted_by_hour_and_kind_whoever_counts(ctx: Context, now: datetime) -> None:
    await asyncio.gather(*(count(ctx, now, sent=3, failed=1, bounced=1, me=me) for me in (1, 2, 17)))
    await count(ctx, now + timedelta(hours=1), sent=2, kind=DeliveryKind.ALERT)
    await count(ctx, now, sent=9, channel=Channel.WEBHOOK)
    number = ctx.newsletter.id
    async with ctx.store.read() as tx:
        assert await tallies.since(tx, JUDGED, now) == {
            number: {"sent": 11, "failed": 6, "bounced": 3, "complained": 0}
        }
        assert (await tallies.since(tx, JUDGED, now, until=now + timedelta(hours=1)))[number or 0]["sent"] == 9
        assert await tallies.daily(tx, [DeliveryKind.DIGEST], now) == {now.date(): 15}
        assert await tallies.ended(tx, now) == 17
        assert len(await many(tx, Tally)) == 3, "process 17 counts in the row of process 1"


async def test_what_goes_on_waiting_is_not_counted(ctx: Context, now: datetime) -> None:
    ended = [(claimed(ctx), status, False) for status in (DeliveryStatus.DEFERRED, DeliveryStatus.HELD)]
    await ctx.store.at_once(lambda connection: safety.tally(connection, 1, ended, now))
    async with ctx.store.read() as tx:
        assert await tallies.since(tx, JUDGED, now) == {}


async def test_prune_forgets_old_counts_and_old_pauses(ctx: Context, now: datetime) -> None:
    await count(ctx, now, sent=1)
    async with ctx.store.write() as tx:
        await safety.pause(ctx, tx, PauseScope.BULK, now, "cli")
        await safety.resume(ctx, tx, now, "cli")
        await safety.pause(ctx, tx, PauseScope.ALL, now, "cli")
    await prune(ctx, now + timedelta(days=1000))
    async with ctx.store.read() as tx:
        assert await tallies.since(tx, JUDGED, now) == {}
        assert await pauses.last_lifted(tx, PauseCause.OPERATOR) is None
    assert await standing_pauses(ctx) == [(PauseScope.ALL, PauseCause.OPERATOR)], "what is in force is never forgotten"


# -- what comes back -------------------------------------------------------------------------------------------------


async def test_too_many_bounces_keep_bulk_mail_back_and_tell_the_owner_once(ctx: Context, now: datetime) -> None:
    await count(ctx, now, sent=19)
    assert await allowed(ctx, now) == OPEN
    await count(ctx, now, bounced=1)
    later = now + timedelta(seconds=6)
    assert [await allowed(ctx, later) for _ in range(3)] == [BULK_ONLY] * 3
    assert await standing_pauses(ctx) == [(PauseScope.BULK, PauseCause.BOUNCES)]
    (letter,) = await letters(ctx)
    assert (letter.recipient, letter.priority) == (OWNER, Priority.CONFIRMATION), "it passes the pause it tells of"


async def test_letters_to_addresses_that_do_not_exist_cannot_stop_the_digests(ctx: Context, now: datetime) -> None:
    await count(ctx, now, bounced=50, kind=DeliveryKind.CONFIRMATION)
    assert await allowed(ctx, now) == OPEN


async def test_what_came_back_before_a_resume_does_not_stop_it_again_but_what_comes_after_does(
    ctx: Context, now: datetime
) -> None:
    await count(ctx, now - timedelta(hours=3), sent=100)
    await count(ctx, now, bounced=20)
    assert await allowed(ctx, now) == BULK_ONLY
    resumed = now + timedelta(minutes=10)
    async with ctx.store.write() as tx:
        assert len(await safety.resume(ctx, tx, resumed, "cli")) == 1
    for minutes in (11, 12, 90, 23 * 60):
        assert await allowed(ctx, now + timedelta(minutes=minutes)) == OPEN
    await count(ctx, now + timedelta(minutes=20), sent=30, bounced=1)  # the same hour, and one in thirty
    assert await allowed(ctx, now + timedelta(minutes=21)) == OPEN
    await count(ctx, now + timedelta(minutes=30), bounced=1)
    assert await allowed(ctx, now + timedelta(minutes=31)) == BULK_ONLY
    assert len(await letters(ctx)) == 2, "another pause is another event"


async def test_complaints_and_late_bounces_count_in_the_hour_in_which_their_mail_left(
    ctx: Context, now: datetime
) -> None:
    left = now - timedelta(days=2)
    await count(ctx, left, sent=40)
    (number,) = await queue(ctx, 1, left, status=DeliveryStatus.SENT, finished_at=left)
    async with ctx.store.write() as tx:
        reader = Subscriber(
            email="ann@reader.example", address_hash="h", status=SubscriberStatus.ACTIVE, origin=Origin.CLI,
            locale="en", timezone="UTC", created_at=left,
        )  # fmt: skip
        await add(tx, reader)
        what = {"subscriber_id": reader.id, "delivery_id": number, "raw": {}, "at": now, "applied_at": None}
        await events.record(tx, [{"type": EventType.COMPLAINT, **what}, {"type": EventType.UNSUBSCRIBE, **what}])
    await settle(ctx, now)
    await settle(ctx, now)
    async with ctx.store.read() as tx:
        found = await tallies.since(tx, JUDGED, left, until=left + timedelta(hours=1))
    assert found == {ctx.newsletter.id: {"sent": 40, "failed": 0, "bounced": 0, "complained": 1}}
    assert await allowed(ctx, now) == BULK_ONLY, "one in forty, in the last week"


async def test_a_late_bounce_of_what_left_before_a_resume_is_not_held_against_what_leaves_after(
    ctx: Context, now: datetime
) -> None:
    await count(ctx, now, sent=18, bounced=2)
    (number,) = await queue(ctx, 1, now, status=DeliveryStatus.SENT, finished_at=now)
    assert await allowed(ctx, now) == BULK_ONLY
    async with ctx.store.write() as tx:
        await safety.resume(ctx, tx, now + timedelta(minutes=1), "cli")
        for _ in range(5):
            await safety.tally_event(ctx, tx, EventType.HARD_BOUNCE, number, now + timedelta(minutes=2))
    await count(ctx, now + timedelta(minutes=3), sent=40)
    assert await allowed(ctx, now + timedelta(minutes=4)) == OPEN


async def test_what_comes_back_is_looked_at_every_few_seconds_not_at_every_claim(ctx: Context, now: datetime) -> None:
    assert await allowed(ctx, now) == OPEN
    await count(ctx, now, bounced=20)
    assert await allowed(ctx, now + timedelta(seconds=1)) == OPEN
    assert await allowed(ctx, now + timedelta(seconds=5)) == BULK_ONLY


# -- far more than usual ---------------------------------------------------------------------------------------------


async def a_history(ctx: Context, now: datetime, *, days: int = 20, a_day: int = 4) -> None:
    for day in range(1, days + 1):
        await count(ctx, now - timedelta(days=day), sent=a_day)


async def test_far_more_than_usual_waits_before_the_first_has_left(ctx: Context, now: datetime) -> None:
    await a_history(ctx, now)
    await queue(ctx, 20, now)
    assert await allowed(ctx, now) == OPEN, "five times the usual is 20"
    await queue(ctx, 1, now)
    assert await allowed(ctx, now) == BULK_ONLY
    assert await standing_pauses(ctx) == [(PauseScope.BULK, PauseCause.VOLUME)]
    assert len(await letters(ctx)) == 1
    async with ctx.store.read() as tx:
        volume = (await standing(ctx, tx, now)).volume
    assert (volume.waiting, volume.today, volume.usual, volume.most) == (21, 0, 4, 20)


async def test_an_approval_holds_for_a_day_and_for_twice_as_many(ctx: Context, now: datetime) -> None:
    await a_history(ctx, now)
    await queue(ctx, 30, now)
    assert await allowed(ctx, now) == BULK_ONLY
    async with ctx.store.write() as tx:
        assert await safety.resume(ctx, tx, now, "cli") == [], "a volume waits for an approval"
        assert len(await safety.approve(ctx, tx, now, "cli")) == 1
    await queue(ctx, 30, now)
    assert await allowed(ctx, now) == OPEN
    midnight = now + timedelta(hours=17)
    assert await allowed(ctx, midnight + timedelta(minutes=1)) == OPEN, "a run may last over midnight"
    await queue(ctx, 1, now)
    assert await allowed(ctx, now) == BULK_ONLY


async def test_what_has_left_today_counts_with_what_waits(ctx: Context, now: datetime) -> None:
    await a_history(ctx, now)
    await count(ctx, now, sent=15)
    await count(ctx, now, sent=50, kind=DeliveryKind.BREAKING)
    await queue(ctx, 50, now, kind=DeliveryKind.ALERT)
    await queue(ctx, 5, now)
    assert await allowed(ctx, now) == OPEN, "alerts and breaking news are never held against it"
    await queue(ctx, 1, now)
    assert await allowed(ctx, now) == BULK_ONLY


async def test_without_a_fortnight_of_history_or_with_a_factor_of_0_nothing_is_unusual(
    ctx: Context, now: datetime
) -> None:
    await a_history(ctx, now, days=13)
    await queue(ctx, 100, now)
    assert await allowed(ctx, now) == OPEN
    await a_history(ctx, now)
    ctx.settings = ctx.settings.model_copy(
        update={"safety": ctx.settings.safety.model_copy(update={"volume_factor": 0})}
    )
    assert await allowed(ctx, now) == OPEN


async def test_most_claims_count_nothing(ctx: Context, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    await a_history(ctx, now)
    await queue(ctx, 5, now)
    counted: list[int | None] = []
    real = tallies.waiting

    async def waiting(tx: Any, *, most: int | None = None) -> int:
        counted.append(most)
        return await real(tx, most=most)

    monkeypatch.setattr(tallies, "waiting", waiting)
    for _ in range(10):
        await allowed(ctx, now)
    await queue(ctx, 15, now)
    await allowed(ctx, now)
    assert counted == [21], "once, and no further than it matters; fifteen more cannot be too many"
    await queue(ctx, 1, now)
    assert await allowed(ctx, now) == BULK_ONLY


# -- the daily cap ---------------------------------------------------------------------------------------------------


async def test_a_daily_cap_counts_everything_and_holds_up_only_bulk_mail_until_midnight(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    chosen = builders.settings(tmp_path, furnished_url, send={"per_day": 10})
    async with builders.world(chosen, now) as ctx:
        await count(ctx, now - timedelta(days=1), sent=50)
        assert await allowed(ctx, now) == Allowance(most=10)
        await count(ctx, now, sent=3, kind=DeliveryKind.CONFIRMATION)
        await count(ctx, now, failed=1)
        assert await allowed(ctx, now) == Allowance(most=6)
        await queue(ctx, 4, now, status=DeliveryStatus.SENDING)
        assert await allowed(ctx, now) == Allowance(most=2), "what others have claimed is spoken for"
        await count(ctx, now, sent=2)
        assert await allowed(ctx, now) == BULK_ONLY
        assert (await allowed(ctx, now + timedelta(hours=17))).most == 6
