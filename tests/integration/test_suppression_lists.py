"""Suppression lists: taken in and written out, idempotent, effective at once, and silent about who was erased."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import settings, topic, world

from dispatcher.errors import DispatcherError
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus, SuppressionReason, SuppressionScope
from dispatcher.pipeline import blocklist, enrolment, roster, sheet
from dispatcher.pipeline.admission import person, suppressed
from dispatcher.pipeline.context import Context
from dispatcher.store import outbox, suppressions
from dispatcher.store.engine import add
from dispatcher.store.keys import address_hash
from dispatcher.tokens import key_id

ANN, BOB = "ann@reader.example", "bob@reader.example"


@pytest.fixture
async def ctx(tmp_path: Path, furnished_url: str, now: datetime) -> AsyncIterator[Context]:
    async with world(settings(tmp_path, furnished_url, topics=[topic("energy", "energy")]), now) as opened:
        yield opened


async def take_in(
    ctx: Context, now: datetime, text: str, *, reason: SuppressionReason = SuppressionReason.BOUNCED,
    is_narrow: bool = False,
) -> tuple[blocklist.Listed, dict[int, str]]:  # fmt: skip
    path, bad = ctx.settings.base / "list.csv", dict[int, str]()
    path.write_text(text, encoding="utf-8")
    with sheet.opened(path) as file:
        done = await blocklist.take_in(
            ctx, blocklist.rows(file), now, reason=reason, is_narrow=is_narrow, on_bad=bad.__setitem__
        )
    return done, bad


async def written(ctx: Context) -> str:
    out = io.StringIO()
    await blocklist.write_out(ctx, out)
    return out.getvalue()


async def known(ctx: Context, email: str) -> list[tuple[Any, ...]]:
    async with ctx.store.read() as tx:
        hashed = address_hash(ctx.address_key, email)
        found = (await suppressions.of(tx, [hashed])).get(hashed, [])
    return [(one.reason, one.scope, one.since, one.address) for one in found]


async def waiting(ctx: Context, email: str, now: datetime, *, kind: DeliveryKind = DeliveryKind.DIGEST) -> int:
    """A message to an address that waits in the outbox."""
    row = Delivery(
        key=f"{email}:{kind}", kind=kind, priority=30, newsletter_id=ctx.newsletter.id or 0, recipient=email,
        address_hash=address_hash(ctx.address_key, email), slot_at=now, due_at=now, created_at=now,
        expires_at=now + timedelta(days=1),
    )  # fmt: skip
    async with ctx.store.write() as tx:
        return await add(tx, row)


async def status(ctx: Context, delivery_id: int) -> DeliveryStatus:
    async with ctx.store.read() as tx:
        found = await outbox.get(tx, delivery_id)
    assert found is not None
    return found.status


async def test_a_list_of_addresses_is_taken_in_once(ctx: Context, now: datetime) -> None:
    text = f"{ANN}\n\n  {BOB.upper()}  \nnobody\n{ANN}\n"
    done, bad = await take_in(ctx, now, text)
    assert (done.read, done.added, done.unchanged, done.bad) == (4, 2, 1, 1)
    assert list(bad) == [4]
    assert await known(ctx, BOB) == [(SuppressionReason.BOUNCED, SuppressionScope.ADDRESS, now, BOB)]
    done, _ = await take_in(ctx, now + timedelta(days=1), text)
    assert (done.added, done.unchanged) == (0, 3)


async def test_a_sheet_says_reason_scope_and_since_of_each(ctx: Context, now: datetime) -> None:
    text = f"since;Email;reason;scope\n2024-05-01;{ANN};Complained;\n;{BOB};unsubscribed;newsletter\n"
    await take_in(ctx, now, text)
    assert await known(ctx, ANN) == [
        (SuppressionReason.COMPLAINED, SuppressionScope.ADDRESS, datetime(2024, 5, 1, tzinfo=UTC), ANN)
    ]
    assert await known(ctx, BOB) == [(SuppressionReason.UNSUBSCRIBED, SuppressionScope.NEWSLETTER, now, BOB)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{ANN},bored,,", 'reason: "bored" is none; there are unsubscribed, bounced'),
        (f"{ANN},,town,", 'scope: "town" is none'),
        (f"{ANN},,,yesterday", 'since: "yesterday" is not a time'),
        (",bounced,,", "neither an e-mail address nor a hash"),
        ('"a\nb",bounced,,', "is not an e-mail address"),
    ],
)
async def test_a_line_that_says_nothing_sensible_is_left_out(
    line: str, reason: str, ctx: Context, now: datetime
) -> None:
    done, bad = await take_in(ctx, now, f"email,reason,scope,since\n{line}\n{BOB},,,\n")
    assert (done.added, done.bad) == (1, 1)
    assert reason in bad[2] or "control character" in bad[2]


async def test_a_list_without_an_address_in_its_first_line_must_name_its_columns(ctx: Context, now: datetime) -> None:
    with pytest.raises(DispatcherError, match="there is no column email"):
        await take_in(ctx, now, f"name\n{ANN}\n")


async def test_what_waits_for_a_suppressed_address_is_ended_whoever_it_is_for(ctx: Context, now: datetime) -> None:
    digest, letter = await waiting(ctx, ANN, now), await waiting(ctx, ANN, now, kind=DeliveryKind.CONFIRMATION)
    other = await waiting(ctx, BOB, now)
    done, _ = await take_in(ctx, now, f"{ANN}\n")
    assert done.ended == 2
    assert [await status(ctx, one) for one in (digest, letter, other)] == [
        DeliveryStatus.SUPPRESSED, DeliveryStatus.SUPPRESSED, DeliveryStatus.QUEUED,
    ]  # fmt: skip


async def test_who_is_suppressed_for_the_newsletter_still_gets_a_confirmation(ctx: Context, now: datetime) -> None:
    digest, letter = await waiting(ctx, ANN, now), await waiting(ctx, ANN, now, kind=DeliveryKind.CONFIRMATION)
    async with ctx.store.write() as tx:
        reason = SuppressionReason.UNSUBSCRIBED
        assert await blocklist.suppress(ctx, tx, ANN, reason, now, is_narrow=True)
    assert [await status(ctx, one) for one in (digest, letter)] == [DeliveryStatus.SUPPRESSED, DeliveryStatus.QUEUED]


async def test_nobody_on_the_list_is_enrolled_afterwards(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"{ANN}\n")
    bad: dict[int, str] = {}
    rows = [sheet.Row(2, {"email": ANN}), sheet.Row(3, {"email": BOB})]
    done = await roster.take_in(ctx, rows, now, on_bad=bad.__setitem__)
    assert (done.created, "suppressed (bounced)" in bad[2]) == (1, True)


async def test_a_list_goes_out_and_comes_back_with_who_was_erased_as_a_hash(ctx: Context, now: datetime) -> None:
    await roster.take_in(ctx, [sheet.Row(2, {"email": ANN})], now, on_bad=print)
    async with ctx.store.write() as tx:
        await enrolment.erase(tx, ctx.address_key, await person(tx, ANN), now)
    await take_in(ctx, now, f"{BOB}\n")
    out = await written(ctx)
    hashed = address_hash(ctx.address_key, ANN)
    assert ANN not in out
    assert f",erased,address,{now.isoformat()},{key_id(ctx.address_key)}:{hashed}\n" in out
    done, bad = await take_in(ctx, now, out)
    assert (done.added, done.unchanged, bad) == (0, 3, {})
    async with ctx.store.write() as tx:  # as after going back to an older backup
        await suppressions.remove(tx, hashed)
        await suppressions.remove(tx, address_hash(ctx.address_key, BOB))
    done, bad = await take_in(ctx, now, out)
    assert (done.added, bad) == (3, {})
    assert sorted((await written(ctx)).splitlines()) == sorted(out.splitlines())
    async with ctx.store.read() as tx:
        assert await suppressed(ctx, tx, [ANN, BOB]) == {
            ANN: SuppressionReason.ERASED, BOB: SuppressionReason.BOUNCED,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("hashed", "reason"),
    [
        ("abcdef:" + "a" * 40, "another database's key"),
        ("a" * 40, "neither an e-mail address nor a hash"),
        ("abcdef:" + "A" * 40, "neither an e-mail address nor a hash"),
        ("abcdef:../..", "neither an e-mail address nor a hash"),
    ],
)
async def test_a_hash_that_means_nobody_here_is_refused(hashed: str, reason: str, ctx: Context, now: datetime) -> None:
    done, bad = await take_in(ctx, now, f"email,reason,hash\n,erased,{hashed}\n")
    assert (done.added, reason in bad[2]) == (0, True)


async def test_of_an_address_that_is_said_to_be_erased_only_the_hash_is_kept(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"email,reason\n{ANN},erased\n")
    assert await known(ctx, ANN) == [(SuppressionReason.ERASED, SuppressionScope.ADDRESS, now, "")]


async def test_removing_takes_back_all_or_what_is_for_the_newsletter_only(ctx: Context, now: datetime) -> None:
    await take_in(ctx, now, f"email,scope\n{ANN},address\n{ANN},newsletter\n")
    hashed = address_hash(ctx.address_key, ANN)
    async with ctx.store.write() as tx:
        assert await suppressions.remove(tx, hashed, newsletter_id=ctx.newsletter.id) == 1
    assert [one[1] for one in await known(ctx, ANN)] == [SuppressionScope.ADDRESS]
    async with ctx.store.write() as tx:
        assert await suppressions.remove(tx, hashed) == 1
    assert await known(ctx, ANN) == []


async def test_more_than_one_transaction_holds_are_taken_in_and_written_out(ctx: Context, now: datetime) -> None:
    count = 2 * blocklist.BATCH + 3
    done, _ = await take_in(ctx, now, "".join(f"r{n}@reader.example\n" for n in range(count)))
    assert done.added == count
    assert len((await written(ctx)).splitlines()) == count + 1
