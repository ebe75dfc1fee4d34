"""The outbox's rows on both databases: every move is a compare-and-set, and only the moves that the rules allow."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.feedback import Event
from dispatcher.model.outbound import Attempt, Delivery, Digest, Newsletter
from dispatcher.model.values import (
    DeliveryKind,
    DeliveryStatus,
    EventType,
    Origin,
    OutcomeKind,
    SubscriberStatus,
    SuppressionReason,
)
from dispatcher.outbox import transitions
from dispatcher.store import Store, Transaction, claims, events, lanes, outbox, pieces, suppressions
from dispatcher.store.claims import Verdict
from dispatcher.store.engine import add, many, one, table

ME, OTHER = 7, 8
LATER = timedelta(hours=1)
numbers = count(1)


class Shelf:
    """An outbox with a newsletter and a reader, to put deliveries of any kind into."""

    def __init__(self, store: Store, now: datetime) -> None:
        self.store, self.now = store, now
        self.newsletter_id = self.reader_id = 0

    async def open(self) -> Shelf:
        async with self.store.write() as tx:
            self.newsletter_id = await add(tx, Newsletter(slug="one", name="One", sender="a@b.example", list_id="x.y"))
            reader = Subscriber(email="ann@reader.example", origin=Origin.CLI, created_at=self.now)
            self.reader_id = await add(tx, reader)
        return self

    async def put(self, status: DeliveryStatus = DeliveryStatus.QUEUED, **changes: Any) -> int:
        """One delivery in a status; what is sending is ours."""
        number = next(numbers)
        claimed = {"claimed_by": ME, "lease_until": datetime.now(self.now.tzinfo) + LATER}
        values: dict[str, Any] = {
            "key": f"key{number}", "kind": DeliveryKind.DIGEST, "priority": 30, "status": status,
            "newsletter_id": self.newsletter_id, "subscriber_id": self.reader_id, "recipient": "ann@reader.example",
            "address_hash": "ann", "slot_at": self.now, "due_at": self.now, "expires_at": self.now + LATER,
            "created_at": self.now, "message_id": f"<{number}@x.example>",
            **(claimed if status == DeliveryStatus.SENDING else {}),
        }  # fmt: skip
        async with self.store.write() as tx:
            return await add(tx, Delivery(**values | changes))

    async def edition(self) -> int:
        """A digest of edition 1."""
        row = {"key": f"digest{next(numbers)}", "newsletter_id": self.newsletter_id, "kind": DeliveryKind.EDITION}
        async with self.store.write() as tx:
            return await add(tx, Digest(**row, slot_at=self.now, created_at=self.now, edition_id=1))

    async def of_each(self, **changes: Any) -> dict[DeliveryStatus, int]:
        """One delivery in every status."""
        return {status: await self.put(status, **changes) for status in DeliveryStatus}

    async def get(self, delivery_id: int) -> Delivery:
        async with self.store.read() as tx:
            found = await outbox.get(tx, delivery_id)
        assert found is not None
        return found

    async def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function of the outbox in a transaction of its own."""
        async with self.store.write() as tx:
            return await function(tx, *arguments, **named)

    async def sync(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same for those that are given a connection."""
        async with self.store.write() as tx:
            return await tx.run_sync(function, *arguments)

    async def is_wanted(self, delivery_id: int) -> bool:
        """The last look at one of ours."""
        wanted, _ = await self.sync(claims.look, ME, [delivery_id], self.now)
        return bool(wanted)

    async def claim(self, limit: int = 10, by: int = ME, now: datetime | None = None) -> claims.Claim:
        found: claims.Claim = await self.do(claims.claim, by, now or self.now, limit=limit)
        return found

    async def readdress(self) -> int:
        """Send what waits to another address of the reader."""
        values = {"subscriber_id": self.reader_id, "address": f"{next(numbers)}@reader.example", "address_hash": "new"}
        async with self.store.write() as tx:
            other = Endpoint(**values, created_at=self.now)
            await add(tx, other)
            return await outbox.readdress(tx, other)

    async def moves(self, ids: dict[DeliveryStatus, int]) -> set[tuple[DeliveryStatus, DeliveryStatus]]:
        """(before, after) of those that have moved."""
        after = {before: (await self.get(delivery_id)).status for before, delivery_id in ids.items()}
        return {(before, then) for before, then in after.items() if before != then}


@pytest.fixture
async def shelf(store: Store, now: datetime) -> Shelf:
    """An empty outbox of each engine."""
    return await Shelf(store, now).open()


def verdict(delivery_id: int, status: DeliveryStatus = DeliveryStatus.SENT, **changes: Any) -> Verdict:
    """What an attempt led to."""
    plain = Verdict(delivery_id, status, None, OutcomeKind.ACCEPTED, 250, "2.0.0", "kept", "relay", "")
    return replace(plain, **changes)


def test_the_statuses_that_wait_are_the_same_for_the_rules_and_for_the_store() -> None:
    assert set(lanes.WAITING) == transitions.WAITING
    assert set(lanes.OPEN) == set(DeliveryStatus) - transitions.TERMINAL


async def test_the_most_urgent_is_claimed_first_and_among_equals_the_longest_due(shelf: Shelf, now: datetime) -> None:
    early, late = now - LATER, now - LATER / 2
    digest_late = await shelf.put(priority=30, due_at=late)
    digest_early = await shelf.put(priority=30, due_at=early)
    alert_deferred = await shelf.put(DeliveryStatus.DEFERRED, priority=10, due_at=late)
    alert = await shelf.put(priority=10, due_at=early)
    await shelf.put(priority=0, due_at=now + LATER)
    first = await shelf.claim(limit=3)
    assert [found.id for found in first.deliveries] == [alert, alert_deferred, digest_early]
    assert [found.id for found in (await shelf.claim()).deliveries] == [digest_late]
    assert (await shelf.claim()).is_empty


async def test_a_claim_fixes_the_date_once_and_takes_a_lease(shelf: Shelf, now: datetime) -> None:
    delivery_id = await shelf.put()
    (claimed,) = (await shelf.claim()).deliveries
    row = await shelf.get(delivery_id)
    assert (row.status, row.claimed_by, row.dated_at, claimed.dated_at) == (DeliveryStatus.SENDING, ME, now, now)
    assert row.lease_until is not None
    await shelf.do(claims.release, ME, [delivery_id])
    (again,) = (await shelf.claim(by=OTHER, now=now + LATER / 2)).deliveries
    assert ((await shelf.get(again.id)).claimed_by, again.dated_at) == (OTHER, now)


async def test_a_claim_ends_what_is_too_late_and_what_is_not_wanted(shelf: Shelf, now: datetime) -> None:
    late = await shelf.put(expires_at=now)
    barred = await shelf.put(address_hash="barred")
    await shelf.do(suppressions.add, "barred", SuppressionReason.BOUNCED, now)
    claim = await shelf.claim()
    assert (list(claim.deliveries), len(claim.expired), claim.suppressed) == ([], 1, 1)
    assert (await shelf.get(late)).status == DeliveryStatus.EXPIRED
    gone = await shelf.get(barred)
    assert (gone.status, gone.finished_at, gone.reason) == (DeliveryStatus.SUPPRESSED, now, "the address is suppressed")


@pytest.mark.parametrize(
    "status", [s for s in SubscriberStatus if s not in (SubscriberStatus.ACTIVE, SubscriberStatus.PENDING)]
)
async def test_who_left_or_paused_is_not_claimed_and_no_longer_wanted(shelf: Shelf, now: datetime, status: Any) -> None:
    sending, waiting = await shelf.put(DeliveryStatus.SENDING), await shelf.put()
    assert await shelf.is_wanted(sending)
    await shelf.do(_set_reader, shelf.reader_id, status)
    assert (await shelf.claim()).suppressed == 1
    assert (await shelf.get(waiting)).status == DeliveryStatus.SUPPRESSED
    assert await shelf.do(outbox.suppress, now, among=[sending]) == 0  # it may be on the wire
    assert await shelf.sync(claims.look, OTHER, [sending], now) == (set(), 0)
    assert await shelf.sync(claims.look, ME, [sending], now) == (set(), 1)
    assert (await shelf.get(sending)).status == DeliveryStatus.SUPPRESSED


async def _set_reader(tx: Transaction, reader_id: int, status: SubscriberStatus) -> None:
    reader = table(Subscriber)
    await tx.execute(sa.update(reader).where(reader.c.id == reader_id).values(status=status))


async def test_a_newsletters_suppression_stops_its_digests_but_no_confirmation_and_no_other_newsletter(
    shelf: Shelf, now: datetime
) -> None:
    async with shelf.store.write() as tx:
        other = await add(tx, Newsletter(slug="two", name="Two", sender="a@b.example", list_id="z.y"))
    digest = await shelf.put()
    confirmation = await shelf.put(kind=DeliveryKind.CONFIRMATION)
    elsewhere = await shelf.put(newsletter_id=other)
    gone = SuppressionReason.UNSUBSCRIBED
    await shelf.do(suppressions.add, "ann", gone, now, newsletter_id=shelf.newsletter_id)
    assert {found.id for found in (await shelf.claim()).deliveries} == {confirmation, elsewhere}
    assert (await shelf.get(digest)).status == DeliveryStatus.SUPPRESSED


async def test_an_outcome_is_written_by_the_claimer_only_and_once(shelf: Shelf, now: datetime) -> None:
    mine, theirs = await shelf.put(DeliveryStatus.SENDING), await shelf.put(DeliveryStatus.SENDING, claimed_by=OTHER)
    queued = await shelf.put()
    verdicts = [verdict(mine), verdict(theirs), verdict(queued)]
    assert await shelf.sync(claims.ours, ME, [mine, theirs, queued]) == {mine}
    await shelf.sync(claims.settle, ME, verdicts, now)
    await shelf.sync(claims.settle, ME, [verdict(mine)], now + LATER)
    done = await shelf.get(mine)
    assert (done.status, done.claimed_by, done.lease_until, done.code) == (DeliveryStatus.SENT, None, None, 250)
    assert (done.attempts, done.finished_at) == (1, now)
    assert (await shelf.get(theirs)).status == DeliveryStatus.SENDING
    assert (await shelf.get(queued)).status == DeliveryStatus.QUEUED


async def test_a_deferral_keeps_its_time_and_counts_unless_the_relay_was_at_fault(shelf: Shelf, now: datetime) -> None:
    first, second = await shelf.put(DeliveryStatus.SENDING), await shelf.put(DeliveryStatus.SENDING)
    again = verdict(
        first, DeliveryStatus.DEFERRED, due_at=now + LATER, outcome=OutcomeKind.DEFERRED, reason="451 later"
    )
    await shelf.sync(claims.settle, ME, [again, replace(again, delivery_id=second, counts=False)], now)
    counted, excused = await shelf.get(first), await shelf.get(second)
    assert (counted.status, counted.due_at, counted.attempts) == (DeliveryStatus.DEFERRED, now + LATER, 1)
    assert (excused.due_at, excused.attempts, excused.finished_at) == (now + LATER, 0, None)
    async with shelf.store.read() as tx:
        (attempt,) = await outbox.attempts(tx, first)
    assert (attempt.at, attempt.outcome, attempt.relay) == (now, OutcomeKind.DEFERRED, "relay")


async def test_release_gives_back_ones_own_claims_only(shelf: Shelf) -> None:
    ids = await shelf.of_each()
    theirs = await shelf.put(DeliveryStatus.SENDING, claimed_by=OTHER)
    await shelf.do(claims.release, ME, [*ids.values(), theirs])
    assert await shelf.moves(ids) == {(DeliveryStatus.SENDING, DeliveryStatus.QUEUED)}
    assert (await shelf.get(ids[DeliveryStatus.SENDING])).claimed_by is None
    assert (await shelf.get(theirs)).status == DeliveryStatus.SENDING


async def test_renew_lengthens_ones_own_leases_only(shelf: Shelf, now: datetime) -> None:
    mine = await shelf.put(DeliveryStatus.SENDING, lease_until=now)
    theirs = await shelf.put(DeliveryStatus.SENDING, lease_until=now, claimed_by=OTHER)
    await shelf.do(claims.renew, ME)
    renewed = await shelf.get(mine)
    assert renewed.lease_until is not None
    assert renewed.lease_until > now
    assert (await shelf.get(theirs)).lease_until == now


async def test_recover_takes_back_the_claims_of_the_dead_and_those_that_lapsed(shelf: Shelf, now: datetime) -> None:
    living = await shelf.put(DeliveryStatus.SENDING)
    lapsed = await shelf.put(DeliveryStatus.SENDING, lease_until=now)
    dead = await shelf.put(DeliveryStatus.SENDING, claimed_by=OTHER)
    assert await shelf.do(claims.recover, now + LATER, dead=[OTHER]) == 2
    assert (await shelf.get(living)).status == DeliveryStatus.SENDING
    for delivery_id in (lapsed, dead):
        back = await shelf.get(delivery_id)
        assert (back.status, back.claimed_by, back.due_at) == (DeliveryStatus.QUEUED, None, now + LATER)


async def test_what_was_handed_over_is_held_only_if_asked(shelf: Shelf, now: datetime) -> None:
    handed, untouched = await shelf.put(DeliveryStatus.SENDING), await shelf.put(DeliveryStatus.SENDING)
    await shelf.sync(claims.hand_over, ME, [handed], now)
    await shelf.sync(claims.hand_over, OTHER, [untouched], now)
    assert await shelf.do(claims.recover, now, dead=[ME], hold_uncertain=True) == 2
    held = await shelf.get(handed)
    assert (held.status, held.handed_over_at, held.reason) == (DeliveryStatus.HELD, now, "handed over, answer unknown")
    assert (await shelf.get(untouched)).status == DeliveryStatus.QUEUED
    assert await shelf.do(outbox.requeue, [handed], now, now + LATER) == 1
    (first, _) = (await shelf.claim()).deliveries
    assert (await shelf.get(first.id)).handed_over_at is None


MOVERS: dict[str, Callable[[Shelf, Sequence[int]], Any]] = {
    "claim": lambda shelf, ids: shelf.claim(limit=100),
    "expire": lambda shelf, ids: shelf.do(outbox.expire, shelf.now + 2 * LATER),
    "expire some": lambda shelf, ids: shelf.do(outbox.expire, shelf.now + 2 * LATER, among=ids),
    "look": lambda shelf, ids: shelf.sync(claims.look, ME, ids, shelf.now),
    "suppress": lambda shelf, ids: shelf.do(outbox.suppress, shelf.now, among=ids),
    "suppress a reader": lambda shelf, ids: shelf.do(outbox.suppress, shelf.now, subscriber_id=shelf.reader_id),
    "requeue": lambda shelf, ids: shelf.do(outbox.requeue, ids, shelf.now, shelf.now + LATER),
    "cancel": lambda shelf, ids: shelf.do(outbox.cancel, ids, shelf.now),
    "hold_edition": lambda shelf, ids: shelf.do(outbox.hold_edition, 1),
    "let_edition_go": lambda shelf, ids: shelf.do(outbox.let_edition_go, 1, shelf.now),
    "cancel_edition": lambda shelf, ids: shelf.do(outbox.cancel_edition, 1, shelf.now),
    "release": lambda shelf, ids: shelf.do(claims.release, ME, ids),
    "put back": lambda shelf, ids: shelf.do(claims.put_back, ME, [(i, shelf.now + LATER) for i in ids]),
    "readdress": lambda shelf, ids: shelf.readdress(),
    "forget_address": lambda shelf, ids: shelf.do(outbox.forget_address, "ann", shelf.now),
    "recover": lambda shelf, ids: shelf.do(claims.recover, shelf.now, dead=[ME]),
    "recover and hold": lambda shelf, ids: shelf.do(claims.recover, shelf.now, dead=[ME], hold_uncertain=True),
    **{
        f"settle as {status}": lambda shelf, ids, status=status: shelf.sync(  # type: ignore[misc]
            claims.settle, ME, [verdict(i, status, due_at=shelf.now + LATER) for i in ids], shelf.now
        )
        for status in (DeliveryStatus.SENT, DeliveryStatus.DEFERRED, DeliveryStatus.FAILED, DeliveryStatus.HELD,
                       DeliveryStatus.EXPIRED)
    },
}  # fmt: skip
NEED_A_SUPPRESSION = ("look", "suppress", "suppress a reader")


async def test_every_move_of_the_store_is_one_the_rules_allow(shelf: Shelf, now: datetime) -> None:
    await shelf.do(suppressions.add, "barred", SuppressionReason.COMPLAINED, now)
    for name, move in MOVERS.items():
        barred = "barred" if name in NEED_A_SUPPRESSION else "ann"
        handed_over_at = None if name == "readdress" else now  # that moves nothing which is on the wire
        written = {"digest_id": await shelf.edition(), "reason": outbox.EDITION_PAUSED} if "edition" in name else {}
        ids = await shelf.of_each(handed_over_at=handed_over_at, address_hash=barred, **written)
        await move(shelf, list(ids.values()))
        moves = await shelf.moves(ids)
        assert moves, name
        assert all(transitions.allowed(before, after) for before, after in moves), (name, moves)
        async with shelf.store.write() as tx:
            await tx.execute(sa.delete(table(Attempt)))
            await tx.execute(sa.delete(table(Delivery)))


def test_every_statement_that_writes_a_status_is_in_the_outbox_and_was_moved_above() -> None:
    writers = {
        node.name
        for module in (outbox, claims)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and ("sa.update(" in ast.unparse(node) or "_move(" in ast.unparse(node))
        and any(isinstance(key, ast.Constant) and key.value == "status" for key in _written_keys(node))
    }
    tried = {name.split()[0] for name in MOVERS}
    assert writers <= tried, "a new writer of status: add it to MOVERS"
    ready_made = {
        ast.unparse(node.targets[0])
        for node in ast.parse(inspect.getsource(claims)).body
        if isinstance(node, ast.Assign)
        and all(part in ast.unparse(node) for part in ("sa.update(DELIVERY)", "status="))
    }
    assert ready_made == {"_take", "_ended", "_put_back", "_settle"}, "a new statement: who uses it belongs in MOVERS"


def _written_keys(function: ast.AST) -> list[ast.expr | None]:
    """The keys of every dict literal, and the names of every keyword of a call to `values`."""
    keys: list[ast.expr | None] = [
        key for node in ast.walk(function) if isinstance(node, ast.Dict) for key in node.keys
    ]
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values":
            keys += [ast.Constant(keyword.arg) for keyword in node.keywords]
    return keys


async def test_requeue_and_cancel_take_any_number_at_once(shelf: Shelf, now: datetime) -> None:
    failed, queued = await shelf.put(DeliveryStatus.FAILED), await shelf.put()
    many_ids = range(1_000_000, 1_070_000)
    assert await shelf.do(outbox.requeue, [*many_ids, failed], now, now + 2 * LATER) == 1
    assert await shelf.do(outbox.cancel, [*many_ids, queued], now) == 1
    again = await shelf.get(failed)
    assert (again.status, again.expires_at, again.reason) == (DeliveryStatus.QUEUED, now + 2 * LATER, "retried")
    cancelled = await shelf.get(queued)
    assert (cancelled.status, cancelled.finished_at) == (DeliveryStatus.CANCELLED, now)


async def test_a_requeued_delivery_never_gets_a_shorter_life(shelf: Shelf, now: datetime) -> None:
    delivery_id = await shelf.put(DeliveryStatus.FAILED, expires_at=now + 3 * LATER)
    await shelf.do(outbox.requeue, [delivery_id], now, now + LATER)
    assert (await shelf.get(delivery_id)).expires_at == now + 3 * LATER


async def digest(shelf: Shelf) -> int:
    """A digest without deliveries."""
    made = Digest(key=f"digest{next(numbers)}", newsletter_id=shelf.newsletter_id, kind=DeliveryKind.DIGEST,
                  slot_at=shelf.now, created_at=shelf.now)  # fmt: skip
    async with shelf.store.write() as tx:
        return await add(tx, made)


async def test_wires_are_dropped_when_the_last_delivery_is_done(shelf: Shelf) -> None:
    busy = {status: await digest(shelf) for status in DeliveryStatus}
    for status, digest_id in busy.items():
        await shelf.store.at_once(partial(pieces.keep_wires, wires={digest_id: "wire"}))
        await shelf.put(DeliveryStatus.SENT, digest_id=digest_id)
        await shelf.put(status, digest_id=digest_id)
    await shelf.put(digest_id=None)  # a letter without a digest must not hide the others
    assert await shelf.do(outbox.drop_wires) == len(transitions.TERMINAL)
    async with shelf.store.read() as tx:
        kept = {found.id for found in await many(tx, Digest) if found.wire is not None}
    assert kept == {busy[status] for status in lanes.OPEN}


async def test_prune_deletes_what_is_finished_and_old_and_whatever_hangs_on_it(shelf: Shelf, now: datetime) -> None:
    digest_id = await digest(shelf)
    ids = await shelf.of_each(digest_id=digest_id)
    young = await shelf.put(DeliveryStatus.FAILED, created_at=now + LATER)
    bounced = ids[DeliveryStatus.FAILED]
    async with shelf.store.write() as tx:
        await tx.execute(
            sa.insert(table(Attempt)),
            [{"delivery_id": i, "at": now, "outcome": "rejected", "code": 0, "enhanced": "", "text": "", "relay": ""}
             for i in (*ids.values(), young)],
        )  # fmt: skip
        await events.record(tx, [{"type": EventType.HARD_BOUNCE, "delivery_id": bounced, "raw": {}, "at": now}])
    soon = now + timedelta(minutes=1)
    gone = await shelf.do(outbox.prune, deliveries_before=soon, attempts_before=now)
    assert gone == len(transitions.TERMINAL)
    async with shelf.store.read() as tx:
        left = {found.status for found in await many(tx, Delivery)}
        assert left == set(lanes.OPEN) | {DeliveryStatus.FAILED}
        assert len(await outbox.attempts(tx, young)) == 1
        event = await one(tx, Event)
        assert event is not None
        assert event.delivery_id is None
        assert await one(tx, Digest) is not None
        assert (await outbox.counts(tx))["sent"] == 0
