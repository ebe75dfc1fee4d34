"""Which claimed deliveries may go: the buckets of both databases, slots, complaints."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import builders
import pytest
from dns_server import dns_server

from dispatcher.delivery.exchangers import Exchangers
from dispatcher.delivery.selector import Server
from dispatcher.model.outbound import Bucket, Claimed, Delivery
from dispatcher.model.values import Blame, Channel, DeliveryKind, DeliveryStatus, Outcome, OutcomeKind, Priority
from dispatcher.outbox import slowdown
from dispatcher.outbox.meters import HORIZON, LONGEST
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.quota import Admission, Quota
from dispatcher.store import buckets, claims
from dispatcher.store.engine import add_all, many, now_of, table

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 250, "2.0.0", "ok", relay="memory")
SLOWER = Outcome(OutcomeKind.DEFERRED, 450, "4.7.28", "4.7.28 unusual rate", Blame.MESSAGE, "memory")
CLOSING = Outcome(OutcomeKind.DEFERRED, 421, "4.7.0", "4.7.0 too many", Blame.RELAY, "memory")
UNREACHED = Outcome(OutcomeKind.DEFERRED, text="cannot connect", blame=Blame.RELAY, relay="memory")


@asynccontextmanager
async def office(folder: Path, url: str, now: datetime, **sections: Any) -> AsyncIterator[Context]:
    async with builders.world(builders.settings(folder, url, **sections), now) as ctx:
        yield ctx


def mail(number: int, recipient: str = "", priority: Priority = Priority.DIGEST) -> Claimed:
    """One claimed delivery."""
    blank = dict.fromkeys(Claimed._fields)
    known = {
        "id": number, "recipient": recipient or f"reader{number}@crowd.example", "priority": int(priority),
        "kind": DeliveryKind.DIGEST, "channel": Channel.EMAIL,
    }  # fmt: skip
    return Claimed(**blank | known)  # type: ignore[arg-type]


async def admit(ctx: Context, quota: Quota, deliveries: Sequence[Claimed], now: datetime) -> Admission:
    async with ctx.store.write() as tx:
        return await quota.admit(tx, deliveries, now)


async def kept(ctx: Context) -> dict[str, Bucket]:
    async with ctx.store.read() as tx:
        return {bucket.name: bucket for bucket in await many(tx, Bucket)}


def desk(quota: Quota) -> deque[Claimed]:
    """Where a quota looks for what waits."""
    waiting: deque[Claimed] = deque()
    assert quota.next(waiting) is None
    return waiting


def taken_by(quota: Quota, waiting: deque[Claimed]) -> list[int]:
    """Everything that may go at this moment."""
    found = []
    while (one := quota.next(waiting)) is not None:
        found.append(one.id)
    return found


async def test_without_limits_everything_goes_in_its_order_and_no_bucket_is_made(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now) as ctx:
        quota, claimed = Quota(ctx), [mail(n) for n in range(5)]
        admission = await admit(ctx, quota, claimed, now)
        assert admission == Admission(claimed)
        assert quota.room is None
        assert taken_by(quota, deque(admission.go)) == [0, 1, 2, 3, 4]
        quota.done(claimed[0], ACCEPTED, now)
        assert not quota.has_news
        assert await kept(ctx) == {}


async def test_two_processes_never_get_more_tokens_than_there_are(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now, send={"rate": "600/min"}) as ctx:
        quotas, went = [Quota(ctx), Quota(ctx)], 0
        desks = {quota: desk(quota) for quota in quotas}
        began = time.monotonic()
        for round_ in range(6):
            for quota, waiting in desks.items():
                admission = await admit(ctx, quota, [mail(round_ * 100 + n) for n in range(30)], now)
                assert len(admission.go) + len(admission.later) == 30
                assert all(due_at > now for _, due_at in admission.later)
                waiting.extend(admission.go)
                went += len(admission.go)
        passed = time.monotonic() - began
        assert 19 <= went <= 10 * (passed + HORIZON) + 1
        assert list(await kept(ctx)) == ["all/min"]


async def test_tokens_are_good_from_their_instant_on_and_someone_who_waits_is_told(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now, send={"rate": "600/min"}) as ctx:
        quota = Quota(ctx)
        waiting = deque((await admit(ctx, quota, [mail(n) for n in range(5)], now)).go)
        assert len(waiting) == 5
        went, began = taken_by(quota, waiting), time.monotonic()
        assert went
        while waiting:
            await asyncio.wait_for(quota.free(), 5)
            went += taken_by(quota, waiting)
        assert went == [0, 1, 2, 3, 4]
        assert time.monotonic() - began > 0.2


async def test_the_urgent_go_first_though_others_have_the_tokens(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now, send={"rate": "60/min"}) as ctx:
        quota = Quota(ctx)
        waiting = desk(quota)
        waiting.extend((await admit(ctx, quota, [mail(n) for n in range(10)], now)).go)
        assert len(waiting) == 2
        assert quota.room == 0
        urgent = mail(99, priority=Priority.BREAKING)
        assert (await admit(ctx, quota, [urgent], now)).go == [urgent]
        waiting.appendleft(urgent)
        assert taken_by(quota, waiting) == [99]


async def test_each_destination_has_its_own_rate_and_the_domains_of_a_provider_share_one(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    limits = [{"to": "gmail", "rate": "3/h"}, {"to": "*", "rate": "5/h"}, {"to": "vip.example", "rate": "100/h"}]
    async with office(tmp_path, furnished_url, now, limits=limits) as ctx:
        quota = Quota(ctx)
        domains = ("gmail.com", "googlemail.com", "one.example", "two.example", "vip.example")
        claimed = [mail(n, f"r{n}@{domains[n % 5]}") for n in range(100)]
        admission = await admit(ctx, quota, claimed, now)
        went = [one.recipient.partition("@")[2] for one in admission.go]
        assert went.count("gmail.com") + went.count("googlemail.com") == 2  # of three, one is for the urgent
        assert [went.count(domain) for domain in domains[2:]] == [4, 4, 20]
        assert set(await kept(ctx)) == {"to:gmail/h", "to:one.example/h", "to:two.example/h", "to:vip.example/h"}


async def test_a_relay_has_a_rate_and_a_warm_up(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    today = datetime.now(UTC).date()
    relay = {"name": "memory", "rate": "5000/h", "warm_up": str(today - timedelta(days=1))}
    async with office(tmp_path, furnished_url, now, smtp=[relay]) as ctx:
        quota = Quota(ctx)
        waiting = desk(quota)
        waiting.extend((await admit(ctx, quota, [mail(n) for n in range(300)], now)).go)
        assert len(waiting) == 99
        assert set(await kept(ctx)) == {"relay:memory/h", "relay:memory/warm-up"}
        assert quota.room == 0


async def test_slots_are_per_destination_and_in_all_and_come_free_again(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    chosen = {"send": {"concurrency": 3}, "limits": [{"to": "gmail", "concurrency": 1}]}
    async with office(tmp_path, furnished_url, now, **chosen) as ctx:
        quota = Quota(ctx)
        claimed = [*(mail(n, f"r{n}@gmail.com") for n in range(3)), *(mail(n) for n in range(3, 8))]
        waiting = deque((await admit(ctx, quota, claimed, now)).go)
        assert taken_by(quota, waiting) == [0, 3, 4]
        waits = asyncio.create_task(quota.free())
        await asyncio.sleep(0)
        assert not waits.done()
        quota.done(claimed[3], ACCEPTED, now)
        await asyncio.wait_for(waits, 5)
        assert taken_by(quota, waiting) == [5]
        quota.done(claimed[0], None, now)
        await asyncio.wait_for(quota.free(), 5)
        assert taken_by(quota, waiting) == [1]
        assert [one.id for one in waiting] == [2, 6, 7]


async def test_a_token_that_was_not_used_after_all_is_there_for_the_next(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now, send={"rate": "2/day"}) as ctx:
        quota = Quota(ctx)
        assert len((await admit(ctx, quota, [mail(0), mail(1)], now)).go) == 1
        for outcome in (None, UNREACHED, ACCEPTED):
            assert quota.next(deque([mail(0)])) == mail(0)
            assert quota.next(deque([mail(1)])) is None
            quota.done(mail(0), outcome, now)
        assert quota.next(deque([mail(1)])) is None


async def test_a_complaint_halves_the_pace_for_everybody_and_is_forgiven(
    tmp_path: Path, furnished_url: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(tmp_path, furnished_url, now) as ctx:
        here, there = Quota(ctx), Quota(ctx)
        quick = [mail(n, f"r{n}@gmail.com") for n in range(400)]
        for one in quick:
            here.done(one, ACCEPTED, now)
        here.done(quick[0], SLOWER, now)
        assert here.has_news
        await admit(ctx, here, [], now)
        assert not here.has_news
        bucket = (await kept(ctx))["to:gmail/slow"]
        assert (bucket.slowed, bucket.pace) == (0.5, 400.0)
        for quota in (here, there):
            admission = await admit(ctx, quota, [*quick, *(mail(n) for n in range(400, 500))], now)
            assert sum(one.recipient.endswith("crowd.example") for one in admission.go) == 100
            assert len(admission.go) <= 100 + 200 * HORIZON * 1.2
        ago = bucket.changed_at - slowdown.LONGEST  # type: ignore[operator]
        async with ctx.store.write() as tx:
            await tx.execute(table(Bucket).update().values(changed_at=ago))
        assert len((await admit(ctx, Quota(ctx), quick, now)).go) == 400


async def test_a_relay_that_complains_is_slowed_down_itself(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with office(tmp_path, furnished_url, now, smtp=[{"name": "memory"}]) as ctx:
        quota = Quota(ctx)
        quota.done(mail(0), CLOSING, now)
        await admit(ctx, quota, [], now)
        assert set(await kept(ctx)) == {"relay:memory/slow"}
        waiting = desk(quota)
        waiting.extend((await admit(ctx, quota, [mail(n) for n in range(100)], now)).go)
        assert len(waiting) == int(slowdown.SLOWEST / 2 * HORIZON)
        assert quota.room is not None


async def test_a_provider_that_complains_gets_fewer_at_once(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with office(tmp_path, furnished_url, now, limits=[{"to": "gmail", "concurrency": 8}]) as ctx:
        quota = Quota(ctx)
        crowd = [mail(n, f"r{n}@gmail.com") for n in range(1000)]
        for one in crowd:
            quota.done(one, ACCEPTED, now)
        quota.done(crowd[0], SLOWER, now)
        await admit(ctx, quota, [], now)
        waiting = deque((await admit(ctx, quota, crowd, now)).go)
        await asyncio.sleep(0.1)
        assert len(taken_by(quota, waiting)) == 4


async def test_new_limits_hold_from_the_next_claim_on(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with office(tmp_path, furnished_url, now) as ctx:
        quota, claimed = Quota(ctx), [mail(n) for n in range(50)]
        assert len((await admit(ctx, quota, claimed, now)).go) == 50
        ctx.settings = builders.settings(tmp_path, furnished_url, send={"rate": "10/h"})
        assert len((await admit(ctx, quota, claimed, now)).go) == 9
        ctx.settings = builders.settings(tmp_path, furnished_url)
        assert len((await admit(ctx, quota, claimed, now)).go) == 50


async def test_what_lost_its_token_gets_another_one_or_is_put_back(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    async with office(tmp_path, furnished_url, now, send={"rate": "1/min, 100/day"}) as ctx:
        quota = Quota(ctx)
        waiting = deque((await admit(ctx, quota, [mail(0), mail(1)], now)).go)
        assert [one.id for one in waiting] == [0]
        await asyncio.sleep(0.7)
        assert quota.next(waiting) is None, "its token of the minute has lapsed"
        admission = await admit(ctx, quota, [], now)
        assert [number for number, _ in admission.later] == [0], "the next one is a minute away"
        assert quota.next(waiting) is None
        assert not waiting


async def test_a_hosted_domain_counts_as_its_providers_once_that_is_known(
    tmp_path: Path, furnished_url: str, now: datetime
) -> None:
    chosen = {"send": {"look_up_mx": True}, "limits": [{"to": "gmail", "rate": "3/h"}]}
    with dns_server({"hosted.example": ["1 aspmx.l.google.com."]}) as address:
        async with office(tmp_path, furnished_url, now, **chosen) as ctx:
            quota = Quota(ctx)
            server = Server("127.0.0.1", int(address.rpartition(":")[2]))
            exchangers = quota._ways.exchangers = Exchangers(quota._ways._forget, server)
            crowd = [mail(n, f"r{n}@hosted.example") for n in range(10)]
            assert len((await admit(ctx, quota, crowd, now)).go) == 10
            await exchangers.settled()
            assert len((await admit(ctx, quota, crowd, now)).go) == 2


@pytest.mark.parametrize(("limit", "first"), [({"rate": "60/min"}, 2), ({"concurrency": 3}, 12)])
async def test_mail_behind_a_slow_provider_is_found_by_the_second_claim(
    tmp_path: Path, furnished_url: str, now: datetime, limit: dict[str, Any], first: int
) -> None:
    def row(ctx: Context, number: int, recipient: str) -> dict[str, Any]:
        return {
            "key": f"d:{number}", "kind": DeliveryKind.DIGEST, "priority": int(Priority.DIGEST),
            "status": DeliveryStatus.QUEUED, "newsletter_id": ctx.newsletter.id, "recipient": recipient,
            "address_hash": "", "personal": {}, "slot_at": now, "due_at": now, "expires_at": now + timedelta(days=1),
            "created_at": now, "message_id": "", "attempts": 0, "code": 0, "reason": "",
        }  # fmt: skip

    async with office(tmp_path, furnished_url, now, limits=[{"to": "gmail"} | limit]) as ctx:
        quota = Quota(ctx)
        waiting = desk(quota)
        async with ctx.store.write() as tx:
            slow = [row(ctx, n, f"r{n}@gmail.com") for n in range(700)]
            await add_all(tx, Delivery, slow + [row(ctx, n, f"r{n}@crowd.example") for n in range(700, 720)])
        for went in (first, 20):
            async with ctx.store.write() as tx:
                claim = await claims.claim(tx, ctx.instance.instance_id, now, limit=100)
                admission = await quota.admit(tx, claim.deliveries, now)
                await claims.put_back(tx, ctx.instance.instance_id, admission.later)
            assert len(admission.go) == went
            waiting.extend(admission.go)
        async with ctx.store.read() as tx:
            waits = [one.due_at for one in await many(tx, Delivery) if one.status == DeliveryStatus.QUEUED]
        assert len(waits) == 700 - first
        assert all(now < due_at <= now + timedelta(seconds=LONGEST) for due_at in waits)


async def test_buckets_that_nobody_uses_are_forgotten(tmp_path: Path, furnished_url: str, now: datetime) -> None:
    async with office(tmp_path, furnished_url, now) as ctx, ctx.store.write() as tx:
        present = await tx.run_sync(now_of)
        old = buckets.Kept(next_at=present - buckets.IDLE - timedelta(hours=1))
        made = {"old": old, "fresh": buckets.Kept(next_at=present), "slow": old._replace(changed_at=present)}
        await tx.run_sync(buckets.hold, made)
        await tx.run_sync(buckets.save, made)
        await tx.run_sync(buckets.forget)
        assert {bucket.name for bucket in await many(tx, Bucket)} == {"fresh", "slow"}
