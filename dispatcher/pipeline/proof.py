"""Proofs: an edition as its readers would see it, before any of them does."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from dispatcher.config.addresses import reader_email
from dispatcher.digest.assembly import assemble
from dispatcher.digest.headers import message_id
from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.edition import Edition
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.model.values import Channel, Origin, Outcome, OutcomeKind
from dispatcher.pipeline.clippings import clip
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.editions import EditionError
from dispatcher.pipeline.preview import Preview
from dispatcher.pipeline.release import Printer
from dispatcher.pipeline.wires import outlines, written
from dispatcher.store import Transaction, subscribers
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Keyring

MARK = "[Test] "
NOBODY = "reader@example.org"
"""For whom a proof is where it is for nobody: no reader can have this address (RFC 2606)."""


async def proof(ctx: Context, edition: Edition, now: datetime, *, to: str) -> Preview:
    """An edition as somebody would get it now: a reader, if one has that address. TemplateError. Nothing is kept."""
    async with ctx.store.read() as tx:
        shown = await _as_of_now(ctx, tx, edition, now)
        known = await subscribers.by_email(tx, to.lower())
        person = known or Subscriber(
            id=0, email=to, origin=Origin.CLI, created_at=now,
            locale=ctx.settings.site.language, timezone=ctx.settings.site.timezone,
        )  # fmt: skip
        endpoint = Endpoint(id=0, subscriber_id=person.id or 0, channel=Channel.EMAIL, address=to,
                            address_hash=address_hash(ctx.address_key, to), created_at=now)  # fmt: skip
        await ctx.acquaint(tx, {edition.newsletter_id})
        digest, delivery = Printer(ctx, shown, now).rows(person, endpoint)
        told = (await outlines(ctx, tx, [Digest(**digest)]))[0]
    content = replace(told, written=written(shown)).content
    return Preview.of(ctx, content, Delivery(**delivery, digest_id=0, id=0), ctx.letter(edition.newsletter_id))


async def send_proof(ctx: Context, edition: Edition, now: datetime, to: str) -> Outcome:
    """Send it to one address, marked in its subject, over the relays that all mail takes; accounted for nowhere.

    EditionError if it does not leave, or is for no address.
    """
    try:
        to = reader_email(to)
    except ValueError as error:
        raise EditionError(str(error)) from None
    made, ours = await proof(ctx, edition, now, to=to), ctx.addresses(edition.newsletter_id)
    number = message_id(secrets.token_hex(), ctx.site_key, ours.domain)
    wire = replace(made.wire, subject=(MARK, *made.wire.subject))
    message = assemble(wire, replace(made.envelope, message_id=number, dated_at=now, headers={}))
    outcome = await ctx.transport.send(ours.sender, to, ctx.signer.fields(message, ours.domain, now) + message)
    assert outcome is not None  # only a last look gives None, and there is none
    if outcome.kind is not OutcomeKind.ACCEPTED:
        raise EditionError(f"the proof did not leave: {outcome.kind}, {outcome.code or ''} {outcome.text}".strip())
    return outcome


def harmless(ctx: Context) -> Context:
    """A context whose links open nothing: who may look at a reader's mail may not act in their name."""
    return replace(ctx, keyring=Keyring({"preview": secrets.token_bytes(32)}, "preview"))


async def _as_of_now(ctx: Context, tx: Transaction, edition: Edition, now: datetime) -> Edition:
    """With the stories that it would have, for a time that it need not have."""
    found = Edition(**edition.model_dump())
    found.send_at = found.send_at or now
    if not found.progress:
        found.items = [[*item[:4], list(item[4])] for item in await clip(ctx, tx, edition, now)]
    return found
