"""Why a reader gets what they get next: every story of their topics with its merits, its place, or what kept it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from dispatcher import clock
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Candidate
from dispatcher.model.values import Channel, DeliveryStatus, Order, SubscriberStatus
from dispatcher.pipeline.admission import person, suppressed
from dispatcher.pipeline.batch import Batch, load
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.plan import decided
from dispatcher.pipeline.styles import style
from dispatcher.schedule.quiet import Quiet, release_at
from dispatcher.schedule.reasons import Fate, Reason, explain
from dispatcher.schedule.select import Planned, Reader, earliest_look
from dispatcher.store import Transaction, articles, planning, subscribers

LOOK_BACK = timedelta(days=14)
"""So far back one is told of stories that are not in a message."""

_WORDS = {Order.NEWEST: "newest first", Order.RELEVANT: "most relevant first", Order.RANKED: "ranked"}


@dataclass(frozen=True, slots=True)
class StoryReason:
    """One story: where it is in its message or what kept it out, and the factors of its score: `weight` is that of its
    source's priority, `echo` of how many sources tell it."""

    place: int | None
    article_id: int
    title: str
    topic: str
    also_in: tuple[str, ...]
    source: str
    published_at: datetime
    priority: int
    told_by: int
    relevance: float
    freshness: float
    weight: float
    echo: float
    score: float
    fate: Fate
    why: str


@dataclass(frozen=True, slots=True)
class MessageReasons:
    """One message that is due, with its stories in reading order and those that its caps left out."""

    newsletter: str
    channel: Channel
    cadence: str
    slot_at: datetime
    stories: tuple[StoryReason, ...]
    left_out: tuple[StoryReason, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """All that is due for a reader at an instant, and the stories of their topics that are in none of it.

    `leaves_at` is later than `at` where their quiet time keeps it back. `barred`: why they get no mail at all.
    """

    email: str
    at: datetime
    leaves_at: datetime
    barred: str
    messages: tuple[MessageReasons, ...]
    left_out: tuple[StoryReason, ...]


async def account(ctx: Context, address: str, at: datetime | None = None) -> Account:
    """Why a reader gets what is due at an instant, or at their next slot. StoreError if nobody has this address."""
    async with ctx.store.read() as tx:
        found = await person(tx, address)
        due = await next_due(tx, found, at or clock.now())
        barred = (await suppressed(ctx, tx, [found.email])).get(found.email)
        batch = await load(ctx, tx, [found], due)
        reader = batch.readers[found.id or 0]
        planned = decided(ctx, batch, found.id or 0, due).planned
        reasons = explain(reader, planned, await _candidates(tx, batch, reader, due), due)
        ids = [reason.candidate.article_id for reason in reasons]
        known, names = await articles.by_ids(tx, ids), await articles.source_names(tx, ids)
        had = _sent(await planning.had_when(tx, found.id or 0, due - 6 * LOOK_BACK))

    def told(reason: Reason) -> StoryReason:
        merit, one = reason.merit, reason.candidate
        return StoryReason(
            place=reason.place,
            article_id=one.article_id,
            title=known[one.article_id].title if one.article_id in known else "",
            topic=reason.label,
            also_in=reason.others,
            source=(names.get(one.article_id) or [""])[0],
            published_at=one.published_at,
            priority=one.priority,
            told_by=one.tellers,
            relevance=round(merit.relevance, 4),
            freshness=round(merit.freshness, 4),
            weight=merit.source,
            echo=round(merit.echo, 4),
            score=round(merit.score, 4),
            fate=reason.fate,
            why=_why(ctx, reason, planned, had),
        )

    return Account(
        email=found.email,
        at=due,
        leaves_at=release_at(due, found.timezone, *Quiet.of(found)),
        barred=str(barred or ("" if found.status == SubscriberStatus.ACTIVE else found.status)),
        messages=tuple(_message(ctx, number, one, reasons, told) for number, one in enumerate(planned)),
        left_out=tuple(told(reason) for reason in reasons if reason.message is None),
    )


async def next_due(tx: Transaction, found: Subscriber, moment: datetime) -> datetime:
    """A reader's next slot from an instant on, or that instant if they have none that lies ahead."""
    rows = (await subscribers.schedules(tx, [found.id or 0])).get(found.id or 0, [])
    slots = [row.next_due_at for row in rows if row.next_due_at is not None]
    return max(moment, min(slots)) if slots else moment


async def _candidates(
    tx: Transaction, batch: Batch, reader: Reader, due: datetime
) -> Mapping[int, Sequence[Candidate]]:
    """The matches of all topics of a reader, the ones that they have read, too."""
    queries = {following.query_id for following in reader.followings}
    since = min(earliest_look(reader, due), due - LOOK_BACK)
    found = await planning.candidates(tx, queries, after=0, upto=batch.release, seen_from=since)
    tellers = await planning.tellers(tx, {one.cluster_id for some in found.values() for one in some})
    return {
        query: [replace(one, tellers=tellers.get(one.cluster_id, 1)) for one in some] for query, some in found.items()
    }


def _message(ctx: Context, number: int, planned: Planned, reasons: Iterable[Reason], told: Any) -> MessageReasons:
    mine = [reason for reason in reasons if reason.message == number]
    return MessageReasons(
        newsletter=ctx.letter(planned.newsletter_id).name,
        channel=planned.channel,
        cadence=str(planned.cadence),
        slot_at=planned.slot_at,
        stories=tuple(told(reason) for reason in mine if reason.fate is Fate.CHOSEN),
        left_out=tuple(told(reason) for reason in mine if reason.fate is not Fate.CHOSEN),
    )


def _sent(rows: Iterable[Any]) -> dict[tuple[Channel, int], str]:
    """In which digest a story was sent, by channel and story: in words."""
    found: dict[tuple[Channel, int], str] = {}
    for row in rows:
        word = "already sent" if row.status == DeliveryStatus.SENT else "on its way"
        for item in row.told:
            found.setdefault((row.channel, item[2]), f"{word} in digest {row.digest_id}, {row.at:%Y-%m-%d %H:%M}Z")
    return found


def _why(ctx: Context, reason: Reason, planned: Sequence[Planned], had: Mapping[tuple[Channel, int], str]) -> str:
    fate, candidate = reason.fate, reason.candidate
    if fate is Fate.HAD:
        return next((said for (_, story), said in had.items() if story == candidate.cluster_id), str(fate))
    if fate in (Fate.OLD, Fate.BACKLOG):
        return f"{fate}: first seen {candidate.seen_at:%Y-%m-%d %H:%M}Z"
    if reason.message is None:
        return str(fate)
    message = planned[reason.message]
    own, general = message.styles.get(reason.label), style(ctx, message.newsletter_id)
    chosen = own.over(general) if own else general
    if fate is Fate.OVER_TOPIC:
        return f"over the cap of {chosen.max_articles} of {reason.label}"
    if fate is Fate.OVER:
        return f"over the cap of {general.max_articles}"
    section = [pick.candidate.article_id for pick in message.picks if pick.label == reason.label]
    place = section.index(candidate.article_id) + 1
    return f"{place} of {len(section)} in {reason.label}, {_WORDS[Order(chosen.order or Order.NEWEST)]}"
