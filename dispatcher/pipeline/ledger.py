"""The ledger: last looks and outcomes of many messages, each turn of them in one transaction.

    about to go ──▶ is_wanted ─┐
                               ├─▶ [ all that waits ] ──▶ one transaction, in a thread ──▶ each sender goes on
    answered    ──▶ commit ────┘

A sender takes its next message only when the outcome of the last one is on disk, so that a crash repeats at most what
was begun on the wire. What comes while a turn is under way makes up the next one. When the database refuses (locked,
disk full), outcomes are tried again until it gives in: sending pauses by itself, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from dispatcher.errors import StoreError
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import DeliveryStatus, EventType, SuppressionReason
from dispatcher.observability.logs import logger
from dispatcher.store import Connection, Store, Transaction, claims, events, suppressions
from dispatcher.store.claims import Verdict

log = logger("ledger")

PAUSE = 1.0  # seconds between tries when the database refuses

GATHER, MANY = 0.002, 24
"""A turn that so many do not wait for yet begins so many seconds later: a commit costs more than what it writes."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What a refusal means for its address: suppressed at once (`is_final`), or one strike for settle to count."""

    address: str
    address_hash: str
    subscriber_id: int | None
    is_final: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One outcome to be written, and what it leads to."""

    verdict: Verdict
    at: datetime
    strike: Strike | None = None
    delivery: Claimed | None = None

    @property
    def ended(self) -> Ended:
        """What became of the delivery, and whether it bounced for good."""
        assert self.delivery is not None
        return self.delivery, self.verdict.status, self.strike is not None and self.strike.is_final


Ended = tuple[Claimed, DeliveryStatus, bool]
Tally = Callable[[Connection, int, Sequence[Ended], datetime], None]
Written = tuple[Entry, asyncio.Future[None]]
Look = tuple[int, datetime, asyncio.Future[bool]]
Tidings = Callable[[Transaction, Sequence[Entry]], Awaitable[None]]


class Ledger:
    """Turns of one lane of one process. In the transaction that writes outcomes, `tally` counts them, and `tidings`,
    unless it is None, hears of them. `marks`: a look that says yes also notes that the message goes to the wire.
    `suppressed` counts what looks ended.
    """

    def __init__(
        self, store: Store, instance_id: int, tidings: Tidings | None = None, *, marks: bool = False,
        tally: Tally | None = None,
    ) -> None:  # fmt: skip
        self._store, self._me, self._tidings, self._marks, self._tally = store, instance_id, tidings, marks, tally
        self._entries: list[Written] = []
        self._looks: list[Look] = []
        self._turns: asyncio.Task[None] | None = None
        self._is_refused = False
        self.suppressed = 0

    async def is_wanted(self, delivery_id: int, now: datetime) -> bool:
        """The last look: whether it is ours and its reader wants it still. StoreError if the database refuses."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._looks.append((delivery_id, now, answer))
        self._begin()
        return await answer

    async def commit(
        self, verdict: Verdict, at: datetime, strike: Strike | None = None, delivery: Claimed | None = None
    ) -> None:
        """Return when the outcome is on disk. Raises what keeps this one from it, never what is wrong with another."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries.append((Entry(verdict, at, strike, delivery), done))
        self._begin()
        await done

    async def close(self) -> None:
        """Write what still waits, unless the database refuses."""
        if self._turns is None:
            return
        if self._is_refused:
            self._turns.cancel()
        with suppress(asyncio.CancelledError):
            await self._turns

    # Turns

    def _begin(self) -> None:
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name="ledger")

    async def _take_turns(self) -> None:
        while self._entries or self._looks:
            if len(self._entries) + len(self._looks) < MANY:
                await asyncio.sleep(GATHER)
            entries, self._entries = self._entries, []
            looks, self._looks = self._looks, []
            simple = [written for written in entries if self._is_simple(written[0])]
            await self._turn(simple, looks)
            if len(simple) < len(entries):
                await self._write_out([written for written in entries if not self._is_simple(written[0])])

    def _is_simple(self, entry: Entry) -> bool:
        """Nothing follows from it, and nobody is to be told."""
        return entry.strike is None and self._tidings is None

    async def _turn(self, entries: list[Written], looks: list[Look]) -> None:
        """Outcomes and looks in one go; where that cannot be done, each for itself."""

        def work(connection: Connection) -> tuple[set[int], int]:
            self._write(connection, [entry for entry, _ in entries])
            return self._look(connection, looks)

        try:
            wanted, ended = await self._store.at_once(work)
        except Exception as error:
            for *_, answer in looks:
                if not answer.done():
                    answer.set_exception(error)
            await self._write_out(entries)
            return
        self.suppressed += ended
        for delivery_id, _, answer in looks:
            if not answer.done():
                answer.set_result(delivery_id in wanted)
        for _, done in entries:
            _tell(done)

    def _look(self, connection: Connection, looks: list[Look]) -> tuple[set[int], int]:
        if not looks:
            return set(), 0
        now = looks[-1][1]
        wanted, ended = claims.look(connection, self._me, [delivery_id for delivery_id, *_ in looks], now)
        if self._marks and wanted:
            claims.hand_over(connection, self._me, wanted, now)
        return wanted, ended

    # Outcomes

    async def _write_out(self, batch: list[Written]) -> None:
        """All together; where that cannot be done, each by itself, so that a bad one takes no other with it."""
        if not batch:
            return
        try:
            await self._persist([entry for entry, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _tell(batch[0][1], error)
                return
            for written in batch:
                await self._write_out([written])
        else:
            for _, done in batch:
                _tell(done)

    async def _persist(self, entries: list[Entry]) -> None:
        """Write until it is written: the database may be locked, or the disk full, for as long as it takes."""
        try:
            while True:
                try:
                    await self._write_with_all_that_follows(entries)
                    break
                except StoreError as error:
                    if not self._is_refused:
                        log.error("outcomes cannot be saved; sending pauses until they can", reason=str(error))
                    self._is_refused = True
                    await asyncio.sleep(PAUSE)
            if self._is_refused:
                log.info("outcomes are saved again; sending goes on", outcomes=len(entries))
        finally:
            self._is_refused = False

    async def _write_with_all_that_follows(self, entries: list[Entry]) -> None:
        async with self._store.write() as tx:
            ours = await tx.run_sync(claims.ours, self._me, [entry.verdict.delivery_id for entry in entries])
            await tx.run_sync(self._write, entries)
            for entry in entries:
                if entry.strike is not None:
                    await _strike(tx, entry, entry.strike)
            if self._tidings is not None:
                await self._tidings(tx, [entry for entry in entries if entry.verdict.delivery_id in ours])

    def _write(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """The outcomes themselves."""
        if not entries:
            return
        now = entries[-1].at
        claims.settle(connection, self._me, [entry.verdict for entry in entries], now)
        claims.forgive(connection, [e.verdict.delivery_id for e in entries if e.verdict.status == DeliveryStatus.SENT])
        if self._tally is not None:
            self._tally(connection, self._me, [entry.ended for entry in entries if entry.delivery], now)


def _tell(done: asyncio.Future[None], error: Exception | None = None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


async def _strike(tx: Transaction, entry: Entry, strike: Strike) -> None:
    """Write the suppression, which config never lifts, and the event."""
    if strike.is_final:
        reason = SuppressionReason.BOUNCED
        await suppressions.add(tx, strike.address_hash, reason, entry.at, address=strike.address)
    verdict = entry.verdict
    row = {
        "type": EventType.HARD_BOUNCE if strike.is_final else EventType.SOFT_BOUNCE,
        "subscriber_id": strike.subscriber_id,
        "delivery_id": verdict.delivery_id,
        "raw": {"code": verdict.code, "enhanced": verdict.enhanced, "text": verdict.text},
        "at": entry.at,
        "applied_at": entry.at if strike.is_final else None,
    }
    await events.record(tx, [row])
