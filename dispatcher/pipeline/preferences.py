"""Preferences: all that a reader gets, as one sheet, and the sheet as they want it from now on.

    /p/TOKEN ─▶ look ─▶ Sheet ─▶ the reader ─▶ Wishes ─▶ apply, in one transaction in which the reader is locked

What a reader says is noted as `chosen`, and config leaves it alone. A change of cadence or zone neither loses nor
repeats anything (`enrolment.follow`, `enrolment.reschedule`); nobody who has left comes back by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from dispatcher.errors import QueryError
from dispatcher.model.audience import Endpoint, Subscriber, Subscription
from dispatcher.model.content import Source, Topic
from dispatcher.model.values import Channel, ConsentKind, Origin, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import departure, enrolment, less, own_topics, waiting
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.declare import keep_query
from dispatcher.schedule import zones
from dispatcher.store import Transaction, consents, sources, subscribers, suppressions, topics
from dispatcher.store.keys import address_hash

QUIET = ("quiet_from", "quiet_until", "allowed_days")
FIELDS = ("name", "timezone", "locale", "layout", "cadence", *QUIET)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to follow: a topic, or a whole source, whose topic is made when somebody wants it."""

    topic: Topic | None
    subscription: Subscription | None = None
    source: Source | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is followed now."""
        return self.subscription is not None and self.subscription.status == SubscriptionStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a reader gets at an address and could get: topics on offer, their own, whole sources."""

    reader: Subscriber
    endpoint: Endpoint
    offered: Sequence[Line]
    own: Sequence[Line]
    sources: Sequence[Line]

    @property
    def pauses(self) -> bool:
        """Whether a pause is the reader's to begin and to end: nobody else has paused them."""
        return self.reader.status == SubscriberStatus.ACTIVE or self.reader.paused_by == PausedBy.READER


@dataclass(frozen=True, slots=True)
class Own:
    """A query of the reader's own as they want it. `topic_id` is 0 for a new one."""

    topic_id: int
    name: str
    query: str
    cadence: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """A sheet as its reader wants it, checked. Cadences are canonical; what is not named here is not followed."""

    fields: Mapping[str, str]
    offered: Mapping[int, str] = field(default_factory=dict)  # topic id → cadence
    own: Sequence[Own] = ()
    sources: frozenset[int] = frozenset()
    is_paused: bool = False
    paused_until: date | None = None  # the day on which it goes on


async def look(ctx: Context, tx: Transaction, reader: Subscriber, endpoint: Endpoint) -> Sheet:
    """What a reader gets at an endpoint, and what there is."""
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, ())
    by_topic = {s.topic_id: s for s in mine if s.channel == endpoint.channel}
    published = await topics.every(tx)
    own = {own_topics.meaning(t.query_text): t for t in await topics.owned(tx, reader.id or 0)}
    offered = [Line(topic, by_topic.get(topic.id or 0)) for topic in published]
    whole = _whole_sources(await sources.every(tx), own, by_topic)
    of_sources = {line.topic.id for line in whole if line.topic}
    theirs = [Line(topic, by_topic.get(topic.id or 0)) for topic in own.values() if topic.id not in of_sources]
    return Sheet(
        reader=reader,
        endpoint=endpoint,
        offered=sorted(filter(_is_open, offered), key=lambda line: _label(line).casefold()),
        own=[line for line in theirs if line.subscription and line.subscription.status != SubscriptionStatus.ENDED],
        sources=whole,
    )


async def apply(ctx: Context, tx: Transaction, sheet: Sheet, wishes: Wishes, now: datetime) -> None:
    """Make it so. The caller has locked the reader, who has not left, and loaded the sheet in this transaction."""
    reader, was = sheet.reader, {name: getattr(sheet.reader, name) for name in FIELDS}
    await _write_fields(tx, reader, wishes.fields)
    follows = await _offered(tx, sheet, wishes, now)
    follows += await _own(ctx, tx, sheet, wishes, now)
    follows += await _sources(ctx, tx, sheet, wishes, was["cadence"], now)
    await _follow(ctx, tx, reader, follows, now)
    newsletter_id = ctx.newsletter.id or 0
    await enrolment.reschedule(tx, reader, newsletter_id, now)
    if any(getattr(reader, name) != was[name] for name in (*QUIET, "timezone")):
        await waiting.rouse(tx, reader, now)
    if sheet.pauses:
        await _pause(tx, reader, newsletter_id, wishes, now)


def paused_on(reader: Subscriber) -> date | None:
    """The day on which a reader's pause ends, by their calendar."""
    if reader.status != SubscriberStatus.PAUSED or reader.paused_until is None:
        return None
    return zones.wall_at(reader.paused_until, zones.zone(reader.timezone)).date()


Follows = list[tuple[Topic, str]]  # each with its cadence


def _is_open(line: Line) -> bool:
    """What anybody may follow; of the rest, what this reader follows anyway."""
    return line.is_on or (line.topic is not None and line.topic.is_public and not line.topic.is_paused)


def _label(line: Line) -> str:
    return line.topic.name if line.topic else line.source.name if line.source else ""


def _whole_sources(
    known: Sequence[Source], own: Mapping[str, Topic], by_topic: Mapping[int, Subscription]
) -> list[Line]:
    """The sources there are; two whose names are the same to a query are one."""
    lines: dict[str, Line] = {}
    for source in sorted(known, key=lambda source: source.name.casefold()):
        try:
            meaning = own_topics.meaning(_query_of(source))
        except QueryError:  # its name has neither letters nor digits: no query can tell it
            continue
        topic = own.get(meaning)
        line = Line(topic, by_topic.get(topic.id or 0) if topic else None, source)
        if line.is_on or not source.is_paused:
            lines.setdefault(meaning, line)
    return list(lines.values())


def _query_of(source: Source) -> str:
    return 'source:"{}"'.format(source.name.replace('"', " "))


async def _write_fields(tx: Transaction, reader: Subscriber, fields: Mapping[str, str]) -> None:
    changes: dict[str, Any] = {name: value for name, value in fields.items() if getattr(reader, name) != value}
    if not changes:
        return
    changes["chosen"] = sorted({*reader.chosen, *changes})
    await subscribers.write(tx, reader.id or 0, **changes)
    for name, value in changes.items():
        setattr(reader, name, value)


async def _offered(tx: Transaction, sheet: Sheet, wishes: Wishes, now: datetime) -> Follows:
    follows: Follows = []
    for line in sheet.offered:
        if line.topic is None:
            continue
        cadence = wishes.offered.get(line.topic.id or 0)
        if cadence is not None:
            follows.append((line.topic, cadence))
        elif line.is_on and line.subscription:
            await less.stop(tx, line.subscription, line.topic, now)
    return follows


async def _own(ctx: Context, tx: Transaction, sheet: Sheet, wishes: Wishes, now: datetime) -> Follows:
    follows: Follows = []
    wanted = {own.topic_id: own for own in wishes.own if own.topic_id}
    for line in sheet.own:
        own = wanted.get(line.topic.id or 0) if line.topic else None
        if line.topic and line.subscription and own is None:
            await less.stop(tx, line.subscription, line.topic, now)
        elif line.topic and own is not None:
            await _rewrite(ctx, tx, line.topic, own, now)
            follows.append((line.topic, own.cadence))
    for own in (own for own in wishes.own if not own.topic_id):
        follows.append((await _new_topic(ctx, tx, sheet.reader, own.query, own.name, now), own.cadence))
    return follows


async def _rewrite(ctx: Context, tx: Transaction, topic: Topic, own: Own, now: datetime) -> None:
    changes: dict[str, Any] = {}
    if own.query != topic.query_text:
        changes |= {"query_text": own.query, "query_id": await keep_query(ctx, tx, own.query, topic.language, now)}
    if changes or own.name != topic.name:
        await topics.write(tx, topic.id or 0, name=own.name or own_topics.label(own.query), **changes)


async def _new_topic(ctx: Context, tx: Transaction, reader: Subscriber, query: str, name: str, now: datetime) -> Topic:
    """A topic of the reader's own: one that they left behind earlier, if it asks the same."""
    mine = await own_topics.owned(tx, reader.id or 0)
    found = mine.get(own_topics.meaning(query))
    return found or await own_topics.add(
        ctx, tx, reader, query, now, slugs={topic.slug for topic in mine.values()}, name=name
    )


async def _sources(
    ctx: Context, tx: Transaction, sheet: Sheet, wishes: Wishes, usual_before: str, now: datetime
) -> Follows:
    """A whole source comes as usual, unless something else was said of it elsewhere."""
    follows: Follows = []
    for line in sheet.sources:
        if line.source is None:
            continue
        if line.source.id in wishes.sources:
            followed = line.subscription if line.is_on else None
            is_usual = followed is None or followed.cadence == usual_before
            topic = line.topic or await _new_topic(ctx, tx, sheet.reader, _query_of(line.source), line.source.name, now)
            follows.append((topic, sheet.reader.cadence if is_usual or not followed else followed.cadence))
        elif line.is_on and line.subscription and line.topic:
            await less.stop(tx, line.subscription, line.topic, now)
    return follows


async def _follow(ctx: Context, tx: Transaction, reader: Subscriber, follows: Follows, now: datetime) -> None:
    """Follow what is new, wake what was paused, change what comes at another cadence; leave the rest as it is."""
    before = await _by_topic(tx, reader)
    looks_back = ctx.settings.schedule.first_digest == "period"
    changed: list[int] = []
    for topic, cadence in follows:
        found = before.get(topic.id or 0)
        if found is not None and found.status == SubscriptionStatus.ACTIVE and found.cadence == cadence:
            continue
        changed.append(topic.id or 0)
        mine = list(before.values())
        await enrolment.follow(tx, reader, topic, cadence, origin=Origin.WEB, now=now, looks_back=looks_back, mine=mine)
    await _return_to(ctx, tx, reader, [topic for topic, _ in follows if topic.id in changed], now)
    after = await _by_topic(tx, reader) if changed else {}
    for topic_id in changed:
        was, now_is = before.get(topic_id), after[topic_id]
        said: dict[str, Any] = {"chosen": sorted({*now_is.chosen, "cadence"})}
        if was is None or was.status != SubscriptionStatus.ACTIVE:  # theirs from now on: config does not take it away
            said |= {"status": SubscriptionStatus.ACTIVE, "paused_by": None, "origin": Origin.WEB}
        await subscribers.write_subscription(tx, now_is.id or 0, **said)


async def _return_to(ctx: Context, tx: Transaction, reader: Subscriber, asked: Sequence[Topic], now: datetime) -> None:
    """Whoever left one newsletter and chooses of it again, with the link to their own settings, reads it again."""
    letters = {topic.newsletter_id or ctx.newsletter.id or 0 for topic in asked}
    if not letters or len(ctx.newsletters) == 1:
        return
    hashed = address_hash(ctx.address_key, reader.email)
    back = await suppressions.unsubscribed(tx, hashed, letters)
    if back:
        proof = departure.said_by("preferences")
        rows = [departure.evidence(ctx, ConsentKind.CONFIRMED, reader, one, now, proof) for one in back]
        await consents.add_all(tx, rows)
        await enrolment.rejoin(tx, ctx.address_key, reader, back, reader.consent)


async def _by_topic(tx: Transaction, reader: Subscriber) -> dict[int, Subscription]:
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, ())
    return {s.topic_id: s for s in mine if s.channel == Channel.EMAIL}


async def _pause(tx: Transaction, reader: Subscriber, newsletter_id: int, wishes: Wishes, now: datetime) -> None:
    if not wishes.is_paused:
        await enrolment.resume(tx, reader, newsletter_id, now)
    elif wishes.paused_until is not None and wishes.paused_until != paused_on(reader):
        until = zones.instant_of(
            datetime.combine(wishes.paused_until, datetime.min.time()), zones.zone(reader.timezone)
        )
        await less.rest(tx, reader, newsletter_id, until, now)
