"""The ledger: outcomes, committed together but never late.

    many senders ──▶ commit(entry) ──▶ [ everything that waits ] ──▶ one transaction ──▶ each sender goes on

A sender takes its next message only when the outcome of the last one is on disk, so that a crash repeats at most the
messages in flight (one per connection). Outcomes that arrive while a commit is under way share the next one. When
the database refuses (locked, disk full), the ledger tries until it gives in: sending pauses by itself, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher.errors import StoreError
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus, EventType, SuppressionReason
from dispatcher.observability.logs import logger
from dispatcher.store import Store, Transaction, events, outbox, subscribers, suppressions
from dispatcher.store.outbox import Verdict

log = logger("ledger")

PAUSE = 1.0  # seconds between tries when the database refuses


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
    delivery: Delivery | None = None


Waiting = tuple[Entry, asyncio.Future[None]]
Tidings = Callable[[Transaction, Sequence[Entry]], Awaitable[None]]


class Ledger:
    """Group commit of outcomes for one process. `tidings` hears of what was written, in its transaction."""

    def __init__(self, store: Store, instance_id: int, tidings: Tidings | None = None) -> None:
        self._store, self._instance_id, self._tidings = store, instance_id, tidings
        self._waiting: list[Waiting] = []
        self._writing = asyncio.Lock()

    async def commit(
        self, verdict: Verdict, at: datetime, strike: Strike | None = None, delivery: Delivery | None = None
    ) -> None:
        """Return when the outcome is on disk. Raises what keeps this one from it, never what is wrong with another."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((Entry(verdict, at, strike, delivery), done))
        async with self._writing:
            if not done.done():  # else the one before us took ours along
                await self._flush()
        await done

    async def _flush(self) -> None:
        """Write all that waits. Cut short, it leaves the rest for whoever is next."""
        batch, self._waiting = self._waiting, []
        try:
            await self._write_out(batch)
        finally:
            self._waiting = [waiting for waiting in batch if not waiting[1].done()] + self._waiting

    async def _write_out(self, batch: list[Waiting]) -> None:
        """All together; where that cannot be done, each by itself, so that a bad one takes no other with it."""
        try:
            await self._persist([entry for entry, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for waiting in batch:
                await self._write_out([waiting])
        else:
            for _, done in batch:
                done.set_result(None)

    async def _persist(self, entries: list[Entry]) -> None:
        """Write until it is written: the database may be locked, or the disk full, for as long as it takes."""
        refused = False
        while True:
            try:
                await self._write(entries)
                break
            except StoreError as error:
                if not refused:
                    log.error("outcomes cannot be saved; sending pauses until they can", reason=str(error))
                refused = True
                await asyncio.sleep(PAUSE)
        if refused:
            log.info("outcomes are saved again; sending goes on", outcomes=len(entries))

    async def _write(self, entries: list[Entry]) -> None:
        async with self._store.write() as tx:
            verdicts = [entry.verdict for entry in entries]
            settled = set(await outbox.settle_outcomes(tx, self._instance_id, verdicts, entries[-1].at))
            arrived = [e.verdict.delivery_id for e in entries if e.verdict.status == DeliveryStatus.SENT]
            await subscribers.forgive(tx, arrived)
            for entry in entries:
                if entry.strike is not None:
                    await _strike(tx, entry, entry.strike)
            if self._tidings is not None:
                await self._tidings(tx, [entry for entry in entries if entry.verdict.delivery_id in settled])


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
