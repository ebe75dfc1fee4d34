"""Departures: how a person leaves with one click, gets less instead, and takes a departure back.

    /u/TOKEN ─▶ leave ─▶ [suppression, subscriptions ended, outbox suppressed, consent "withdrawn"] ─▶ commit ─▶ answer
                 ├─ stop one topic, less often, a pause                                                   │
                 └─────────────────── /r/TOKEN: undo, for an hour ◀───────────────────────────────────────┘

The token of the link says who leaves what; nothing else is asked (RFC 8058). It never lapses, and works once or often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.values import (
    Channel,
    ConsentKind,
    PausedBy,
    SubscriberStatus,
    SuppressionReason,
    SuppressionScope,
)
from dispatcher.pipeline import enrolment, hooks
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.less import NO_LESS, Instead, change, followed
from dispatcher.pipeline.links import Action, preferring
from dispatcher.pipeline.optin import Proof
from dispatcher.pipeline.together import Together
from dispatcher.store import Store, Transaction, consents, subscribers, suppressions
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose, Token

UNDO_WITHIN = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
GONE = (SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.ERASED)
NOBODY = Proof(wording="", source="", ip="", network="", user_agent="")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the link of a mail leads to: who it is about, and what they follow under it, labels in order.

    `reader` is None for somebody we do not know any more, and looks like somebody who has left. `undo` takes back what
    this very act has ended; `way` leads to all that they get.
    """

    reader: Subscriber | None = None
    topics: Sequence[Topic] = ()
    undo: Action | None = None
    way: Action | None = None

    @property
    def is_here(self) -> bool:
        """Whether they get anything under this link, perhaps after a pause."""
        return self.reader is not None and self.reader.status not in GONE


async def look(ctx: Context, text: str, now: datetime) -> Standing:
    """Whom a link is about. Changes nothing. TokenError if it is not one of ours."""
    subscriber_id = _who(ctx, ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now))
    async with ctx.store.read() as tx:
        return await _standing(tx, (await subscribers.by_ids(tx, [subscriber_id])).get(subscriber_id))


async def leave_by_token(ctx: Context, text: str, now: datetime, proof: Proof = NOBODY) -> Standing:
    """End everything under the newsletter of a link; committed when this returns. TokenError if it is not ours.

    Whoever has left, was erased or is unknown is answered alike. Those who leave at once share a transaction.
    """
    token = ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now)
    if token.number(1) != ctx.newsletter.id:
        return Standing()
    queue = _queues.setdefault(ctx.store, Together(_leave_together))
    return await queue.do(_Leaver(ctx, _who(ctx, token), token.number(1), now, proof))


@dataclass(frozen=True, slots=True)
class _Leaver:
    ctx: Context
    subscriber_id: int
    newsletter_id: int
    now: datetime
    proof: Proof


_queues: WeakKeyDictionary[Store, Together[_Leaver, Standing]] = WeakKeyDictionary()


async def _leave_together(leavers: Sequence[_Leaver]) -> list[Standing]:
    ctx, now = leavers[0].ctx, max(leaver.now for leaver in leavers)
    async with ctx.store.write() as tx:
        readers = await subscribers.lock_all(tx, [leaver.subscriber_id for leaver in leavers])
        here = {i: reader for i, reader in readers.items() if reader.status not in GONE}
        first = {leaver.subscriber_id: leaver for leaver in reversed(leavers) if leaver.subscriber_id in here}
        topics = await followed(tx, list(first))
        for newsletter_id in sorted({leaver.newsletter_id for leaver in first.values()}):
            leaving = [(here[i], one.proof) for i, one in first.items() if one.newsletter_id == newsletter_id]
            await leave_all(ctx, tx, leaving, newsletter_id, now)
    return [
        Standing(
            here[leaver.subscriber_id],
            [topic for _, topic in topics[leaver.subscriber_id]],
            undoing(here[leaver.subscriber_id], leaver.newsletter_id, now),
        )
        if first.get(leaver.subscriber_id) is leaver
        else Standing()
        for leaver in leavers
    ]


def said_by(source: str) -> Proof:
    """The proof of a departure that somebody else tells us of: an operator, the mail that came back."""
    return replace(NOBODY, source=source)


async def leave(
    ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, now: datetime, proof: Proof = NOBODY
) -> None:
    """End everything for a person who is locked and here, with the proof of it, and tell who wants to know."""
    await leave_all(ctx, tx, [(reader, proof)], newsletter_id, now)


async def leave_all(
    ctx: Context, tx: Transaction, leaving: Sequence[tuple[Subscriber, Proof]], newsletter_id: int, now: datetime
) -> None:
    """`leave` for many."""
    await enrolment.leave_all(tx, ctx.address_key, [reader for reader, _ in leaving], newsletter_id, now)
    rows = [evidence(ctx, ConsentKind.WITHDRAWN, reader, newsletter_id, now, proof) for reader, proof in leaving]
    await consents.add_all(tx, rows)
    happened = [
        hooks.Happening("unsubscribed", f"{reader.id}:{_instant(now)}", reader, {"reason": proof.source})
        for reader, proof in leaving
    ]
    await hooks.announce_all(ctx, tx, happened, now)


def undoing(reader: Subscriber, newsletter_id: int, left_at: datetime) -> Action:
    """To take back one departure, within the hour."""
    claims = (reader.id or 0, newsletter_id, _instant(left_at))
    return Action(Purpose.UNDO, claims, left_at + UNDO_WITHIN)


async def undo(
    ctx: Context, text: str, now: datetime, proof: Proof = NOBODY, instead: Instead = NO_LESS
) -> Standing:  # fmt: skip
    """Take back the departure that a token names, perhaps not in full. TokenError if it is not ours, or has lapsed.

    Only what ended at that instant comes back, and only if that is still why nothing is sent: nobody who bounced,
    complained, was erased or has left once more. Whoever is here already stays as they are.
    """
    token = ctx.keyring.read(text, Purpose.UNDO, now)
    subscriber_id, newsletter_id, left_at = _who(ctx, token), token.number(1), EPOCH + token.number(2) * MICROSECOND
    async with ctx.store.write() as tx:
        reader = await subscribers.lock(tx, subscriber_id)
        if reader is not None and await _may_return(ctx, tx, reader, newsletter_id, left_at):
            await _return(ctx, tx, reader, newsletter_id, left_at)
            await consents.add_all(tx, [evidence(ctx, ConsentKind.CONFIRMED, reader, newsletter_id, now, proof)])
            await change(tx, reader, newsletter_id, instead, now)
            key = f"undo:{reader.id}:{_instant(left_at)}"
            await hooks.announce(ctx, tx, "subscribed", now, key=key, reader=reader, source=proof.source)
        return await _standing(tx, reader)


async def stay(ctx: Context, text: str, now: datetime, instead: Instead) -> Standing:
    """Get less under a link rather than leave it. TokenError if it is not ours; whoever has left stays away."""
    token = ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now)
    async with ctx.store.write() as tx:
        reader = await subscribers.lock(tx, _who(ctx, token))
        if reader is not None and reader.status not in GONE:
            await change(tx, reader, token.number(1), instead, now)
        return await _standing(tx, reader)


def evidence(
    ctx: Context, kind: ConsentKind, reader: Subscriber, newsletter_id: int, now: datetime, proof: Proof,
    opt_in_id: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The proof of what a reader did to the newsletter as a whole, for `consents.add_all`."""
    return {
        "kind": kind,
        "newsletter_id": newsletter_id,
        "opt_in_id": opt_in_id,
        "address": reader.email,
        "address_hash": address_hash(ctx.address_key, reader.email),
        "topics": [],
        "source": proof.source,
        "wording": "",
        "ip": proof.ip,
        "user_agent": proof.user_agent,
        "at": now,
    }


async def _standing(tx: Transaction, reader: Subscriber | None) -> Standing:
    if reader is None or reader.status in GONE:
        return Standing(reader)
    subscriber_id = reader.id or 0
    endpoints = (await subscribers.endpoints(tx, [subscriber_id])).get(subscriber_id, ())
    way = next((preferring(subscriber_id, one.id or 0) for one in endpoints if one.channel == Channel.EMAIL), None)
    mine = (await followed(tx, [subscriber_id]))[subscriber_id]
    return Standing(reader, [topic for _, topic in mine], way=way)


async def _may_return(ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, left_at: datetime) -> bool:
    if reader.status != SubscriberStatus.UNSUBSCRIBED:
        return False
    hashed = address_hash(ctx.address_key, reader.email)
    found = (await suppressions.of(tx, [hashed])).get(hashed, [])
    ours = [one for one in found if one.newsletter_id == newsletter_id]
    if any(one.scope == SuppressionScope.ADDRESS for one in found) or len(ours) != 1:
        return False
    return ours[0].reason == SuppressionReason.UNSUBSCRIBED and ours[0].since == left_at


async def _return(ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, left_at: datetime) -> None:
    """As it was. A pause of the reader's own is over; one by the operator or config is not ended by leaving."""
    was_paused_by = reader.paused_by
    await enrolment.rejoin(tx, ctx.address_key, reader, newsletter_id, reader.consent)
    await subscribers.revive_subscriptions(tx, reader.id or 0, left_at)
    if was_paused_by in (PausedBy.OPERATOR, PausedBy.CONFIG):
        reader.status, reader.paused_by = SubscriberStatus.PAUSED, was_paused_by
        await subscribers.write(tx, reader.id or 0, status=reader.status, paused_by=was_paused_by)


def _who(ctx: Context, token: Token) -> int:
    """The subscriber that a token is about; nobody if it is about a newsletter that is not published here."""
    return token.number(0) if token.number(1) == ctx.newsletter.id else 0


def _instant(moment: datetime) -> int:
    """An instant as a claim of a token, to the microsecond."""
    return (moment - EPOCH) // MICROSECOND
