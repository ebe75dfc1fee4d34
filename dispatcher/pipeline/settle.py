"""Step 4, settle: events that came back → decided (pure: feedback.decide) → applied, each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.errors import StoreError
from dispatcher.feedback.decide import Action, decide
from dispatcher.model.audience import Subscriber
from dispatcher.model.feedback import Event
from dispatcher.model.values import SuppressionReason
from dispatcher.observability.logs import logger
from dispatcher.pipeline import departure, hooks, safety
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import EVERY
from dispatcher.store import Transaction, events, outbox, subscribers, suppressions
from dispatcher.store.keys import address_hash

log = logger("settle")


@dataclass(slots=True)
class SettleReport:
    """What a settle did."""

    events: int = 0
    suppressed: int = 0
    unsubscribed: int = 0

    def add(self, done: SettleReport) -> None:
        """Count what one event led to."""
        self.events += done.events
        self.suppressed += done.suppressed
        self.unsubscribed += done.unsubscribed


async def settle(ctx: Context, now: datetime) -> SettleReport:
    """Apply what came back since the last time. An event that cannot be applied is logged and set aside, once."""
    report = SettleReport()
    while not ctx.stopping.is_set():
        async with ctx.store.read() as tx:
            waiting = await events.unapplied(tx)
        if not waiting:
            return report
        for event in waiting:
            try:
                async with ctx.store.write() as tx:
                    done = await _apply(ctx, tx, event, now)
                report.add(done)
            except StoreError:
                raise  # it is the database that refuses, not the event: again at the next tick
            except Exception:
                log.exception("an event could not be applied and was set aside", event_id=event.id)
                async with ctx.store.write() as tx:
                    await events.mark_applied(tx, event.id or 0, now)
    return report


async def _apply(ctx: Context, tx: Transaction, event: Event, now: datetime) -> SettleReport:
    done = SettleReport()
    if not await events.mark_applied(tx, event.id or 0, now):
        return done
    done.events = 1
    await safety.tally_event(ctx, tx, event.type, event.delivery_id, now)
    reader = (await subscribers.by_ids(tx, [event.subscriber_id or 0])).get(event.subscriber_id or 0)
    if reader is None or not reader.email:
        return done
    action = decide(event.type, soft_bounces=reader.soft_bounces + 1)
    if action is Action.UNSUBSCRIBE:
        about = await outbox.get(tx, event.delivery_id) if event.delivery_id else None
        newsletter_id = about.newsletter_id if about else EVERY
        await departure.leave(ctx, tx, reader, newsletter_id, now, departure.said_by("mail"))
        done.unsubscribed = 1
    elif action is Action.STRIKE:
        await subscribers.strike(tx, reader.id or 0)
    else:
        reason = SuppressionReason.COMPLAINED if action is Action.SUPPRESS_COMPLAINT else SuppressionReason.BOUNCED
        hashed = address_hash(ctx.address_key, reader.email)
        done.suppressed = int(await suppressions.add(tx, hashed, reason, now, address=reader.email))
        await outbox.suppress(tx, now, subscriber_id=reader.id)
        await _announce(ctx, tx, event, reader, reason, now)
    return done


async def _announce(
    ctx: Context, tx: Transaction, event: Event, reader: Subscriber, reason: SuppressionReason, now: datetime
) -> None:
    """Somebody who complained is gone, as if they had unsubscribed; an address that bounced is dead."""
    key = f"event:{event.id}"
    if reason is SuppressionReason.COMPLAINED:
        await hooks.announce(ctx, tx, "unsubscribed", now, key=key, reader=reader, reason="complaint")
    else:
        bounce = {name: event.raw.get(name, "") for name in ("code", "enhanced", "text")}
        await hooks.announce(ctx, tx, "bounced", now, key=key, reader=reader, bounce=bounce)
