"""A transport over several relays: each message takes the best one that works, and another one when that fails.

rules ▷ priority ▷ weight ▷ is it fit? ▷ try ──▶ done, refused or uncertain: that is the outcome
                                ▲          │
                                └──────────┘ the relay could not be used, and nothing was handed over
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from dispatcher.delivery.gate import Gate, Health, is_unusable
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.routing import Duty, Routing
from dispatcher.delivery.transport import Ready
from dispatcher.model.values import Blame, Outcome, OutcomeKind

GLANCE = 0.25
"""Seconds between two looks at the relays, while anything is under way."""

OVERSLEPT = 1.0
"""Seconds that a look may be late before it is our own process that is too busy to hear anybody."""

Post = tuple[Relay, Duty]
"""A relay, and the mail that it is for."""


class Relays:
    """Sends through several relays; see the module and Transport. With a single one it is no more than its transport.

    Nothing is repeated by trying another relay: that happens only when the outcome says that the message was not handed
    over. An uncertain outcome is final here, and so is a refusal, whichever relay gives it.
    """

    def __init__(self, posts: Sequence[Post]) -> None:
        self._under_way = 0
        self._all_done = asyncio.Event()
        self._is_closed = False
        self._leaving: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._gates: list[Gate] = []
        self.apply(posts)

    def apply(self, posts: Sequence[Post]) -> None:
        """Use these relays from now on. One that stays keeps its connections, one that does not finishes its mail."""
        if not posts:
            raise ValueError("at least one relay is needed")
        before = {gate.relay: gate for gate in self._gates}
        self._gates = [before.pop(relay) if relay in before else Gate(relay) for relay, _ in posts]
        self._duties = [duty for _, duty in posts]
        self._routing = Routing(self._duties)
        self._only = self._gates[0].transport if len(posts) == 1 and not self._duties[0].has_rules else None
        for gate in before.values():
            gate.is_leaving = True
            leaving = asyncio.get_running_loop().create_task(gate.close())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    @property
    def max_connections(self) -> int:
        """How many connections are held open at most, to the relays that mail goes to now."""
        return sum(gate.transport.max_connections for gate in self._in_front())

    @property
    def max_sends(self) -> int:
        """How many sends at once keep every connection full; those that wait for a dead relay's answer come on top."""
        if self._only is not None:
            return self._only.max_sends
        stuck = sum(gate.under_way for gate in self._gates if not gate.is_in_use)
        return stuck + sum(gate.transport.max_sends for gate in self._in_front())

    @property
    def failing_since(self) -> datetime | None:
        """Since when none of the relays works; None while any does."""
        return _latest([gate.failing_since for gate in self._gates])

    def blocked_since(self, envelope_from: str, recipient: str) -> datetime | None:
        """Since when none of those works that could take this message; None while one does."""
        order = self._routing.order(envelope_from, recipient)
        return _latest([self._gates[number].failing_since for number in order])

    def route(self, envelope_from: str, recipient: str) -> str:
        """The label of the relay that would take this message now; of the first choice while none works."""
        if self._only is not None:
            return self._gates[0].label
        order = self._ordered(envelope_from, recipient)
        chosen = _next(order, ()) or (order[0] if order else None)
        return chosen.label if chosen else ""

    def health(self) -> list[Health]:
        """How each relay is doing, as far as this process knows."""
        return [gate.health for gate in self._gates]

    async def send(
        self, envelope_from: str, recipient: str, message: bytes, *, ready: Ready | None = None, envelope_id: str = ""
    ) -> Outcome | None:
        """Hand over one message. Every expected failure is an Outcome; see Transport.send."""
        if self._only is not None:
            return await self._only.send(envelope_from, recipient, message, ready=ready, envelope_id=envelope_id)
        if self._is_closed:
            raise RuntimeError("send on a closed transport")
        self._under_way += 1
        if self._timer is None:
            self._glance_later()
        try:
            return await self._send(envelope_from, recipient, message, ready, envelope_id)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._all_done.set()

    async def close(self) -> None:
        """Wait for sends under way, then say goodbye to every relay."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._under_way:
            self._all_done.clear()
            await self._all_done.wait()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._leaving, *(gate.close() for gate in self._gates))

    async def _send(
        self, envelope_from: str, recipient: str, message: bytes, ready: Ready | None, envelope_id: str
    ) -> Outcome | None:
        """One relay after the other, until one can be used."""
        order = self._ordered(envelope_from, recipient)
        tried: list[Gate] = []
        failure: Outcome | None = None
        while (gate := _next(order, tried)) is not None:
            outcome = await gate.send(envelope_from, recipient, message, ready, envelope_id)
            if outcome is None or not is_unusable(outcome):
                return outcome
            tried.append(gate)
            failure = outcome
        return failure or (order[0].refusal if order else _NOBODY)

    def _ordered(self, envelope_from: str, recipient: str) -> list[Gate]:
        gates = self._gates
        return [gates[number] for number in self._routing.order(envelope_from, recipient)]

    def _in_front(self) -> list[Gate]:
        """Those that mail goes to now: the best that work, and each that has mail of its own; all if none works."""
        works = [pair for pair in zip(self._gates, self._duties, strict=True) if pair[0].is_in_use]
        best = min((duty.priority for _, duty in works if not duty.has_rules), default=0)
        return [gate for gate, duty in works if duty.has_rules or duty.priority == best] or self._gates

    # Watching

    def _glance_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(GLANCE, self._glance, monotonic() + GLANCE)

    def _glance(self, due: float) -> None:
        """Look at each relay, as long as there is something to wait for."""
        self._timer = None
        now = monotonic()
        for gate in self._gates:
            gate.watch(now) if now - due < OVERSLEPT else gate.oversleep(now)
        if self._under_way:
            self._glance_later()


_NOBODY = Outcome(OutcomeKind.DEFERRED, text="no relay is for this sender and recipient", blame=Blame.RELAY)


def _next(order: Sequence[Gate], tried: Sequence[Gate]) -> Gate | None:
    """The first that is fit; if none is, the first that may be used at all."""
    for gate in order:
        if gate.is_fit and gate not in tried:
            return gate
    return next((gate for gate in order if gate.is_in_use and gate not in tried), None)


def _latest(instants: Sequence[datetime | None]) -> datetime | None:
    """The last of them, if there is one everywhere."""
    known = [instant for instant in instants if instant is not None]
    return max(known) if known and len(known) == len(instants) else None
