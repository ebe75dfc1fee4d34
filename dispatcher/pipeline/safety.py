"""Safety: what may leave now, asked by every claim in its own transaction, and who stopped it.

    pauses in force ─┐
    what came back  ─┼─▶ allowance ──▶ claim only what is urgent, only so many, or nothing
    the usual       ─┤
    the daily cap   ─┘

A claim that finds something wrong keeps bulk mail back itself, before it takes any, so that no watcher can be too late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dispatcher.model.outbound import Claimed, Pause
from dispatcher.model.values import (
    AlarmName,
    Channel,
    DeliveryStatus,
    EventType,
    PauseCause,
    PauseScope,
)
from dispatcher.outbox import safety as rules
from dispatcher.outbox.safety import BULK, JUDGED, Allowance, Counts, Limits, day_of, hour_of
from dispatcher.pipeline import alarms, audit
from dispatcher.store import Connection, Transaction, outbox, pauses, tallies

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context

LOOK_EVERY = timedelta(seconds=5)
"""How often a process holds what came back against what was sent."""

ENDED = (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.EXPIRED)
"""After a try, these are its end."""

CAUSES_OF_RESUMING = (PauseCause.OPERATOR, PauseCause.BOUNCES)


@dataclass(frozen=True, slots=True)
class Volume:
    """How much bulk mail a day brings: what went out today and what waits, the most of any day before, and the most
    that may go without anybody being asked. `usual` and `most` are None where there is no history yet."""

    today: int
    waiting: int
    usual: int | None
    most: int | None

    @property
    def total(self) -> int:
        """What will have gone out if nothing stops it."""
        return self.today + self.waiting


async def allowance(ctx: Context, tx: Transaction, now: datetime) -> Allowance:
    """What may be claimed now. If something is wrong, this stops bulk mail and tells the owner, in the claim's own
    transaction."""
    scopes = await pauses.scopes(tx)
    if not scopes and await _is_stopping(ctx, tx, now):
        scopes = [PauseScope.BULK]
    return rules.allowance(scopes, await left_today(ctx, tx, now))


def tally(
    connection: Connection,
    instance_id: int,
    ended: Iterable[tuple[Claimed, DeliveryStatus, bool]],
    now: datetime,
) -> None:
    """Count outcomes, in the transaction that writes them: a delivery, what became of it, whether it bounced for good.

    What goes on waiting is not counted, nor what webhooks are told.
    """
    more: dict[tallies.Key, dict[str, int]] = {}
    for delivery, status, is_hard in ended:
        if status in ENDED and delivery.channel != Channel.WEBHOOK:
            counts = more.setdefault((hour_of(now), delivery.newsletter_id, delivery.kind), {})
            _raise(counts, "sent" if status == DeliveryStatus.SENT else "failed")
            if is_hard:
                _raise(counts, "bounced")
    tallies.count(connection, instance_id, more)


async def tally_event(ctx: Context, tx: Transaction, event: EventType, delivery_id: int | None, now: datetime) -> None:
    """Count what came back later, in the hour its mail had ended; what is older than the last `send resume`, before."""
    name = {EventType.HARD_BOUNCE: "bounced", EventType.COMPLAINT: "complained"}.get(event)
    delivery = await outbox.get(tx, delivery_id) if name and delivery_id else None
    if name is None or delivery is None or delivery.channel == Channel.WEBHOOK:
        return
    hour = hour_of(delivery.finished_at or now)
    lifted = await pauses.last_lifted(tx, PauseCause.BOUNCES)
    if lifted and lifted.lifted_at and (delivery.finished_at or now) <= lifted.lifted_at:
        hour = min(hour, hour_of(lifted.lifted_at) - timedelta(hours=1))
    key = (hour, delivery.newsletter_id, delivery.kind)
    await tx.run_sync(tallies.count, ctx.instance.instance_id, {key: {name: 1}})


# What a person does


async def pause(
    ctx: Context, tx: Transaction, scope: PauseScope, now: datetime, actor: str, *, reason: str = ""
) -> bool:
    """Keep mail back at somebody's word; False if it is already."""
    number = await pauses.begin(tx, scope, PauseCause.OPERATOR, now, by=actor, reason=reason)
    if number is not None:
        await audit.note(tx, actor, "pause sending", scope, now, reason=reason)
    return number is not None


async def resume(ctx: Context, tx: Transaction, now: datetime, actor: str) -> list[Pause]:
    """Lift what keeps mail back, but for a volume that waits for its approval. Returns what was lifted.

    What had come back by now does not stop it again.
    """
    counted = await tallies.since(tx, JUDGED, hour_of(now))
    known = {str(newsletter_id): counts for newsletter_id, counts in counted.items()}
    lifted = await pauses.lift(tx, CAUSES_OF_RESUMING, now, by=actor, known=known)
    for one in lifted:
        await audit.note(tx, actor, "resume sending", one.scope, now, cause=one.cause, since=one.since)
    return lifted


async def approve(ctx: Context, tx: Transaction, now: datetime, actor: str) -> list[Pause]:
    """Let go what is far more than usual: for a day, and for up to twice what there is now. Returns what was lifted."""
    number = (await volume(ctx, tx, now)).total
    lifted = await pauses.lift(tx, [PauseCause.VOLUME], now, by=actor, known={"approved": number})
    for one in lifted:
        await audit.note(tx, actor, "approve sending", one.scope, now, mails=number)
    return lifted


async def volume(ctx: Context, tx: Transaction, now: datetime, *, bounded: bool = False) -> Volume:
    """How today compares with the usual. `bounded`: count what waits only as far as it matters."""
    chosen, today = ctx.settings.safety, day_of(now).date()
    daily = await tallies.daily(tx, BULK, day_of(now) - timedelta(days=rules.USUAL_DAYS))
    usual = rules.usual(daily, await tallies.first_day(tx, BULK), today)
    most = rules.most_unasked(
        usual, factor=chosen.volume_factor, over=chosen.volume_over, approved=await _approved(tx, now)
    )
    sent = daily.get(today, 0)
    if bounded and most is None:
        return Volume(sent, 0, usual, most)
    reach = max(most - sent, 0) + 1 if bounded and most is not None else None
    return Volume(sent, await tallies.waiting(tx, most=reach), usual, most)


async def left_today(ctx: Context, tx: Transaction, now: datetime) -> int | None:
    """What the daily cap leaves, across all processes; None without a cap."""
    cap = ctx.settings.send.per_day
    if not cap:
        return None
    claimed = await tallies.under_way(tx)  # first: what ends between the two questions is counted twice, not left out
    return max(cap - claimed - await tallies.ended(tx, day_of(now)), 0)


# What stops by itself


async def _is_stopping(ctx: Context, tx: Transaction, now: datetime) -> bool:
    return await _stops_volume(ctx, tx, now) or await _stops_bounces(ctx, tx, now)


async def _stops_volume(ctx: Context, tx: Transaction, now: datetime) -> bool:
    """Whether this is far more than usual. Counted anew only when enough deliveries have come to make it so."""
    today, newest, chosen = day_of(now).date(), await tallies.newest(tx), ctx.settings.safety
    if ctx.watch.is_calm(today, newest, chosen):
        return False
    found = await volume(ctx, tx, now, bounded=True)
    if ctx.watch.keep(today, newest, chosen, None if found.most is None else found.most - found.total):
        return False
    full = replace(found, waiting=await tallies.waiting(tx))
    await _stop(ctx, tx, PauseCause.VOLUME, alarms.volume(full.total, full.usual or 0, now), now)
    return True


async def _stops_bounces(ctx: Context, tx: Transaction, now: datetime) -> bool:
    """Whether too much came back."""
    watch, chosen = ctx.watch, ctx.settings.safety
    if watch.looked_at is not None and abs(now - watch.looked_at) < LOOK_EVERY:
        return False
    watch.looked_at = now
    limits = Limits(chosen.bounce_limit, chosen.complaint_limit, chosen.batch)
    lifted = await pauses.last_lifted(tx, PauseCause.BOUNCES)
    for window in rules.WINDOWS:
        for counts in (await _came_back(tx, now - window, lifted)).values():
            if trouble := rules.too_much_back(counts, limits):
                await _stop(ctx, tx, PauseCause.BOUNCES, alarms.bounces(trouble, now), now)
                return True
    return False


async def _came_back(tx: Transaction, since: datetime, lifted: Pause | None) -> dict[int, Counts]:
    """The counts since an instant, by newsletter, without what was known when a pause was last lifted."""
    start, known = hour_of(since), {}
    if lifted and lifted.lifted_at and hour_of(lifted.lifted_at) >= start:
        start, known = hour_of(lifted.lifted_at), lifted.known
    found = await tallies.since(tx, JUDGED, start)
    return {number: Counts(**of) - Counts(**known.get(str(number), {})) for number, of in found.items()}


async def _stop(ctx: Context, tx: Transaction, cause: PauseCause, notice: alarms.Notice, now: datetime) -> None:
    """Keep bulk mail back, and tell the owner, once."""
    number = await pauses.begin(tx, PauseScope.BULK, cause, now, by="safety", reason=notice.title)
    if number is not None:
        await audit.note(tx, "safety", "pause sending", PauseScope.BULK, now, reason=notice.title)
        await alarms.raise_alarm(ctx, tx, AlarmName(cause.value), notice, key=str(number), now=now)


async def _approved(tx: Transaction, now: datetime) -> int:
    """How many mails a person has let go of late."""
    last = await pauses.last_lifted(tx, PauseCause.VOLUME)
    is_fresh = last is not None and last.lifted_at is not None and now - last.lifted_at < rules.APPROVED_FOR
    return int(last.known.get("approved", 0)) if last and is_fresh else 0


def _raise(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
