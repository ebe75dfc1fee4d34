"""Relocation: a reader's mail goes to another address from now on, confirmed on both sides.

    /v/TOKEN, mailed to the old one ─▶ ask ─▶ [opt-in] ─▶ letter ADDRESS to the new one ─▶ /a/TOKEN ─▶ move
                                        └─▶ taken, suppressed or beyond a limit: silence

Whoever asks is told the same in every case. What waits in the outbox goes to the new address, claimed or not, unless it
was handed to the wire already. Nobody else speaks for the old address then: config must not enrol it anew, nor pause
the reader whom it no longer names, so the address stays suppressed for this newsletter and the reader is their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.config.addresses import reader_email
from dispatcher.digest.addresses import AddressError, addr_spec
from dispatcher.model.audience import Endpoint, Subscriber
from dispatcher.model.consent import OptIn
from dispatcher.model.values import Channel, ConsentKind, LetterName, SuppressionReason
from dispatcher.pipeline import letters
from dispatcher.pipeline.account import Holder
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.departure import GONE, evidence
from dispatcher.pipeline.limits import Verdict, counted_domain, mailbox_hash, on_request
from dispatcher.pipeline.links import Action
from dispatcher.pipeline.optin import TURN, Proof, is_barred
from dispatcher.store import Transaction, consents, outbox, subscribers, suppressions
from dispatcher.store.engine import in_turn
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

GOOD_FOR = timedelta(hours=24)
EMAIL = "endpoint_id"  # in what an opt-in keeps: the endpoint that the request came from


@dataclass(frozen=True, slots=True)
class Move:
    """A new address that waits for its confirmation, or has had it."""

    opt_in: OptIn
    reader: Subscriber
    old: Endpoint
    is_done: bool = False


def checked(text: str) -> str:
    """An address as we store it, or nothing if none could be written to like that."""
    try:
        address = reader_email(text.strip()).lower()
        addr_spec(address)
    except (AddressError, ValueError):
        return ""
    return address


async def ask(ctx: Context, tx: Transaction, found: Holder, address: str, proof: Proof, now: datetime) -> bool:
    """Take a request for an address that was `checked`; False if this network asks too often. True says no more."""
    await in_turn(tx, TURN)
    hashed = mailbox_hash(ctx.address_key, address)
    lately = await consents.pressure(tx, hashed, proof.network, counted_domain(address), now)
    verdict = on_request(lately, ctx.settings.subscribe)
    if verdict is Verdict.REFUSAL:
        return False
    is_mailed = verdict is Verdict.MAIL and await _is_free(ctx, tx, address)
    opt_in = OptIn(
        newsletter_id=ctx.newsletter.id or 0,
        subscriber_id=found.reader.id,
        address=address if is_mailed else "",
        mailbox_hash=hashed,
        network=proof.network,
        choices={EMAIL: found.endpoint.id} if is_mailed else {},
        locale=found.reader.locale,
        requested_at=now,
        mailed_at=now if is_mailed else None,
    )
    opt_in_id = await consents.ask(tx, opt_in)
    if is_mailed:
        await _record(ctx, tx, ConsentKind.REQUESTED, opt_in, address, found.reader, now, proof)
        await letters.post(
            ctx,
            tx,
            LetterName.ADDRESS,
            to=address,
            key=f"address:{opt_in_id}",
            now=now,
            action=Action(Purpose.ADDRESS, (opt_in_id,), now + GOOD_FOR),
            reader=found.reader,
        )
    return True


async def look(ctx: Context, tx: Transaction, text: str, now: datetime, *, lock: bool = False) -> Move | None:
    """What a link to a new address is about; None if it cannot be had any more. TokenError if it is not ours."""
    opt_in = await consents.opt_in(tx, ctx.keyring.read(text, Purpose.ADDRESS, now).number(0))
    if opt_in is None or opt_in.subscriber_id is None or not opt_in.address:
        return None
    known = await (subscribers.lock_all if lock else subscribers.by_ids)(tx, [opt_in.subscriber_id])
    reader, old = known.get(opt_in.subscriber_id), await subscribers.endpoint(tx, int(opt_in.choices.get(EMAIL, 0)))
    if reader is None or old is None or reader.status in GONE:
        return None
    if opt_in.confirmed_at is not None:
        return Move(opt_in, reader, old, is_done=True) if reader.email == opt_in.address else None
    is_free = old.is_active and await _is_free(ctx, tx, opt_in.address)
    return Move(opt_in, reader, old) if is_free else None


async def confirm(ctx: Context, text: str, proof: Proof, now: datetime) -> Move | None:
    """Move, once; None if the address cannot be had any more. TokenError if the link is not ours, or has lapsed."""
    async with ctx.store.write() as tx:
        await in_turn(tx, "declare")  # config may be about to enrol somebody at this very address
        await in_turn(tx, TURN)
        found = await look(ctx, tx, text, now, lock=True)
        if found is not None and not found.is_done:
            await consents.mark_confirmed(tx, found.opt_in.id or 0, now)
            await _move(ctx, tx, found, proof, now)
        return found


async def _is_free(ctx: Context, tx: Transaction, address: str) -> bool:
    """Whether an address may be written to, and is nobody's."""
    return await subscribers.by_email(tx, address) is None and not await is_barred(ctx, tx, address)


async def _move(ctx: Context, tx: Transaction, move: Move, proof: Proof, now: datetime) -> None:
    reader, old, address = move.reader, move.old, move.opt_in.address
    await _record(ctx, tx, ConsentKind.CONFIRMED, move.opt_in, address, reader, now, proof)
    hashed = address_hash(ctx.address_key, address)
    await _take_departures_along(ctx, tx, reader, old, address, now, proof)
    new = await subscribers.move_endpoint(tx, old, address, hashed, now)
    if old.channel == Channel.EMAIL:
        await subscribers.write(tx, reader.id or 0, email=address, soft_bounces=0)
    await subscribers.take_over(tx, reader.id or 0)
    await outbox.readdress(tx, new)
    key = f"moved:{move.opt_in.id}"
    await letters.post(ctx, tx, LetterName.MOVED, to=old.address, key=key, now=now, reader=reader)


async def _take_departures_along(
    ctx: Context, tx: Transaction, reader: Subscriber, old: Endpoint, address: str, now: datetime, proof: Proof
) -> None:
    """At the old address nobody reads any more; at the new one what they read, as after any newly confirmed consent,
    and nothing of the newsletters that they have left."""
    hashed = address_hash(ctx.address_key, address)
    before = (await suppressions.of(tx, [old.address_hash])).get(old.address_hash, ())
    left = {one.newsletter_id: one.reason for one in before}
    for newsletter_id in sorted(ctx.newsletters):
        if newsletter_id in left and len(ctx.newsletters) > 1:
            reason = left[newsletter_id]
            await suppressions.add(tx, hashed, reason, now, address=address, newsletter_id=newsletter_id)
            continue
        await consents.add_all(tx, [evidence(ctx, ConsentKind.WITHDRAWN, reader, newsletter_id, now, proof)])
        await suppressions.lift(tx, hashed, newsletter_id)
        gone = SuppressionReason.UNSUBSCRIBED
        await suppressions.add(tx, old.address_hash, gone, now, address=old.address, newsletter_id=newsletter_id)


async def _record(
    ctx: Context, tx: Transaction, kind: ConsentKind, opt_in: OptIn, address: str, reader: Subscriber, now: datetime,
    proof: Proof,
) -> None:  # fmt: skip
    proven = evidence(ctx, kind, reader, opt_in.newsletter_id, now, proof, opt_in.id)
    await consents.add_all(tx, [proven | {"address": address, "address_hash": address_hash(ctx.address_key, address)}])
