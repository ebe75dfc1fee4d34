"""Webhooks told: the other lanes of the outbox, one for each webhook, so that a dead one keeps no other waiting.

    whose turn is it? ▷ for each, all at once: claim ▷ sign ▷ POST ▷ ledger

A webhook that cannot be told rests for a while: the rest of what it is to be told waits, instead of knocking too.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dispatcher.config.settings import WebhookSettings
from dispatcher.delivery.transport import Ready
from dispatcher.delivery.webhook import AT_ONCE, Answer, Webhook
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Blame, Outcome, OutcomeKind
from dispatcher.outbox.safety import Allowance
from dispatcher.outbox.telling import decide
from dispatcher.pipeline.carrier import Tried, Unlimited
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.hooks import wrapped
from dispatcher.pipeline.send import SendReport, work_off
from dispatcher.store import Transaction, outbox
from dispatcher.store.lanes import Lane


async def tell(ctx: Context, now: datetime) -> SendReport:
    """Tell every webhook what is due, but for those that somebody of this context is telling, and those that rest.

    StoreError when the database refuses; nothing is lost by that.
    """
    async with ctx.store.read() as tx:
        names = await outbox.webhooks_due(tx, now)
    told = await asyncio.gather(*(_tell(ctx, name, now) for name in names), return_exceptions=True)
    reports = [report for report in told if isinstance(report, SendReport)]
    for failure in told:
        if isinstance(failure, BaseException):
            raise failure
    return sum(reports, SendReport())


async def _tell(ctx: Context, name: str, now: datetime) -> SendReport:
    if ctx.webhooks.is_busy(name) or ctx.webhooks.rests(name, now):
        return SendReport()
    with ctx.webhooks.telling(name):
        return await work_off(ctx, Told(ctx, name), now)


async def ping(ctx: Context, webhook: Webhook, now: datetime) -> tuple[dict[str, Any], Outcome]:
    """Tell a webhook, now and once, that it can be told; returns the event and what came of it."""
    event_id = f"evt_{secrets.token_hex(16)}"
    event = wrapped("ping", event_id, now, {"newsletter": ctx.newsletter.slug})
    answer = await ctx.webhooks.send(webhook, event_id, body_of(event), now)
    return event, answer.outcome


class Told:
    """Carries what one webhook is to be told; see Carrier."""

    at_once = AT_ONCE
    holds_uncertain = False
    """A webhook knows by the event's id what it has had: telling it once more is always right."""

    quota = Unlimited()

    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx = ctx
        self.lane = Lane(webhook=name)

    async def allowance(self, tx: Transaction, now: datetime) -> Allowance:
        """Programs are told whatever keeps mail back."""
        return Allowance()

    async def load(self, claimed: Sequence[Claimed]) -> None:
        """They share nothing."""

    async def attempt(self, delivery: Claimed, now: datetime, ready: Ready) -> Tried | None:
        """One POST. It does not go on when the webhook does not work: one knock each is enough."""
        if not await ready():
            return None
        answer = await self._tell(delivery, now)
        decision = decide(
            answer.outcome,
            attempts=delivery.attempts + 1,
            expires_at=delivery.expires_at,
            now=now,
            jitter=random.random(),
            retry_after=answer.retry_after,
        )
        return Tried(answer.outcome, decision, goes_on=answer.outcome.blame is not Blame.RELAY)

    async def _tell(self, delivery: Claimed, now: datetime) -> Answer:
        webhook = webhook_of(self._ctx.settings.webhooks, delivery.recipient)
        if webhook is None:
            return _never(f"config names no webhook {delivery.recipient!r} any more")
        if not delivery.personal:
            return _never("the person it was about has been erased")
        body = body_of(delivery.personal)
        return await self._ctx.webhooks.send(webhook, delivery.message_id, body, now)


def webhook_of(known: Sequence[WebhookSettings], name: str) -> Webhook | None:
    """The webhook that config gives a name, as the transport needs it."""
    for one in known:
        if one.name == name:
            return Webhook(name, one.url, one.secret.get_secret_value(), one.allow_private)
    return None


def body_of(event: Mapping[str, Any]) -> bytes:
    """An event on the wire: the same octets at every try, whatever a database does to the order of keys."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _never(text: str) -> Answer:
    return Answer(Outcome(OutcomeKind.REJECTED, text=text, blame=Blame.MESSAGE))
