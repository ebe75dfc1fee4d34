"""Double opt-in, first half: a request that is kept, and the mail that asks whether it was meant (G1).

    choices ─▶ request ─┬─▶ [opt-in, consent "requested"] ─▶ letter CONFIRM ─▶ /c/TOKEN ─▶ confirmation
                        ├─▶ a reader who gets all of it already: letter MANAGE
                        └─▶ beyond a limit, or suppressed: silence

Whoever asks cannot tell these apart. Beyond what the limits need, nothing is kept of a request that is met with
silence, and nobody is enrolled before they have confirmed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from dispatcher.model.audience import Subscriber
from dispatcher.model.consent import OptIn
from dispatcher.model.content import Topic
from dispatcher.model.values import Channel, ConsentKind, LetterName, SubscriberStatus, SubscriptionStatus
from dispatcher.model.values import SuppressionScope as Scope
from dispatcher.pipeline import letters, own_topics
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.limits import (
    Verdict,
    counted_domain,
    link_hash,
    mailbox_hash,
    on_lost_link,
    on_request,
)
from dispatcher.pipeline.links import Action, preferring
from dispatcher.store import Transaction, consents, newsletters, subscribers, suppressions, topics
from dispatcher.store.engine import in_turn
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

TURN = "opt-in"
READING = (SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Proof:
    """Where an act of consent came from: the words that were shown, the form's URL, the browser."""

    wording: str
    source: str
    ip: str
    network: str
    user_agent: str


async def offered(tx: Transaction) -> dict[str, Topic]:
    """The topics that anybody may follow, by slug."""
    found = [topic for topic in await topics.every(tx) if topic.is_public and not topic.is_paused]
    resting = await newsletters.resting(tx) if any(topic.newsletter_id for topic in found) else ()
    return {topic.slug: topic for topic in found if topic.newsletter_id not in resting}


async def letters_of(ctx: Context, tx: Transaction, choices: Choices) -> list[int]:
    """The newsletters that are asked for: those of the topics on offer, and of queries of one's own."""
    public, default = await offered(tx), ctx.newsletter.id or 0
    asked = {public[slug].newsletter_id or default for slug in choices.topics if slug in public}
    if choices.queries:
        asked.add(own_topics.home(ctx, choices.newsletter))
    return sorted(asked)


async def request(ctx: Context, choices: Choices, proof: Proof, now: datetime) -> bool:
    """Take a request whose choices were checked; False if this network asks too often. True says nothing else."""
    hashed = mailbox_hash(ctx.address_key, choices.address)
    async with ctx.store.write() as tx:
        await in_turn(tx, TURN)
        lately = await consents.pressure(tx, hashed, proof.network, counted_domain(choices.address), now)
        verdict = on_request(lately, ctx.settings.subscribe)
        if verdict is Verdict.REFUSAL:
            return False
        reader = await subscribers.by_email(tx, choices.address)
        letter = await _letter(ctx, tx, choices, reader)
        if verdict is Verdict.SILENCE:
            letter = None
        asked = await letters_of(ctx, tx, choices)
        opt_in = _kept(ctx, hashed, proof.network, now, is_mailed=letter is not None)
        opt_in.newsletter_id = asked[0] if len(asked) == 1 else opt_in.newsletter_id
        if letter == LetterName.CONFIRM:
            opt_in.address, opt_in.choices, opt_in.locale = choices.address, choices.stored(), choices.locale
        await consents.ask(tx, opt_in)
        if letter == LetterName.CONFIRM:
            await _ask_to_confirm(ctx, tx, opt_in, choices, proof, now)
        elif letter == LetterName.MANAGE and reader:
            await _show_the_way(ctx, tx, opt_in, reader, now)
    return True


async def renew(ctx: Context, opt_in: OptIn, proof: Proof, now: datetime) -> bool:
    """Ask once more for what was not confirmed in time, within the same limits; False as in `request`."""
    return await request(ctx, Choices.loaded(opt_in.address, opt_in.choices), proof, now)


async def lost(ctx: Context, address: str, network: str, now: datetime) -> bool:
    """Mail a reader the link to what they get; False if this network asks too often. True says nothing else."""
    hashed = link_hash(ctx.address_key, address)
    async with ctx.store.write() as tx:
        await in_turn(tx, TURN)
        verdict = on_lost_link(await consents.pressure(tx, hashed, network, "", now), ctx.settings.subscribe)
        if verdict is Verdict.REFUSAL:
            return False
        reader = await subscribers.by_email(tx, address)
        is_theirs = reader is not None and reader.status in READING and not await is_barred(ctx, tx, address)
        is_mailed = is_theirs and verdict is Verdict.MAIL
        opt_in = _kept(ctx, hashed, network, now, is_mailed=is_mailed)
        await consents.ask(tx, opt_in)
        if is_mailed and reader:
            await _show_the_way(ctx, tx, opt_in, reader, now)
    return True


async def is_barred(ctx: Context, tx: Transaction, address: str) -> bool:
    """Whether every mail to an address is suppressed, a confirmation's too."""
    hashed = address_hash(ctx.address_key, address)
    found = await suppressions.of(tx, [hashed])
    return any(one.scope == Scope.ADDRESS for one in found.get(hashed, ()))


async def _letter(ctx: Context, tx: Transaction, choices: Choices, reader: Subscriber | None) -> LetterName | None:
    """What an address is to be sent, as far as it goes by who reads there."""
    if await is_barred(ctx, tx, choices.address):
        return None
    if reader is None or reader.status not in READING or await _has_news(tx, choices, reader):
        return LetterName.CONFIRM
    return LetterName.MANAGE


async def _has_news(tx: Transaction, choices: Choices, reader: Subscriber) -> bool:
    """Whether anything is asked for that this reader does not get already."""
    followed = await active_topics(tx, reader)
    public = await offered(tx)
    if any(public[slug].id not in followed for slug in choices.topics if slug in public):
        return True
    mine = await own_topics.owned(tx, reader.id or 0)
    got = {text for text, topic in mine.items() if topic.id in followed}
    return any(own_topics.meaning(query) not in got for query in choices.queries)


async def active_topics(tx: Transaction, reader: Subscriber) -> Collection[int]:
    """The ids of the topics that a reader is sent by mail."""
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, ())
    return {s.topic_id for s in mine if s.status == SubscriptionStatus.ACTIVE and s.channel == Channel.EMAIL}


def _kept(ctx: Context, hashed: str, network: str, now: datetime, *, is_mailed: bool) -> OptIn:
    """What is kept of every request: enough to count it."""
    return OptIn(
        newsletter_id=ctx.newsletter.id or 0,
        address="",
        mailbox_hash=hashed,
        network=network,
        requested_at=now,
        mailed_at=now if is_mailed else None,
    )


async def _ask_to_confirm(
    ctx: Context, tx: Transaction, opt_in: OptIn, choices: Choices, proof: Proof, now: datetime
) -> None:
    """The letter names nothing that a stranger has written: it must not carry their message to somebody else."""
    public = await offered(tx)
    await record(ctx, tx, ConsentKind.REQUESTED, opt_in, choices, proof, now)
    await letters.post(
        ctx,
        tx,
        LetterName.CONFIRM,
        to=choices.address,
        key=f"confirm:{opt_in.id}",
        now=now,
        locale=choices.locale,
        topics=[public[slug].name for slug in choices.topics if slug in public],
        action=Action(Purpose.CONFIRM, (opt_in.id or 0,), now + ctx.settings.subscribe.confirm_within),
        newsletter=ctx.letter(opt_in.newsletter_id),
    )


async def record(
    ctx: Context, tx: Transaction, kind: ConsentKind, opt_in: OptIn, choices: Choices, proof: Proof, now: datetime
) -> None:
    """Add one piece of proof."""
    row = {
        "kind": kind,
        "newsletter_id": opt_in.newsletter_id,
        "opt_in_id": opt_in.id,
        "address": choices.address,
        "address_hash": address_hash(ctx.address_key, choices.address),
        "topics": [*choices.topics, *choices.queries],
        "source": proof.source,
        "wording": await consents.keep_wording(tx, proof.wording, now),
        "ip": proof.ip,
        "user_agent": proof.user_agent,
        "at": now,
    }
    await consents.add_all(tx, [row])


async def _show_the_way(ctx: Context, tx: Transaction, opt_in: OptIn, reader: Subscriber, now: datetime) -> None:
    endpoints = (await subscribers.endpoints(tx, [reader.id or 0])).get(reader.id or 0, ())
    for endpoint in (one for one in endpoints if one.channel == Channel.EMAIL):
        way = preferring(reader.id or 0, endpoint.id or 0)
        key = f"manage:{opt_in.id}"
        await letters.post(ctx, tx, LetterName.MANAGE, to=endpoint.address, key=key, now=now, action=way, reader=reader)
        return
