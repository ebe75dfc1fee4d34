"""Departures: how a person leaves with one click, gets less instead, and takes a departure back.

    /u/TOKEN ─▶ leave ─▶ [suppression, subscriptions ended, outbox suppressed, consent "withdrawn"] ─▶ commit ─▶ answer
                 ├─ stop one topic, less often, a pause                                                   │
                 └─────────────────── /r/TOKEN: undo, for an hour ◀───────────────────────────────────────┘

The token of the link says who leaves what, one newsletter or all of them; nothing else is asked (RFC 8058). It never
lapses, and works once or often.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import (
    Channel,
    ConsentKind,
    PausedBy,
    SubscriberStatus,
    SuppressionReason,
    SuppressionScope,
)
from dispatcher.pipeline import enrolment, greetings, hooks
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import EVERY
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
    this very act has ended; `way` leads to all that they get. `newsletter_id` is what the link is for, or EVERY, and
    `others` are the newsletters that they read beside it.
    """

    reader: Subscriber | None = None
    topics: Sequence[Topic] = ()
    undo: Action | None = None
    way: Action | None = None
    newsletter_id: int = EVERY
    others: Sequence[Newsletter] = ()
    has_left: bool = False

    @property
    def is_here(self) -> bool:
        """Whether they get anything under this link, perhaps after a pause."""
        return self.reader is not None and self.reader.status not in GONE and not self.has_left


async def look(ctx: Context, text: str, now: datetime) -> Standing:
    """Whom a link is about. Changes nothing. TokenError if it is not one of ours."""
    token = ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now)
    async with ctx.store.read() as tx:
        newsletter_id = await _known(ctx, tx, token)
        reader = (await subscribers.by_ids(tx, [token.number(0)])).get(token.number(0))
        return await _standing(ctx, tx, reader, newsletter_id)


async def leave_by_token(
    ctx: Context, text: str, now: datetime, proof: Proof = NOBODY, *, is_person: bool = False
) -> Standing:
    """End what a link is for, a newsletter or all; committed when this returns. TokenError if it is not ours.

    Whoever has left, was erased or is unknown is answered alike. Those who leave at once share a transaction.
    `is_person`: somebody pressed the button of our page, and may get a letter that says so.
    """
    token = ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now)
    queue = _queues.setdefault(ctx.store, Together(_leave_together))
    return await queue.do(_Leaver(ctx, token, now, proof, is_person))


@dataclass(frozen=True, slots=True)
class _Leaver:
    ctx: Context
    token: Token
    now: datetime
    proof: Proof
    is_person: bool

    @property
    def what(self) -> tuple[int, int]:
        """Who leaves, and which newsletter."""
        return self.token.number(0), self.token.number(1)


_queues: WeakKeyDictionary[Store, Together[_Leaver, Standing]] = WeakKeyDictionary()


async def _leave_together(leavers: Sequence[_Leaver]) -> list[Standing]:
    ctx, now = leavers[0].ctx, max(leaver.now for leaver in leavers)
    first = {leaver.what: leaver for leaver in reversed(leavers)}
    found: dict[tuple[int, int], Standing] = {}
    async with ctx.store.write() as tx:
        known = {newsletter_id for _, newsletter_id in first if await _is_known(ctx, tx, newsletter_id)}
        readers = await subscribers.lock_all(tx, [subscriber_id for subscriber_id, _ in first])
        for newsletter_id in sorted(known, reverse=True):  # EVERY comes last
            asked = [readers[who] for who, which in first if which == newsletter_id and who in readers]
            standings = await _standings(ctx, tx, asked, newsletter_id)
            here = [
                (one.reader, first[who, newsletter_id].proof)
                for who, one in standings.items()
                if one.is_here and one.reader
            ]
            if here:
                await leave_all(ctx, tx, here, newsletter_id, now)
            for reader, _ in here:
                number, undo = reader.id or 0, undoing(reader, newsletter_id, now)
                found[number, newsletter_id] = replace(standings[number], undo=undo)
                if first[number, newsletter_id].is_person:
                    await greetings.goodbye(ctx, tx, reader, newsletter_id, now)
    return [
        found.get(leaver.what, Standing()) if first[leaver.what] is leaver else Standing(newsletter_id=leaver.what[1])
        for leaver in leavers
    ]


def said_by(source: str) -> Proof:
    """The proof of a departure that somebody else tells us of: an operator, the mail that came back."""
    return replace(NOBODY, source=source)


async def leave(
    ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, now: datetime, proof: Proof = NOBODY
) -> None:
    """End a newsletter, or EVERY one, for a person who is locked and here, with the proof of it, and tell who wants to
    know."""
    await leave_all(ctx, tx, [(reader, proof)], newsletter_id, now)


async def leave_all(
    ctx: Context, tx: Transaction, leaving: Sequence[tuple[Subscriber, Proof]], newsletter_id: int, now: datetime
) -> None:
    """`leave` for many."""
    await enrolment.leave_all(tx, ctx.address_key, [reader for reader, _ in leaving], newsletter_id, now)
    those = [newsletter_id] if newsletter_id else sorted(ctx.newsletters)
    rows = [evidence(ctx, ConsentKind.WITHDRAWN, reader, i, now, proof) for reader, proof in leaving for i in those]
    await consents.add_all(tx, rows)
    said = {"newsletter": ctx.letter(newsletter_id).slug} if newsletter_id or len(those) == 1 else {"newsletter": None}
    happened = [
        hooks.Happening("unsubscribed", f"{reader.id}:{_instant(now)}", reader, {**said, "reason": proof.source})
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
    left_at = EPOCH + token.number(2) * MICROSECOND
    async with ctx.store.write() as tx:
        newsletter_id = await _known(ctx, tx, token)
        reader = await subscribers.lock(tx, token.number(0)) if newsletter_id is not None else None
        if reader is None or newsletter_id is None:
            return Standing()
        if ended := await _ended(ctx, tx, reader, newsletter_id, left_at):
            await _return(ctx, tx, reader, ended, left_at)
            await greetings.withdraw_goodbye(ctx, tx, reader, newsletter_id, left_at, now)
            rows = [evidence(ctx, ConsentKind.CONFIRMED, reader, i, now, proof) for i in sorted(ended)]
            await consents.add_all(tx, rows)
            await change(tx, reader, ctx.newsletter.id or 0, instead, now, of=newsletter_id)
            key = f"undo:{reader.id}:{_instant(left_at)}"
            await hooks.announce(ctx, tx, "subscribed", now, key=key, reader=reader, source=proof.source)
        return await _standing(ctx, tx, reader, newsletter_id)


async def stay(ctx: Context, text: str, now: datetime, instead: Instead) -> Standing:
    """Get less under a link rather than leave it. TokenError if it is not ours; whoever has left stays away."""
    token = ctx.keyring.read(text, Purpose.UNSUBSCRIBE, now)
    async with ctx.store.write() as tx:
        newsletter_id = await _known(ctx, tx, token)
        reader = await subscribers.lock(tx, token.number(0)) if newsletter_id is not None else None
        if reader is None or newsletter_id is None:
            return Standing()
        if reader.status not in GONE:
            await change(tx, reader, ctx.newsletter.id or 0, instead, now, of=newsletter_id)
        return await _standing(ctx, tx, reader, newsletter_id)


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


async def _standing(ctx: Context, tx: Transaction, reader: Subscriber | None, newsletter_id: int | None) -> Standing:
    if reader is None or newsletter_id is None:
        return Standing()
    found = (await _standings(ctx, tx, [reader], newsletter_id))[reader.id or 0]
    if not found.is_here:
        return found
    subscriber_id = reader.id or 0
    endpoints = (await subscribers.endpoints(tx, [subscriber_id])).get(subscriber_id, ())
    way = next((preferring(subscriber_id, one.id or 0) for one in endpoints if one.channel == Channel.EMAIL), None)
    return replace(found, way=way)


async def _standings(
    ctx: Context, tx: Transaction, readers: Sequence[Subscriber], newsletter_id: int
) -> dict[int, Standing]:
    """How people stand to a newsletter. Somebody who follows nothing of it may have left it, or not have begun."""
    here = [reader.id or 0 for reader in readers if reader.status not in GONE]
    topics = {i: [topic for _, topic in some] for i, some in (await followed(tx, here)).items()}
    found = {reader.id or 0: _stands(ctx, reader, topics.get(reader.id or 0, ()), newsletter_id) for reader in readers}
    doubtful = {
        address_hash(ctx.address_key, one.reader.email): i
        for i, one in found.items()
        if newsletter_id and one.reader and one.is_here and not one.topics
    }
    for hashed, some in (await suppressions.of(tx, list(doubtful))).items() if doubtful else ():
        if any(one.newsletter_id == newsletter_id for one in some):
            found[doubtful[hashed]] = replace(found[doubtful[hashed]], has_left=True)
    return found


def _stands(ctx: Context, reader: Subscriber, topics: Sequence[Topic], newsletter_id: int) -> Standing:
    homes = [topic.newsletter_id or ctx.newsletter.id or 0 for topic in topics]
    its = [topic for topic, home in zip(topics, homes, strict=True) if newsletter_id in (EVERY, home)]
    others = [ctx.letter(home) for home in sorted(set(homes) - {newsletter_id})] if newsletter_id else []
    return Standing(reader, its, newsletter_id=newsletter_id, others=others)


async def _ended(
    ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, left_at: datetime
) -> Collection[int]:
    """The newsletters that a reader may return to: that they left at this instant, for no other reason."""
    hashed = address_hash(ctx.address_key, reader.email)
    found = (await suppressions.of(tx, [hashed])).get(hashed, []) if reader.email else []
    if any(one.scope == SuppressionScope.ADDRESS for one in found):
        return ()
    those = [one for one in found if newsletter_id in (EVERY, one.newsletter_id)]
    left = SuppressionReason.UNSUBSCRIBED
    return [one.newsletter_id for one in those if one.reason == left and one.since == left_at]


async def _return(
    ctx: Context, tx: Transaction, reader: Subscriber, newsletter_ids: Collection[int], left_at: datetime
) -> None:
    """As it was. A pause of the reader's own is over; one by the operator or config is not ended by leaving."""
    was_gone, was_paused_by = reader.status == SubscriberStatus.UNSUBSCRIBED, reader.paused_by
    await enrolment.rejoin(tx, ctx.address_key, reader, newsletter_ids, reader.consent)
    await subscribers.revive_subscriptions(tx, reader.id or 0, newsletter_ids, left_at)
    if was_gone and was_paused_by in (PausedBy.OPERATOR, PausedBy.CONFIG):
        reader.status, reader.paused_by = SubscriberStatus.PAUSED, was_paused_by
        await subscribers.write(tx, reader.id or 0, status=reader.status, paused_by=was_paused_by)


async def _known(ctx: Context, tx: Transaction, token: Token) -> int | None:
    """The newsletter that a token is about, or EVERY; None if there is no such newsletter here."""
    newsletter_id = token.number(1)
    return newsletter_id if await _is_known(ctx, tx, newsletter_id) else None


async def _is_known(ctx: Context, tx: Transaction, newsletter_id: int) -> bool:
    await ctx.acquaint(tx, {newsletter_id} - {EVERY})
    return newsletter_id == EVERY or newsletter_id in ctx.newsletters


def _instant(moment: datetime) -> int:
    """An instant as a claim of a token, to the microsecond."""
    return (moment - EPOCH) // MICROSECOND
