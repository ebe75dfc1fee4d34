"""Mail: the lane of the outbox that leads through the relay.

    fragments (rendered once per digest) ▷ assemble (what is each reader's own) ▷ transport ▷ decision

A message that cannot be made fails by itself and takes no other with it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime

from dispatcher.delivery.envelope import Vetted
from dispatcher.delivery.transport import Ready
from dispatcher.delivery.verp import verp
from dispatcher.digest.addresses import AddressError
from dispatcher.digest.assembly import assemble
from dispatcher.digest.wire import Wire
from dispatcher.errors import DispatcherError, TemplateError
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Blame, Outcome, OutcomeKind
from dispatcher.observability.logs import logger
from dispatcher.outbox.retry import Decision, decide
from dispatcher.outbox.safety import Allowance
from dispatcher.pipeline import safety, wires
from dispatcher.pipeline.carrier import Tried, words_for
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ledger import Strike
from dispatcher.pipeline.quota import Quota
from dispatcher.pipeline.signing import signed
from dispatcher.store import Transaction, lanes

log = logger("send")

WINDOW = 2_000
"""Digests that are kept ready beside those of the last claim: of what waits, and of what is on its way."""


class Mail:
    """Carries mail; see Carrier."""

    lane = lanes.MAIL

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.quota = ctx.kept(Quota)
        self._wires: dict[int, Wire | Exception] = {}  # the newest last

    @property
    def at_once(self) -> int:
        """As many as keep every connection full."""
        return self._ctx.transport.max_sends

    @property
    def holds_uncertain(self) -> bool:
        """A mail whose fate is unknown may be in the mailbox: the operator chose what becomes of it."""
        return self._ctx.settings.send.on_uncertain == "hold"

    async def allowance(self, tx: Transaction, now: datetime) -> Allowance:
        """What pauses, caps and thresholds allow."""
        return await safety.allowance(self._ctx, tx, now)

    async def load(self, claimed: Sequence[Claimed]) -> None:
        """Have the fragments of these deliveries' digests ready."""
        newsletter_ids = {d.newsletter_id for d in claimed}
        if not newsletter_ids <= self._ctx.newsletters.keys():
            async with self._ctx.store.read() as tx:
                await self._ctx.acquaint(tx, newsletter_ids)
        wanted = {d.digest_id for d in claimed if d.digest_id is not None}
        fresh = await wires.load(self._ctx, list(wanted - self._wires.keys()))
        known = {digest_id: self._wires[digest_id] for digest_id in wanted & self._wires.keys()}
        for digest_id, wire in (known | fresh).items():  # those it already had are moved behind the others
            self._wires.pop(digest_id, None)
            self._wires[digest_id] = wire
        for digest_id in list(self._wires)[: -WINDOW - len(wanted)]:
            del self._wires[digest_id]

    async def attempt(self, delivery: Claimed, now: datetime, ready: Ready) -> Tried | None:
        """One try over the relay. It does not go on when the relay cannot be reached: one knock each is enough."""
        message = self._message(delivery)
        if isinstance(message, Outcome):
            outcome: Outcome | None = message
        else:
            outcome = await self._send(delivery, message, ready)
        if outcome is None:
            return None
        transport = self._ctx.transport
        envelope_from = self._ctx.addresses(delivery.newsletter_id).envelope_from
        decision = decide(
            outcome,
            attempts=delivery.attempts + 1,
            expires_at=delivery.expires_at,
            now=now,
            on_uncertain=self._ctx.settings.send.on_uncertain,
            jitter=random.random(),
            failing_since=transport.blocked_since(envelope_from, delivery.recipient),
        )
        goes_on = decision.counts or transport.failing_since is None
        return Tried(outcome, decision, _strike(delivery, decision), goes_on)

    async def _send(self, delivery: Claimed, message: bytes, ready: Ready) -> Outcome | None:
        """Under an envelope sender that names the delivery, where bounces have an address of their own (VERP)."""
        ours, transport = self._ctx.addresses(delivery.newsletter_id), self._ctx.transport
        sender = verp(ours.bounces, delivery.id, self._ctx.address_key) if ours.bounces else ours.sender
        return await transport.send(sender, delivery.recipient, message, ready=ready, envelope_id=str(delivery.id))

    def _message(self, delivery: Claimed) -> bytes | Outcome:
        """The message as it goes to the wire, or why there is none."""
        wire = self._wires.get(delivery.digest_id or 0)
        if wire is None:
            return Outcome(OutcomeKind.REJECTED, text="its digest is gone", blame=Blame.MESSAGE)
        if isinstance(wire, Exception):
            return _unmade(wire)
        try:
            message = assemble(wire, wires.envelope_of(delivery, wire, self._ctx.keyring))
            domain = self._ctx.addresses(delivery.newsletter_id).domain
            octets = signed(self._ctx.signer, delivery, message, domain, by=wire.door.signed_by)
            return Vetted(octets) if delivery.recipient.isascii() else octets
        except AddressError as error:
            blame = Blame.ADDRESS if error.enhanced.startswith("5.1.") else Blame.MESSAGE
            return Outcome(OutcomeKind.REJECTED, enhanced=error.enhanced, text=str(error), blame=blame)
        except DispatcherError as error:
            return Outcome(OutcomeKind.REJECTED, text=str(error), blame=Blame.MESSAGE)


def _unmade(error: Exception) -> Outcome:
    """What is wrong with a digest: a template, or a bug of ours, can be mended before the mail is too late."""
    if isinstance(error, DispatcherError) and not isinstance(error, TemplateError):
        return Outcome(OutcomeKind.REJECTED, text=str(error), blame=Blame.MESSAGE)
    text = str(error) if isinstance(error, TemplateError) else words_for(error)
    return Outcome(OutcomeKind.DEFERRED, text=text, blame=Blame.MESSAGE)


def _strike(delivery: Claimed, decision: Decision) -> Strike | None:
    if not (decision.suppress or decision.soft_bounce):
        return None
    return Strike(
        address=delivery.recipient,
        address_hash=delivery.address_hash,
        subscriber_id=delivery.subscriber_id,
        is_final=decision.suppress,
    )
