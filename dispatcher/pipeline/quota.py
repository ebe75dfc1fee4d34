"""Quota: which of the claimed deliveries may go when; and what complaints about our pace teach.

    claim ─▶ admit: tokens of every meter on the way ─┬─▶ go ─▶ waiting ─▶ next: a ripe token, a free slot ─▶ sender
              (buckets, shared by all processes)      └─▶ later                                                 │
                     ▲                                                                                          │
                     └─────────────── lessons ◀── done: a complaint halves the pace, for everybody ◀────────────┘

Tokens are taken a little ahead and belong to nobody in particular: whoever stands first takes the first one, so that
what is urgent, which stands in front, never waits for what is not. Without limits and complaints none of this happens.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dispatcher import clock
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Blame, Outcome, OutcomeKind, Priority
from dispatcher.outbox import slowdown
from dispatcher.outbox.throttle import Applicant
from dispatcher.pipeline.lessons import Lessons
from dispatcher.pipeline.purse import Fare, Purse
from dispatcher.pipeline.speed import Speed
from dispatcher.pipeline.tolls import Account, Tolls
from dispatcher.pipeline.ways import Limits, Way, Ways, relay_scope
from dispatcher.store import Connection, Transaction, parking

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context

PATIENCE = 10.0
"""Seconds that a delivery whose token has lapsed may wait here for another one; else it is put back."""

MANY, PARKED_AT_ONCE = 50, 10_000
"""So many put back at once mean that more of the kind are behind them; of those, so many are put off together."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Those that may go, and those to be put back untried, each until an instant of its own."""

    go: Sequence[Claimed]
    later: Sequence[tuple[int, datetime]] = ()


class _Trip(NamedTuple):
    """What a delivery that is on its way has paid, and whose slots it takes."""

    way: Way
    fare: Fare


class Quota:
    """The limits of one process. One for each context: what it has learnt outlives a shift."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lessons, self._purse, self._speed = Lessons(), Purse(), Speed()
        self._ways = Ways(ctx)
        self._waiting: deque[Claimed] = deque()
        self._put_back: dict[int, Claimed] = {}  # and still in `_waiting`
        self._trips: dict[int, _Trip] = {}
        self._taken: Counter[str] = Counter()  # slots
        self._changes = self._seen = 0
        self._ripe_at = math.inf
        self._waiters: set[asyncio.Future[None]] = set()
        self._apply(clock.now().date())

    @property
    def has_news(self) -> bool:
        """Whether something was learnt that nobody else knows yet."""
        return bool(self._lessons.news)

    # What is asked of it

    async def admit(self, tx: Transaction, deliveries: Sequence[Claimed], now: datetime) -> Admission:
        """Take tokens for what was claimed, in the claim's own write transaction, and for what has lost its own.

        What was learnt is written with it. Should the transaction fail, a few seconds' tokens stay here, known to
        nobody else.
        """
        if self._settings is not self._ctx.settings:
            self._apply(now.date())
        if self._limits.are_none and not self._lessons.is_stale and not self.has_news:
            return Admission(deliveries)
        return await tx.run_sync(self._admit, deliveries, now)

    def next(self, waiting: deque[Claimed]) -> Claimed | None:
        """Take out the first one that has a ripe token of every meter and a free slot; None while there is none."""
        if self._limits.are_none and not self._put_back:
            return waiting.popleft() if waiting else None
        self._waiting = waiting
        self._drop_what_was_put_back()
        found = self._first(time.monotonic())
        if found is None:
            self._seen = self._changes
            return None
        delivery, way = found
        self._trips[delivery.id] = _Trip(way, self._purse.take(way.meters))
        self._taken.update(name for name, _ in way.slots)
        return delivery

    def done(self, delivery: Claimed, outcome: Outcome | None, now: datetime) -> None:
        """Its try has ended, or, with None, was not made: free its slot, and learn."""
        trip = self._trips.pop(delivery.id, None)
        if trip is not None:
            self._taken.subtract(name for name, _ in trip.way.slots)
            if outcome is None or _never_left(outcome):
                self._purse.give_back(trip.fare)
            self._wake()
        if outcome is not None:
            self._learn(delivery, outcome)

    async def free(self) -> None:
        """Return when `next` may find one again: since it gave None a slot or a token has come, or one is ripe now."""
        if self._seen != self._changes:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(None if math.isinf(self._ripe_at) else self._ripe_at - time.monotonic()):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)

    @property
    def room(self) -> int | None:
        """How many more deliveries that are not urgent there is any use in claiming now; None: any number."""
        meters = self._limits.of_all_mail
        if not meters:
            return None
        now = time.monotonic()
        free = (self._accounts[m].left(now) + self._purse.count(m, now) for m in meters if m in self._accounts)
        known = min(free, default=None)
        return None if known is None else max(known - len(self._waiting), 0)

    # Admission

    def _admit(self, connection: Connection, deliveries: Sequence[Claimed], now: datetime) -> Admission:
        self._look(connection)
        self._drop_what_was_put_back()
        fresh = {one.id for one in deliveries}
        held = {one.id: one for one in self._waiting if one.id not in fresh}
        everyone = [*held.values(), *deliveries]
        tolls = self._open(connection, everyone)
        if tolls is None:
            return Admission(deliveries)
        go, all_later = tolls.admit(
            self._applicants((one.id, one.recipient, one.newsletter_id, one.priority) for one in everyone)
        )
        later = [(number, wait) for number, wait in all_later if number not in held or wait > PATIENCE]
        if len(later) >= MANY and not tolls.is_dry(self._limits.of_all_mail):
            self._park(connection, tolls, now)
        self._accounts |= tolls.close(connection)
        self._benched_until |= tolls.booked_until
        self._put_back = {number: held[number] for number, _ in later if number in held}
        self._wake()
        return Admission([one for one in deliveries if one.id in go], _at(later, now))

    def _open(self, connection: Connection, deliveries: Iterable[Claimed]) -> Tolls | None:
        """What these have to pass; None if that is nothing, and there is nothing to be written either."""
        ways = {self._ways.to(one.recipient, one.newsletter_id) for one in deliveries}
        meters = {meter for way in ways for meter in way.meters}
        benches = {way.bench: dict(way.slots)[way.bench] for way in ways if way.bench}
        if not (meters or benches or self.has_news):
            return None
        tolls = Tolls.open(connection, meters, self._limits, self._lessons, self._purse)
        for name, slots in benches.items():
            tolls.add_bench(name, slots, self._speed.pace(name), self._benched_until.get(name, 0.0))
        return tolls

    def _applicants(self, rows: Iterable[tuple[int, str, int, int]]) -> Iterator[Applicant]:
        """From number, recipient, newsletter and priority."""
        for number, recipient, newsletter_id, priority in rows:
            yield Applicant(number, priority < Priority.DIGEST, self._ways.to(recipient, newsletter_id).gates)

    def _park(self, connection: Connection, tolls: Tolls, now: datetime) -> None:
        """Too many of one destination stand in front: put off those behind them too, or nobody gets to the others."""
        due = parking.bulk_due(connection, now, PARKED_AT_ONCE)
        parked = tolls.park(self._applicants((*one, Priority.DIGEST) for one in due))
        parking.put_off(connection, _at(parked, now))

    def _look(self, connection: Connection) -> None:
        """Bring the limits up to date with what all processes have learnt, and with the day."""
        if self._lessons.is_stale:
            before, today = self._lessons.slowed, self._lessons.look(connection).date()
            if self._lessons.slowed != before or today != self._today:
                self._apply(today)

    def _apply(self, today: date) -> None:
        self._settings, self._today = self._ctx.settings, today
        self._limits = Limits(self._settings, today, self._lessons.slowed)
        self._ways.apply(self._limits)
        self._accounts: dict[str, Account] = {}
        self._benched_until: dict[str, float] = {}

    # Slots and tokens

    def _first(self, now: float) -> tuple[Claimed, Way] | None:
        """Take out the first that may go."""
        stuck: dict[int, float] = {}  # ways, by identity, that one before it could not go → until when
        for position, delivery in enumerate(self._waiting):
            way = self._ways.to(delivery.recipient, delivery.newsletter_id)
            if id(way) in stuck:
                continue
            ripe_at = self._ripe(way, now)
            if ripe_at <= now:
                del self._waiting[position]
                return delivery, way
            stuck[id(way)] = ripe_at
        self._ripe_at = min(stuck.values(), default=math.inf)
        return None

    def _ripe(self, way: Way, now: float) -> float:
        """From when on one may go this way, as far as can be told."""
        if any(self._taken[name] >= most for name, most in way.slots):
            return math.inf
        ripe_at = self._purse.ripe_at(way.meters, now)
        return math.inf if ripe_at is None else ripe_at

    def _drop_what_was_put_back(self) -> None:
        if self._put_back:
            gone, self._put_back = self._put_back, {}
            stays = [one for one in self._waiting if gone.get(one.id) is not one]
            self._waiting.clear()
            self._waiting.extend(stays)

    def _wake(self) -> None:
        self._changes += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Learning

    def _learn(self, delivery: Claimed, outcome: Outcome) -> None:
        relay, to = relay_scope(outcome.relay), self._ways.destination(delivery.recipient)
        if outcome.kind is OutcomeKind.ACCEPTED:
            self._speed.count(relay, to)
        elif slowdown.is_complaint(outcome):
            scope = relay if outcome.blame is Blame.RELAY else to
            self._lessons.hear(scope, self._speed.pace(scope))


def _at(waits: Sequence[tuple[int, float]], now: datetime) -> list[tuple[int, datetime]]:
    return [(number, now + timedelta(seconds=wait)) for number, wait in waits]


def _never_left(outcome: Outcome) -> bool:
    """Whether nothing of it reached the other side: no connection, or none to be had."""
    return outcome.kind is OutcomeKind.DEFERRED and outcome.code == 0
