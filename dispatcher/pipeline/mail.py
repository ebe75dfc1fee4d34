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
from dispatcher.digest import compose
from dispatcher.digest.addresses import AddressError
from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.render import fit
from dispatcher.digest.wire import Wire
from dispatcher.digest.wire import compile as compile_wire
from dispatcher.errors import DispatcherError, StoreError, TemplateError
from dispatcher.model.outbound import Claimed, Delivery, Digest, Personal
from dispatcher.model.values import Blame, Outcome, OutcomeKind
from dispatcher.observability.logs import logger
from dispatcher.outbox.retry import Decision, decide
from dispatcher.pipeline.carrier import Tried, words_for
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ledger import Strike
from dispatcher.pipeline.links import links_of, list_headers
from dispatcher.pipeline.signing import signed
from dispatcher.store import articles, lanes, outbox
from dispatcher.tokens import Keyring

log = logger("send")

WINDOW = 2_000
"""Digests that are kept ready beside those of the last claim: of what waits, and of what is on its way."""


class Mail:
    """Carries mail; see Carrier."""

    lane = lanes.MAIL

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._sender = ctx.settings.mail.sender_address
        self._wires: dict[int, Wire | Exception] = {}  # the newest last

    @property
    def at_once(self) -> int:
        """As many as keep every connection full."""
        return self._ctx.transport.max_sends

    @property
    def holds_uncertain(self) -> bool:
        """A mail whose fate is unknown may be in the mailbox: the operator chose what becomes of it."""
        return self._ctx.settings.send.on_uncertain == "hold"

    async def load(self, claimed: Sequence[Claimed]) -> None:
        """Have the fragments of these deliveries' digests ready."""
        wanted = {d.digest_id for d in claimed if d.digest_id is not None}
        fresh = await wires_of(self._ctx, list(wanted - self._wires.keys()))
        for digest_id in wanted:  # those it already had are moved behind the others
            self._wires[digest_id] = fresh[digest_id] if digest_id in fresh else self._wires.pop(digest_id)
        for digest_id in list(self._wires)[: -WINDOW - len(wanted)]:
            del self._wires[digest_id]

    async def attempt(self, delivery: Claimed, now: datetime, ready: Ready) -> Tried | None:
        """One try over the relay. It does not go on when the relay cannot be reached: one knock each is enough."""
        message = self._message(delivery)
        if isinstance(message, Outcome):
            outcome: Outcome | None = message
        else:
            outcome = await self._ctx.transport.send(self._sender, delivery.recipient, message, ready=ready)
        if outcome is None:
            return None
        failing_since = self._ctx.transport.failing_since
        decision = decide(
            outcome,
            attempts=delivery.attempts + 1,
            expires_at=delivery.expires_at,
            now=now,
            on_uncertain=self._ctx.settings.send.on_uncertain,
            jitter=random.random(),
            failing_since=failing_since,
        )
        goes_on = decision.counts or failing_since is None
        return Tried(outcome, decision, _strike(delivery, decision), goes_on)

    def _message(self, delivery: Claimed) -> Vetted | Outcome:
        """The message as it goes to the wire, or why there is none."""
        wire = self._wires.get(delivery.digest_id or 0)
        if wire is None:
            return Outcome(OutcomeKind.REJECTED, text="its digest is gone", blame=Blame.MESSAGE)
        if isinstance(wire, Exception):
            return _unmade(wire)
        try:
            message = assemble(wire, envelope_of(delivery, wire, self._ctx.keyring))
            return Vetted(signed(self._ctx.signer, delivery, message, self._ctx.mail_domain, by=wire.door.signed_by))
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


def envelope_of(delivery: Claimed | Delivery, wire: Wire, keyring: Keyring) -> Envelope:
    """What differs between the messages of one digest."""
    known, links = delivery.personal, links_of(delivery, wire.door, keyring)
    return Envelope(
        recipient=delivery.recipient,
        personal=Personal(
            name=known.get("name", ""),
            email=known.get("email", ""),
            topics=tuple(known.get("topics", ())),
            cadence=known.get("cadence", ""),
        ),
        message_id=delivery.message_id,
        dated_at=delivery.dated_at or delivery.created_at,
        headers=list_headers(links),
        links=links,
    )


async def wires_of(ctx: Context, digest_ids: Sequence[int]) -> dict[int, Wire | Exception]:
    """The fragments of these digests, or what is wrong with one: that stops its own readers' mail and no other."""
    async with ctx.store.read() as tx:
        digests = await outbox.digests(tx, digest_ids)
    wires: dict[int, Wire | Exception] = {}
    for digest_id, digest in digests.items():
        try:
            wires[digest_id] = await _wire_of(ctx, digest)
        except StoreError:
            raise
        except DispatcherError as error:
            log.error("a digest could not be rendered", digest_id=digest_id, reason=str(error))
            wires[digest_id] = error
        except Exception as error:
            log.exception("a digest failed on our side; its mail is set aside", digest_id=digest_id)
            wires[digest_id] = error
    return wires


async def _wire_of(ctx: Context, digest: Digest) -> Wire:
    """The fragments that are kept, or those rendered now, kept, and only then used."""
    if digest.wire is not None:
        return Wire.loads(digest.wire)
    fresh = (await render_digest(ctx, digest)).dumps()
    async with ctx.store.write() as tx:
        return Wire.loads(await outbox.keep_wire(tx, digest.id or 0, fresh))


async def render_digest(ctx: Context, digest: Digest) -> Wire:
    """A digest's wire fragments, from the articles as they are now. TemplateError if the templates are broken."""
    ids = [item[0] for item in digest.items]
    async with ctx.store.read() as tx:
        found, names = await articles.by_ids(tx, ids), await articles.source_names(tx, ids)
    content = compose.content(digest, found, names, summary_length=ctx.settings.digest.summary_length)
    if not (content.stories or content.letter):
        raise DispatcherError("every article of this digest is gone")
    return compile_wire(fit(content, ctx.newsletter, ctx.templates), ctx.newsletter, content, ctx.door)
