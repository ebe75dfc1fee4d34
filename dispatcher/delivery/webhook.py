"""Webhooks: one event as a signed POST, by the conventions of Standard Webhooks 1.0.

    webhook-id          the event's id: the same however often it is tried
    webhook-timestamp   when this try was made, Unix seconds
    webhook-signature   v1,base64(HMAC-SHA256(secret, id "." timestamp "." body))

Redirects are not followed. What an answer means is a table: 2xx has it; 410, and what speaks of this very message,
refuses it for good; all else may yet go well, if only because the operator mends the URL.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dispatcher import clock
from dispatcher.delivery.outcomes import clean
from dispatcher.model.values import Blame, Outcome, OutcomeKind

AT_ONCE = 4
"""Tries at one webhook at the same time."""

REST_SOONEST, REST_LATEST = timedelta(seconds=10), timedelta(minutes=5)
"""How long a webhook that does not work is left alone: as long as it has not worked, within these."""

HEEDED = timedelta(hours=6)
"""How long a webhook can ask to be left alone: what it is to be told is worth a day."""

PREFIX = "whsec_"
GONE = 410
ABOUT_THE_MESSAGE = frozenset({400, 411, 413, 414, 415, 422, 431})
"""The same octets again would be refused again."""

BUSY_WITH_IT = frozenset({408, 409, 425})
"""Said of one try, not of the webhook."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A program that is told what happens: where it is, and what we sign with."""

    name: str
    url: str
    secret: str
    allow_private: bool = False


class Reply(Protocol):
    """What a server said to a POST."""

    @property
    def status(self) -> int:
        """The status code; 0 without an answer."""
        ...

    @property
    def reason(self) -> str:
        """Why it was not taken, in words."""
        ...

    @property
    def retry_after(self) -> timedelta | None:
        """How long the server asks to be left alone."""
        ...


class Client(Protocol):
    """The guarded HTTP client."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> Reply:
        """POST a body."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try, and how long the webhook asks to be left alone."""

    outcome: Outcome
    retry_after: timedelta | None = None


@dataclass(slots=True)
class _Trouble:
    since: datetime
    until: datetime


class WebhookTransport:
    """Tells webhooks, and remembers which of them are being told and which are best left alone for a while."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._busy: set[str] = set()
        self._troubles: dict[str, _Trouble] = {}

    async def send(self, webhook: Webhook, event_id: str, body: bytes, now: datetime) -> Answer:
        """Tell one event. Every expected failure is an Outcome.

        `now` is the step's present, by which it is reckoned how long a webhook rests; signed is the true time.
        """
        headers = {"Content-Type": "application/json", **signed(webhook.secret, event_id, body, clock.now())}
        reply = await self._client.post(webhook.url, body, headers, allow_private=webhook.allow_private)
        patience = min(reply.retry_after, HEEDED) if reply.retry_after else None
        answer = Answer(outcome_of(reply.status, reply.reason), patience)
        self._note(webhook.name, answer, now)
        return answer

    def rests(self, name: str, now: datetime) -> bool:
        """Whether a webhook is to be left alone."""
        trouble = self._troubles.get(name)
        return trouble is not None and now < trouble.until

    def is_busy(self, name: str) -> bool:
        """Whether somebody is telling it things just now."""
        return name in self._busy

    @contextmanager
    def telling(self, name: str) -> Iterator[None]:
        """Be the one who tells it."""
        self._busy.add(name)
        try:
            yield
        finally:
            self._busy.discard(name)

    def forget_troubles(self) -> None:
        """Knock again at once, because somebody may have mended something."""
        self._troubles.clear()

    def _note(self, name: str, answer: Answer, now: datetime) -> None:
        if answer.outcome.kind is OutcomeKind.ACCEPTED:
            self._troubles.pop(name, None)
        elif answer.outcome.blame is Blame.RELAY:
            since = trouble.since if (trouble := self._troubles.get(name)) else now
            rest = answer.retry_after or min(max(now - since, REST_SOONEST), REST_LATEST)
            self._troubles[name] = _Trouble(since, now + rest)


def signed(secret: str, event_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers that prove who sent a body, and when."""
    moment = str(int(at.timestamp()))
    content = b".".join((event_id.encode(), moment.encode(), body))
    mac = hmac.new(key_of(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def key_of(secret: str) -> bytes:
    """The octets that a secret stands for: what is Base64 after `whsec_`, or else the text as it is."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def outcome_of(status: int, reason: str = "") -> Outcome:
    """What an answer means. Whatever may yet go well is deferred, and blamed on the way there: the webhook rests."""
    text = clean(reason)
    if 200 <= status < 300:
        return Outcome(OutcomeKind.ACCEPTED, status)
    if status == GONE or status in ABOUT_THE_MESSAGE:
        return Outcome(OutcomeKind.REJECTED, status, text=text, blame=Blame.MESSAGE)
    if status in BUSY_WITH_IT:
        return Outcome(OutcomeKind.DEFERRED, status, text=text, blame=Blame.MESSAGE)
    if 300 <= status < 400:
        text = f"{text}; redirects are not followed: put the new URL into config"
    return Outcome(OutcomeKind.DEFERRED, status, text=text, blame=Blame.RELAY)
