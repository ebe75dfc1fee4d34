"""Greetings: a letter to who has just become a reader, and, where that is wished, one to who has just left.

The first is mail to a reader as any other: it can be left with one click, and is not sent to who has left meanwhile.
The second belongs to no list and to no reader any more. It says that it is done, and is the only mail that may follow a
departure; so only who pressed our button gets it, and nobody whose address is suppressed as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dispatcher.model.audience import Endpoint, Schedule, Subscriber
from dispatcher.model.content import Topic
from dispatcher.model.outbound import Newsletter
from dispatcher.model.values import Channel, DeliveryKind, LetterName, SubscriptionStatus
from dispatcher.pipeline import letters
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.links import preferring
from dispatcher.store import Transaction, outbox, subscribers, topics


async def welcome(ctx: Context, tx: Transaction, reader: Subscriber, now: datetime, *, key: str) -> bool:
    """Greet a reader who follows something now; once for each `key`. False if they were, or if letters are off."""
    reader_id = reader.id or 0
    endpoint = _mailbox((await subscribers.endpoints(tx, [reader_id])).get(reader_id, ()))
    if not ctx.settings.letters.welcome or endpoint is None:
        return False
    followed = await _followed(tx, reader_id)
    schedules = (await subscribers.schedules(tx, [reader_id])).get(reader_id, ())
    due = _next(schedules)
    return await letters.post(
        ctx,
        tx,
        LetterName.WELCOME,
        to=endpoint.address,
        key=f"welcome:{key}",
        now=now,
        topics=[topic.name for topic in followed],
        action=preferring(reader_id, endpoint.id or 0),
        reader=reader,
        kind=DeliveryKind.WELCOME,
        newsletter=_sender(ctx, followed),
        endpoint_id=endpoint.id,
        known={"cadence": due.cadence, "next_at": due.next_due_at.isoformat()}
        if due is not None and due.next_due_at is not None
        else {"cadence": "instant"},
    )


async def goodbye(ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, now: datetime) -> bool:
    """Tell somebody who has just pressed the button that it is done. False if that is not wished."""
    if not ctx.settings.letters.goodbye:
        return False
    return await letters.post(
        ctx,
        tx,
        LetterName.GOODBYE,
        to=reader.email,
        key=_goodbye_key(reader.id or 0, newsletter_id, now),
        now=now,
        locale=reader.locale,
        timezone=reader.timezone,
        name=reader.name,
        newsletter=ctx.newsletters.get(newsletter_id),
        known={"may_return": True} if ctx.settings.subscribe.open else letters.NOTHING,
    )


async def withdraw_goodbye(
    ctx: Context, tx: Transaction, reader: Subscriber, newsletter_id: int, left_at: datetime, now: datetime
) -> None:
    """A departure was taken back: a goodbye that has not left yet is not sent."""
    key = letters.key_of(ctx, _goodbye_key(reader.id or 0, newsletter_id, left_at))
    await outbox.withdraw(tx, key, now)


def _goodbye_key(reader_id: int, newsletter_id: int, left_at: datetime) -> str:
    return f"goodbye:{reader_id}:{newsletter_id}:{left_at.isoformat()}"


def _mailbox(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    return next((one for one in endpoints if one.channel == Channel.EMAIL), None)


async def _followed(tx: Transaction, reader_id: int) -> list[Topic]:
    """The topics that a reader gets by mail, in the order in which they were chosen."""
    mine = (await subscribers.subscriptions(tx, [reader_id])).get(reader_id, ())
    wanted = [s.topic_id for s in mine if s.status == SubscriptionStatus.ACTIVE and s.channel == Channel.EMAIL]
    known = await topics.by_ids(tx, wanted)
    return [known[topic_id] for topic_id in wanted if topic_id in known]


def _next(schedules: Sequence[Schedule]) -> Schedule | None:
    """The schedule that is due first."""
    due = [row for row in schedules if row.next_due_at is not None and row.channel == Channel.EMAIL]
    return min(due, key=lambda row: (row.next_due_at, row.id), default=None)


def _sender(ctx: Context, followed: Sequence[Topic]) -> Newsletter | None:
    """The newsletter that the first of their topics belongs to; None is the default one."""
    return ctx.newsletters.get(followed[0].newsletter_id or 0) if followed else None
