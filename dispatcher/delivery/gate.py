"""One relay among several: its transport, and whether mail may go there now."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from dispatcher import clock
from dispatcher.delivery.breaker import Breaker, Circuit
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.smtp import SmtpTransport
from dispatcher.delivery.transport import Ready
from dispatcher.delivery.vigil import Look, Vigil
from dispatcher.model.values import Blame, Outcome, OutcomeKind
from dispatcher.observability.logs import logger

log = logger("smtp")


@dataclass(frozen=True, slots=True)
class Health:
    """How one relay is doing. `since` and `reason` are set while it is not in use, or cannot be reached."""

    relay: str
    circuit: Circuit
    since: datetime | None = None
    reason: str = ""


class Gate:
    """Sends through one relay and watches how that goes; opens and closes its circuit, see `breaker`.

    A relay that is out of use is knocked at by a probe, a connection of its own that carries nobody's mail. The same
    finds out whether a silent one still lives; it may then have a connection more than `max_connections`, for a moment.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay, self.label = relay, relay.label
        self.under_way = 0
        self.is_leaving = False
        self._transport = SmtpTransport(relay)
        self._breaker, self._vigil = Breaker(), Vigil()
        self._asking: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._out_since: datetime | None = None
        self._reason = ""

    @property
    def transport(self) -> SmtpTransport:
        """The way without any watching, for a relay that is the only one."""
        return self._transport

    @property
    def is_in_use(self) -> bool:
        """Whether mail may go there, if need be."""
        return self._breaker.circuit is not Circuit.OUT_OF_USE and not self.is_leaving

    @property
    def is_fit(self) -> bool:
        """Whether mail had better go there than elsewhere: neither silent, nor on trial with its hands full."""
        return self._breaker.has_room and self._asking is None and not self.is_leaving

    @property
    def failing_since(self) -> datetime | None:
        """Since when it cannot be used; None while it can, if only on trial."""
        is_out = self._breaker.circuit is Circuit.OUT_OF_USE
        return self._out_since if is_out else self._transport.failing_since

    @property
    def health(self) -> Health:
        """How it is doing."""
        return Health(self.label, self._breaker.circuit, self.failing_since, self._reason)

    @property
    def refusal(self) -> Outcome:
        """What a message hears for which it was the first choice, while it is out of use."""
        return _failure(f"out of use: {self._reason}" if self._reason else "not in use", self.label)

    async def send(
        self, envelope_from: str, recipient: str, message: bytes, ready: Ready | None, envelope_id: str
    ) -> Outcome | None:
        """One try; see Transport.send. What it means for the relay is noted."""
        ticket = self._breaker.begin()
        self._vigil.begin(monotonic())
        self.under_way += 1
        outcome: Outcome | None = None
        try:
            outcome = await self._transport.send(
                envelope_from, recipient, message, ready=ready, envelope_id=envelope_id
            )
            return outcome
        finally:
            self.under_way -= 1
            self._note(ticket, outcome, monotonic())

    def watch(self, now: float) -> None:
        """Look whether it has fallen silent, and do something about it. To be called a few times in a second."""
        match self._vigil.look(now):
            case Look.ASK if self._asking is None:
                self._asking = asyncio.create_task(self._ask(now))
            case Look.GIVE_UP:
                self._take_out("it answers, but nothing is ever finished", now)

    def oversleep(self, now: float) -> None:
        """This process stood still for a while: the relay's silence says nothing."""
        self._vigil.skip(now)

    async def close(self) -> None:
        """Wait for sends under way, then say goodbye; see Transport.close."""
        await self._transport.close()
        probes = [probe for probe in (self._asking, self._returning) if probe is not None]
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

    # From outcomes to the circuit

    def _note(self, ticket: int, outcome: Outcome | None, now: float) -> None:
        if ticket == self._breaker.ticket:  # else of a time before it was last taken out
            self._vigil.end(now)
        works = None if outcome is None else not (is_unusable(outcome) or _is_lost(outcome))
        if not self._breaker.end(ticket, works, now, 0.0 if works else random.random()):
            return
        if works:
            self._bring_back()
        else:
            assert outcome is not None
            self._shut(outcome.text)

    def _take_out(self, reason: str, now: float) -> None:
        if self._breaker.trip(now, random.random()):
            self._shut(reason)

    def _shut(self, reason: str) -> None:
        """Out of use. Those who wait for a connection go elsewhere; those who have one hear how they end."""
        if self._out_since is None:
            log.warning("a relay is out of use for now; its mail takes another one, if there is one",
                        relay=self.label, reason=reason)  # fmt: skip
            self._out_since = clock.now()
        self._reason = reason
        self._vigil.start_over()
        self._transport.recall(_failure(reason, self.label))
        if not self.is_leaving:
            self._returning = asyncio.create_task(self._return())

    def _bring_back(self) -> None:
        log.info("a relay is in use again", relay=self.label)
        self._out_since, self._reason = None, ""

    # Probes

    async def _ask(self, asked_at: float) -> None:
        """Whether a silent relay answers at all; a refusal is an answer."""
        try:
            failure = await self._probe(self._vigil.answer_within)
        finally:
            self._asking = None
        if failure is not None and not failure.code and not self._vigil.has_heard_since(asked_at):
            self._take_out(f"it has fallen silent; {failure.text}", monotonic())

    async def _return(self) -> None:
        """Knock until it can be used again."""
        while self._breaker.circuit is Circuit.OUT_OF_USE:
            await asyncio.sleep(self._breaker.probe_at - monotonic())
            failure = await self._probe(self.relay.timeout)
            self._reason = failure.text if failure else self._reason
            self._breaker.probed(failure is None, monotonic(), random.random())

    async def _probe(self, within: float) -> Outcome | None:
        """None, or the failure."""
        began_at = monotonic()
        try:
            failure = await self._transport.probe(within)
        except Exception:
            log.exception("a relay could not be probed, by a fault on our side", relay=self.label)
            return _failure("it could not be probed, by a fault on our side", self.label)
        if failure is None:
            self._vigil.greeted_in(monotonic() - began_at)
        return failure


def is_unusable(outcome: Outcome) -> bool:
    """Whether the relay did not take the message for reasons of its own, so that another one may be tried at once.

    Beside what blames the relay these are the 4.3 codes, about the state of a mail system (RFC 3463 §3.4), but for the
    one about a message that is too big.
    """
    return outcome.kind is OutcomeKind.DEFERRED and (
        outcome.blame is Blame.RELAY or (outcome.enhanced.startswith("4.3.") and outcome.enhanced != "4.3.4")
    )


def _is_lost(outcome: Outcome) -> bool:
    return outcome.kind is OutcomeKind.UNCERTAIN and outcome.blame is Blame.RELAY


def _failure(text: str, label: str) -> Outcome:
    return Outcome(OutcomeKind.DEFERRED, text=text, blame=Blame.RELAY, relay=label)
