"""A shift: claims of one lane, worked off by as many senders as the way out can use, until nothing is due.

    claims, a few seconds' worth ahead ──▶ [ waiting ] ──▶ sender, sender, sender … ──▶ ledger
    what is urgent, looked for every second ──▶ in front

Before each attempt a sender asks the database whether the reader still wants it, and checks, by the monotonic clock,
that the lease still holds. While the database refuses, sending pauses: what was not begun is given back, what was
begun waits in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from dispatcher.errors import StoreError
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import DeliveryStatus, OutcomeKind, Priority
from dispatcher.observability.logs import logger
from dispatcher.outbox.safety import Allowance
from dispatcher.pipeline.carrier import Carrier, Tried, words_for
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lease import Lease
from dispatcher.pipeline.ledger import Ledger
from dispatcher.pipeline.send_report import SendReport
from dispatcher.pipeline.tidings import tell_expired
from dispatcher.store import Transaction, claims
from dispatcher.store.claims import Claim, Verdict

log = logger("send")

POISON = timedelta(hours=1)
GLANCE = 1.0  # seconds between looks for what is urgent, while there is enough to do


class Shift:
    """Everything that one send works with. `limit`: claim at most so many."""

    def __init__(
        self, ctx: Context, carrier: Carrier, now: datetime, ledger: Ledger, lease: Lease, report: SendReport,
        limit: int | None = None,
    ) -> None:  # fmt: skip
        self._ctx, self._carrier, self._ledger, self._lease, self._report = ctx, carrier, ledger, lease, report
        self._me, self._quota = ctx.instance.instance_id, carrier.quota
        self._left = limit
        self._began_at, self._began = now, time.monotonic()
        self._waiting: deque[Claimed] = deque()
        self._hired = self._idle = self._discouraged = 0
        self._news = asyncio.Event()  # for idle senders: there is something to send, or never will be
        self._parked: deque[asyncio.Future[None]] = deque()  # senders that may not take what waits
        self._has_lookout = False
        self._wants_more = asyncio.Event()
        self._is_over = False  # nothing more will be claimed
        self._is_blocked = False  # the way out, or the database: whatever waits is given back

    async def work(self) -> None:
        """Until nothing is due, the limit is reached, or something says that the rest had better wait."""
        try:
            async with asyncio.TaskGroup() as senders:
                while await self._claim():
                    self._hire(senders)
                    await self._until_more_is_wanted()
                    self._hire(senders)
                self._is_over = True
                self._news.set()
        finally:
            await self._give_back()

    @property
    def _now(self) -> datetime:
        """A shift may be long: what is due by now must be found, and a retry counts from now. In whole seconds."""
        return self._began_at + timedelta(seconds=int(time.monotonic() - self._began))

    # Claiming

    async def _claim(self) -> bool:
        """Claim the next ones. False when there is no more work for anybody; StoreError if that cannot be told."""
        if self._must_end or self._left == 0:
            return False
        is_full = len(self._waiting) >= self._low_water
        has_enough = is_full or self._quota.room == 0
        try:
            claim = await self._take(below=int(Priority.DIGEST) if has_enough else None)
        except StoreError as error:
            if not self._is_busy:
                raise
            log.error("the database refuses; nothing more is claimed for the moment", reason=str(error))
            return True
        return not claim.is_empty or self._is_busy or is_full  # then only for what is urgent was looked

    @property
    def _is_busy(self) -> bool:
        """Whether there is anything to be done with what was claimed."""
        return bool(self._waiting) or self._idle < self._hired

    async def _take(self, *, below: int | None) -> Claim:
        """What is due now and may go, lined up; those too late or not wanted ended."""
        since, now = time.monotonic(), self._now
        async with self._ctx.store.write() as tx:
            allowed = await self._carrier.allowance(tx, now)
            await self._keep_back(tx, allowed)
            claim = await self._claim_some(tx, allowed, below, now)
            admission = await self._quota.admit(tx, claim.deliveries, now)
            await claims.put_back(tx, self._me, admission.later)
            await tell_expired(self._ctx, tx, claim.expired, now)
        self._lease.renew(since)
        self._report.expired += len(claim.expired)
        self._report.suppressed += claim.suppressed
        self._left = None if self._left is None else self._left - len(admission.go)
        if admission.go:
            await self._line_up(admission.go)
        return claim

    async def _claim_some(self, tx: Transaction, allowed: Allowance, below: int | None, now: datetime) -> Claim:
        """Within all that limits how many, and how urgent they must be."""
        limits = (self._ctx.settings.send.batch, self._left, allowed.most, self._quota.room if below is None else None)
        most = [limit for limit in limits if limit is not None]
        ceilings = [ceiling for ceiling in (below, allowed.priority_below) if ceiling is not None]
        least = min(ceilings, default=None)
        return await claims.claim(tx, self._me, now, limit=max(min(most), 0), lane=self._carrier.lane, below=least)

    async def _keep_back(self, tx: Transaction, allowed: Allowance) -> None:
        """What was claimed and may not go any more is given back."""
        if allowed.priority_below is None:
            return
        stopped = [delivery for delivery in self._waiting if not allowed.lets(delivery.priority)]
        if stopped:
            gone = {delivery.id for delivery in stopped}
            self._waiting = deque(delivery for delivery in self._waiting if delivery.id not in gone)
            await claims.release(tx, self._me, sorted(gone))

    async def _line_up(self, claimed: Sequence[Claimed]) -> None:
        """Behind those that wait, but what is urgent in front, when what they share is ready."""
        try:
            await self._carrier.load(claimed)
        except BaseException:
            self._is_blocked = True  # nobody may take what is not ready: it is given back
            self._waiting.extend(claimed)
            raise
        urgent = [delivery for delivery in claimed if delivery.priority < Priority.DIGEST]
        self._waiting.extendleft(reversed(urgent))
        self._waiting.extend(delivery for delivery in claimed if delivery.priority >= Priority.DIGEST)
        self._news.set()

    async def _until_more_is_wanted(self) -> None:
        self._wants_more.clear()
        if not self._is_busy:
            return  # all that was found had to be ended
        try:
            async with asyncio.timeout(GLANCE):
                await self._wants_more.wait()
        except TimeoutError:
            pass

    @property
    def _low_water(self) -> int:
        """How few may wait before more are claimed."""
        return max(self._carrier.at_once, self._ctx.settings.send.batch // 2)

    @property
    def _must_end(self) -> bool:
        return self._is_blocked or self._ctx.stopping.is_set()

    async def _give_back(self) -> None:
        """What was not begun."""
        if self._waiting:
            async with self._ctx.store.write() as tx:
                await claims.release(tx, self._me, [delivery.id for delivery in self._waiting])
            self._waiting.clear()

    # Senders

    @property
    def _room(self) -> int:
        """For how many senders the way out has use by now."""
        return self._carrier.at_once - self._discouraged

    def _hire(self, senders: asyncio.TaskGroup) -> None:
        """As many as there is room and work for."""
        while self._hired < min(self._room, self._hired - self._idle + len(self._waiting)):
            self._hired += 1
            senders.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Take one after the other until none is left, or something says that the rest had better wait."""
        try:
            while (delivery := await self._next()) is not None:
                await self._send(delivery)
        finally:
            self._hired -= 1
            self._wants_more.set()

    async def _next(self) -> Claimed | None:
        """The next one to be sent; None when there will be none."""
        while not self._must_end and self._hired <= self._room:
            if (delivery := self._quota.next(self._waiting)) is not None:
                if len(self._waiting) <= self._low_water:
                    self._wants_more.set()
                self._wake_one()  # there may be one for another as well
                return delivery
            if self._waiting:
                await self._park()
            elif self._is_over:
                break
            else:
                await self._rest()
        self._news.set()  # whatever ended this one ends the others
        self._wake_one()
        return None

    async def _rest(self) -> None:
        """Nothing waits, for the parked neither."""
        self._news.clear()
        self._wants_more.set()
        self._wake_one()
        self._idle += 1
        try:
            await self._news.wait()
        finally:
            self._idle -= 1

    async def _park(self) -> None:
        """What waits may not go yet. One of the parked looks out for when it may, and wakes the next."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parked.append(turn)
        if self._has_lookout:
            await turn
            return
        self._has_lookout = True
        free = asyncio.ensure_future(self._quota.free())
        try:
            await asyncio.wait([free, turn], timeout=GLANCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._has_lookout = False
            free.cancel()
            turn.cancel()

    def _wake_one(self) -> None:
        while self._parked:
            if not (turn := self._parked.popleft()).done():
                turn.set_result(None)
                return

    async def _send(self, delivery: Claimed) -> None:
        try:
            goes_on = await self._attempt(delivery)
        except StoreError as error:  # before anything went out: afterwards the ledger waits for the database
            log.error("the database refuses; sending pauses", reason=str(error), delivery_id=delivery.id)
            self._waiting.append(delivery)
            self._is_blocked = True
        except Exception as error:
            await self._set_aside(delivery, error)
        else:
            if not goes_on:  # one knock each is enough; those who were let in do the others' work
                self._discouraged += 1
                self._is_blocked |= self._room <= 0

    async def _attempt(self, delivery: Claimed) -> bool:
        """From the last look to the ledger. False when the way out is blocked."""
        outcome = None
        try:
            tried = await self._carrier.attempt(delivery, self._now, partial(self._is_wanted, delivery))
            outcome = tried.outcome if tried else None
        finally:
            self._quota.done(delivery, outcome, self._now)
        if tried is None:
            return True
        await self._ledger.commit(_verdict(delivery, tried), self._now, tried.strike, delivery)
        decision = tried.decision
        self._report.count(decision.status)
        if decision.status in (DeliveryStatus.FAILED, DeliveryStatus.HELD):
            log.warning("not delivered", delivery_id=delivery.id, status=decision.status, reason=decision.reason)
        return tried.goes_on

    async def _is_wanted(self, delivery: Claimed) -> bool:
        """The last look: ours, not suppressed, its reader still there; and our lease holds."""
        wanted = await self._ledger.is_wanted(delivery.id, self._now)
        if wanted and not self._lease.holds:
            raise StoreError("our lease could not be renewed in time")
        return wanted

    async def _set_aside(self, delivery: Claimed, error: Exception) -> None:
        """A poisoned row is pushed ahead, told about, and the others go on."""
        log.error("a delivery failed on our side and was set aside", delivery_id=delivery.id, exc_info=error)
        status, text = DeliveryStatus.DEFERRED, words_for(error)
        verdict = Verdict(delivery.id, status, self._now + POISON, OutcomeKind.DEFERRED, 0, "", text, "", text)
        try:
            await self._ledger.commit(verdict, self._now)
        except Exception:
            log.exception("nor could it be set aside: it waits for its lease to lapse", delivery_id=delivery.id)
            return
        self._report.count(status)


def _verdict(delivery: Claimed, tried: Tried) -> Verdict:
    outcome, decision = tried.outcome, tried.decision
    return Verdict(
        delivery_id=delivery.id,
        status=decision.status,
        due_at=decision.retry_at,
        outcome=outcome.kind,
        code=outcome.code,
        enhanced=outcome.enhanced,
        text=outcome.text[:1000],
        relay=outcome.relay,
        reason="" if decision.status == DeliveryStatus.SENT else decision.reason[:1000],
        counts=decision.counts,
        blame=outcome.blame,
    )
