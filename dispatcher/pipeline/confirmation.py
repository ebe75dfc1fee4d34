"""Double opt-in, second half: the link in the mail was opened, and somebody pressed the button (G1).

Looking changes nothing, however often programs open every link of a mail. Confirming does all of it in one transaction:
the proof, the person, what they follow; a second time it does nothing and says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from dispatcher.errors import TokenError
from dispatcher.model.audience import Subscriber
from dispatcher.model.consent import OptIn
from dispatcher.model.content import Topic
from dispatcher.model.values import Channel, ConsentKind, Origin, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import enrolment, greetings, hooks, own_topics
from dispatcher.pipeline.choices import Choices
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import Action, preferring
from dispatcher.pipeline.optin import READING, TURN, Proof, active_topics, is_barred, letters_of, offered, record
from dispatcher.store import Transaction, consents, subscribers, suppressions
from dispatcher.store.engine import in_turn
from dispatcher.store.keys import address_hash
from dispatcher.tokens import Purpose

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """What the link of a confirmation mail leads to."""

    UNKNOWN = "unknown"  # forged, damaged, or the request was forgotten
    PENDING = "pending"
    LAPSED = "lapsed"
    CONFIRMED = "confirmed"
    USED = "used"  # confirmed before; the reader has left since, or the link has lapsed
    BARRED = "barred"  # every mail to the address is suppressed
    WITHDRAWN = "withdrawn"  # nothing that was asked for is offered any more


@dataclass(frozen=True, slots=True)
class Found:
    """A request as its link shows it. `labels`: topics by name, queries as written. `way` leads to the preferences."""

    state: State
    opt_in: OptIn | None = None
    choices: Choices | None = None
    labels: Sequence[str] = ()
    way: Action | None = None


async def look(ctx: Context, token: str, now: datetime) -> Found:
    """What a link is about, and whether it can still be confirmed."""
    async with ctx.store.read() as tx:
        return await _look(ctx, tx, token, now)


async def confirm(ctx: Context, token: str, proof: Proof, now: datetime) -> Found:
    """Do what was asked for, once. What has become of it meanwhile is in the state that is returned."""
    async with ctx.store.write() as tx:
        await in_turn(tx, "declare")  # config may name the same newcomer at this moment
        await in_turn(tx, TURN)
        found = await _look(ctx, tx, token, now)
        if found.state != State.PENDING or found.opt_in is None or found.choices is None:
            return found
        if await is_barred(ctx, tx, found.choices.address):
            return Found(State.BARRED, found.opt_in, found.choices)
        if not found.labels:
            return Found(State.WITHDRAWN, found.opt_in, found.choices)
        await consents.mark_confirmed(tx, found.opt_in.id or 0, now)
        await record(ctx, tx, ConsentKind.CONFIRMED, found.opt_in, found.choices, proof, now)
        await _fulfil(ctx, tx, found.opt_in, found.choices, now)
        return await _look(ctx, tx, token, now)


async def _look(ctx: Context, tx: Transaction, text: str, now: datetime) -> Found:
    try:
        token = ctx.keyring.read(text, Purpose.CONFIRM, EPOCH)  # a lapsed one is still ours
        opt_in = await consents.opt_in(tx, token.number(0))
    except TokenError:
        return Found(State.UNKNOWN)
    if opt_in is None or not opt_in.address:
        return Found(State.UNKNOWN)
    choices = Choices.loaded(opt_in.address, opt_in.choices)
    labels = await _labels(ctx, tx, choices)
    has_lapsed = token.expires_at is not None and now >= token.expires_at
    if opt_in.confirmed_at is None:
        return Found(State.LAPSED if has_lapsed else State.PENDING, opt_in, choices, labels)
    way = None if has_lapsed else await _way(tx, opt_in.address)
    return Found(State.CONFIRMED if way else State.USED, opt_in, choices, labels, way)


async def _labels(ctx: Context, tx: Transaction, choices: Choices) -> list[str]:
    public = await offered(tx)
    own = choices.queries if ctx.settings.subscribe.own_topics else ()
    return [*(public[slug].name for slug in choices.topics if slug in public), *own]


async def _way(tx: Transaction, address: str) -> Action | None:
    """To what this reader gets; None if nobody reads at this address now."""
    reader = await subscribers.by_email(tx, address)
    if reader is None or reader.status not in READING:
        return None
    endpoints = (await subscribers.endpoints(tx, [reader.id or 0])).get(reader.id or 0, ())
    return next((preferring(reader.id or 0, one.id or 0) for one in endpoints if one.channel == Channel.EMAIL), None)


async def _fulfil(ctx: Context, tx: Transaction, opt_in: OptIn, choices: Choices, now: datetime) -> None:
    reader = await subscribers.by_email(tx, choices.address)
    is_new = reader is None or reader.status not in READING
    if reader is None:
        reader = await _enrol(ctx, tx, opt_in, choices, now)
    elif is_new:
        await _rejoin(ctx, tx, reader, opt_in, choices, now)
    else:
        await _wake(ctx, tx, reader, opt_in, choices, now)
    await _follow(ctx, tx, reader, choices, now)
    await enrolment.reschedule(tx, reader, ctx.newsletter.id or 0, now)
    for event in ("confirmed", "subscribed") if is_new else ("confirmed",):
        about = {"newsletter": ctx.letter(opt_in.newsletter_id).slug, "topics": list(choices.topics)}
        await hooks.announce(ctx, tx, event, now, key=f"opt-in:{opt_in.id}", reader=reader, **about)
    if is_new:
        await greetings.welcome(ctx, tx, reader, now, key=str(opt_in.id))


def _chosen(choices: Choices) -> dict[str, Any]:
    """The fields that the reader has a word in, which config does not overwrite from now on."""
    said = {name: getattr(choices, name) for name in ("name", "timezone", "locale", "cadence")}
    return {name: value for name, value in said.items() if value}


def _proof(opt_in: OptIn, now: datetime) -> dict[str, str]:
    return {"how": Origin.WEB.value, "at": now.isoformat(), "by": f"the reader, by mail (request {opt_in.id})"}


async def _enrol(ctx: Context, tx: Transaction, opt_in: OptIn, choices: Choices, now: datetime) -> Subscriber:
    for newsletter_id in await letters_of(ctx, tx, choices):
        await suppressions.lift(tx, address_hash(ctx.address_key, choices.address), newsletter_id)
    chosen = _chosen(choices)
    newcomer = Subscriber(
        email=choices.address,
        **chosen,
        origin=Origin.WEB,
        chosen=sorted(chosen),
        consent=_proof(opt_in, now),
        created_at=now,
    )
    return await enrolment.enrol(tx, ctx.address_key, newcomer)


async def _rejoin(
    ctx: Context, tx: Transaction, reader: Subscriber, opt_in: OptIn, choices: Choices, now: datetime
) -> None:
    chosen = _chosen(choices)
    changes: dict[str, Any] = {**chosen, "chosen": sorted({*reader.chosen, *chosen}), "origin": Origin.WEB}
    await subscribers.write(tx, reader.id or 0, **changes)
    for name, value in changes.items():
        setattr(reader, name, value)
    await enrolment.rejoin(tx, ctx.address_key, reader, await letters_of(ctx, tx, choices), _proof(opt_in, now))


async def _wake(
    ctx: Context, tx: Transaction, reader: Subscriber, opt_in: OptIn, choices: Choices, now: datetime
) -> None:
    """Somebody who asks for more wants mail again, unless an operator stopped it. Config no longer speaks for them."""
    wanted = await letters_of(ctx, tx, choices)
    back = await suppressions.unsubscribed(tx, address_hash(ctx.address_key, reader.email), wanted)
    if back:
        await enrolment.rejoin(tx, ctx.address_key, reader, back, _proof(opt_in, now))
    if reader.status != SubscriberStatus.PAUSED or reader.paused_by == PausedBy.OPERATOR:
        return
    if reader.paused_by == PausedBy.CONFIG:
        await subscribers.write(tx, reader.id or 0, origin=Origin.WEB)
        reader.origin = Origin.WEB
    await enrolment.resume(tx, reader, ctx.newsletter.id or 0, now)


async def _follow(ctx: Context, tx: Transaction, reader: Subscriber, choices: Choices, now: datetime) -> None:
    """Add what is asked for and not yet followed; what is followed already keeps its cadence."""
    followed = set(await active_topics(tx, reader))
    looks_back = ctx.settings.schedule.first_digest == "period"
    added: set[int] = set()
    for topic in await _wanted(ctx, tx, reader, choices, followed, now):
        await enrolment.follow(tx, reader, topic, choices.cadence, origin=Origin.WEB, now=now, looks_back=looks_back)
        added.add(topic.id or 0)
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, ())
    for subscription in (s for s in mine if s.topic_id in added and s.channel == Channel.EMAIL):
        await subscribers.write_subscription(
            tx,
            subscription.id or 0,
            status=SubscriptionStatus.ACTIVE,
            paused_by=None,
            origin=Origin.WEB,
            chosen=sorted({*subscription.chosen, "cadence"}),
        )


async def _wanted(
    ctx: Context, tx: Transaction, reader: Subscriber, choices: Choices, followed: set[int], now: datetime
) -> list[Topic]:
    """Topics that are asked for, offered and not followed; of their own, as many as a reader may have."""
    public = await offered(tx)
    wanted = [public[slug] for slug in choices.topics if slug in public and public[slug].id not in followed]
    mine = set(followed)
    for query in choices.queries:
        topic = await own_topics.keep(ctx, tx, reader, query, now, followed=mine, newsletter=choices.newsletter)
        if topic is not None and topic.id not in mine:
            mine.add(topic.id or 0)
            wanted.append(topic)
    return wanted
