"""/subscribers/ID/subscriptions: what somebody follows of the publisher's topics, and how often."""

from __future__ import annotations

from starlette.responses import Response

from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.values import Origin, PausedBy, SubscriberStatus, SubscriptionStatus
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.admission import admit
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.store import Transaction, subscribers, topics
from dispatcher.store.engine import in_turn
from dispatcher.web.api import people
from dispatcher.web.api.fields import Id, SlugInPath
from dispatcher.web.api.idempotency import Reply
from dispatcher.web.api.problems import ProblemError, not_found
from dispatcher.web.api.routes import Call, Calling, made, needs, router
from dispatcher.web.api.schemas.subscribers import SubscriptionChange, SubscriptionShown, SubscriptionsShown

routes = router("subscriptions")
ALL = "/subscribers/{subscriber_id}/subscriptions"
ONE = ALL + "/{slug}"
OURS = (PausedBy.OPERATOR, PausedBy.CONFIG)


@routes.get(ALL, response_model=SubscriptionsShown, **needs("subscribers:read"))
async def list_subscriptions(call: Calling, subscriber_id: Id) -> Response:
    """Everything that somebody follows or has followed. Topics that they made for themselves are their own business."""
    async with call.ctx.store.read() as tx:
        items = (await people.shown_again(call, tx, subscriber_id)).topics
    return call.response(made(200, SubscriptionsShown(items=items)))


@routes.get(ONE, response_model=SubscriptionShown, **needs("subscribers:read"))
async def show_subscription(call: Calling, subscriber_id: Id, slug: SlugInPath) -> Response:
    """How somebody follows one topic."""
    async with call.ctx.store.read() as tx:
        found = await _found(tx, subscriber_id, slug)
    return call.response(made(200, SubscriptionShown.of(found, slug)))


@routes.put(
    ONE,
    status_code=201,
    response_model=SubscriptionShown,
    **needs("subscribers:write", 409, answers={200: SubscriptionShown}),
)
async def follow_topic(call: Calling, subscriber_id: Id, slug: SlugInPath, asked: SubscriptionChange) -> Response:
    """Have somebody follow a topic (201), or change how often (200). What they have left stays left."""

    async def work(tx: Transaction) -> Reply:
        await in_turn(tx, "declare")  # others may have them follow the same topic at this moment
        reader = await people.held(tx, subscriber_id)
        slugs = await people.offered(tx)
        if slug not in slugs:
            raise not_found(f"topic {slug!r}")
        before = await _subscription(tx, reader, slugs[slug].id or 0)
        _respect(reader, before, asked.cadence)
        follow = {"topic": slug, "cadence": asked.cadence or (before.cadence if before else reader.cadence)}
        entry = subscriber_entry(email=reader.email, topics=[follow])
        await admit(call.ctx, tx, entry, slugs, call.now, origin=Origin.API, given=frozenset())
        if before is not None:
            await _wake(call, tx, reader, before)
        await call.note(tx, "subscribe", subscriber_id, topic=slug, cadence=follow["cadence"])
        return made(200 if before else 201, SubscriptionShown.of(await _found(tx, subscriber_id, slug), slug))

    return await call.act(work)


@routes.delete(ONE, status_code=204, **needs("subscribers:write"))
async def unfollow_topic(call: Calling, subscriber_id: Id, slug: SlugInPath) -> Response:
    """Send somebody nothing more of one topic, until it is PUT again."""

    async def work(tx: Transaction) -> Reply:
        reader = await people.held(tx, subscriber_id)
        found = await _found(tx, subscriber_id, slug)
        if found.status == SubscriptionStatus.ACTIVE:
            await enrolment.unfollow(tx, found, PausedBy.OPERATOR)
            await enrolment.reschedule(tx, reader, call.ctx.newsletter.id or 0, call.now)
            await call.note(tx, "unsubscribe", subscriber_id, topic=slug)
        return Reply(204)

    return await call.act(work)


async def _found(tx: Transaction, subscriber_id: int, slug: str) -> Subscription:
    reader = await people.person(tx, subscriber_id)
    topic = await topics.by_slug(tx, slug)
    found = await _subscription(tx, reader, topic.id or 0) if topic else None
    if found is None:
        raise not_found(f"subscription of subscriber {subscriber_id} to the topic {slug!r}")
    return found


async def _subscription(tx: Transaction, reader: Subscriber, topic_id: int) -> Subscription | None:
    mine = (await subscribers.subscriptions(tx, [reader.id or 0])).get(reader.id or 0, ())
    return next((s for s in mine if s.topic_id == topic_id), None)


def _respect(reader: Subscriber, found: Subscription | None, cadence: str | None) -> None:
    """ProblemError 409 for what the reader decided themselves."""
    if reader.status == SubscriberStatus.UNSUBSCRIBED:
        raise ProblemError(409, "This person has unsubscribed, and comes back only by themselves.")
    if found is None:
        return
    if found.status == SubscriptionStatus.PAUSED and found.paused_by not in OURS:
        raise ProblemError(409, "The reader paused this themselves; only they can resume it.")
    if cadence not in (None, found.cadence) and "cadence" in found.chosen:
        raise ProblemError(409, f"The reader chose this cadence themselves: {found.cadence}.")


async def _wake(call: Call, tx: Transaction, reader: Subscriber, found: Subscription) -> None:
    """What we paused, we may resume."""
    if found.status == SubscriptionStatus.PAUSED:
        active = {"status": SubscriptionStatus.ACTIVE, "paused_by": None}
        await subscribers.write_subscription(tx, found.id or 0, **active)
        await enrolment.reschedule(tx, reader, call.ctx.newsletter.id or 0, call.now)
