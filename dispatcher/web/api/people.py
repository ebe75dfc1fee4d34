"""People behind the addresses of the API: found, and shown with what they follow of the publisher's topics."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Topic
from dispatcher.pipeline.admission import suppressed
from dispatcher.store import Transaction, subscribers, topics
from dispatcher.web.api.problems import not_found
from dispatcher.web.api.routes import Call
from dispatcher.web.api.schemas.subscribers import SubscriberShown, SubscriptionShown


async def person(tx: Transaction, subscriber_id: int) -> Subscriber:
    """One person; who was erased is nobody. ProblemError 404."""
    found = (await subscribers.by_ids(tx, [subscriber_id])).get(subscriber_id)
    if found is None or not found.email:
        raise not_found(f"subscriber {subscriber_id}")
    return found


async def held(tx: Transaction, subscriber_id: int) -> Subscriber:
    """One person, whom nobody else plans or changes until this transaction ends. ProblemError 404."""
    found = await subscribers.lock(tx, subscriber_id)
    if found is None or not found.email:
        raise not_found(f"subscriber {subscriber_id}")
    return found


async def offered(tx: Transaction) -> dict[str, Topic]:
    """The publisher's topics by slug."""
    return {topic.slug: topic for topic in await topics.every(tx)}


async def shown(call: Call, tx: Transaction, people: Sequence[Subscriber]) -> list[SubscriberShown]:
    """People with what they follow and why nothing may be sent to them, if so."""
    slugs = {topic.id: topic.slug for topic in await topics.every(tx)}
    mine = await subscribers.subscriptions(tx, [one.id or 0 for one in people])
    reasons = await suppressed(call.ctx, tx, [one.email for one in people])
    return [
        SubscriberShown.of(
            one,
            reasons.get(one.email),
            [SubscriptionShown.of(s, slugs[s.topic_id]) for s in mine.get(one.id or 0, ()) if s.topic_id in slugs],
        )
        for one in people
    ]


async def shown_again(call: Call, tx: Transaction, subscriber_id: int) -> SubscriberShown:
    """One person as they are after a change."""
    return (await shown(call, tx, [await person(tx, subscriber_id)]))[0]
