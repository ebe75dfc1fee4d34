"""Slips: what a form carries to show that we made it, when, in which language, and with which words of consent.

A form without one, or with one that is older than a day, is shown once more with everything filled in: that is how
forms on other sites work, and why no other site can send one in its visitors' names unseen.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dispatcher.digest.voice import voice
from dispatcher.errors import TokenError
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline.context import Context
from dispatcher.store.consents import wording_digest
from dispatcher.tokens import Purpose

GOOD_FOR = timedelta(hours=24)
ANSWER_AFTER = 0.3
"""Seconds after which a form is answered at the earliest: how long the work took would say what it was."""

_CONSENT = "Yes, send me by mail what I have chosen from %(newsletter)s. I can end it with one click at any time."
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip that was read and found ours."""

    locale: str
    made_at: datetime
    wording: str

    def is_hasty(self, now: datetime, least: timedelta) -> bool:
        """Whether the form came back sooner than a person could have filled it in."""
        return now - self.made_at < least


def wording(ctx: Context, locale: str, newsletter: str = "") -> str:
    """What readers agree to: the operator's words, or ours in their language, with the newsletter of this slug."""
    words = voice(locale, "UTC").gettext(_CONSENT) % {"newsletter": shown(ctx, newsletter).name}
    return ctx.settings.subscribe.consent or words


def shown(ctx: Context, slug: str) -> Newsletter:
    """The newsletter that a form is about: the published one with this slug, or the default one."""
    return next((one for one in ctx.published if one.slug == slug), ctx.newsletter)


def write(ctx: Context, locale: str, made_at: datetime, newsletter: str = "") -> str:
    """A slip for a form in this language."""
    digest = wording_digest(wording(ctx, locale, newsletter))[:_DIGITS]
    claims = int(made_at.timestamp() * 1000), locale, digest
    return ctx.keyring.sign(Purpose.FORM, *claims, expires_at=made_at + GOOD_FOR)


def read(ctx: Context, text: str, now: datetime, newsletter: str = "") -> Slip | None:
    """A slip that is good; None if it is not ours, too old, or of other words than those that hold now."""
    try:
        token = ctx.keyring.read(text, Purpose.FORM, now)
        made_at = datetime.fromtimestamp(token.number(0) / 1000, UTC)
        _, locale, digest = token.claims
    except (TokenError, ValueError):
        return None
    words = wording(ctx, locale, newsletter)
    return Slip(locale, made_at, words) if wording_digest(words)[:_DIGITS] == digest else None


class Pace:
    """Makes every answer to a form take as long as any other: begun when it comes in, waited for at the end."""

    def __init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + ANSWER_AFTER

    async def wait(self) -> None:
        """Wait for what is left of it."""
        await asyncio.sleep(max(0.0, self._until - asyncio.get_running_loop().time()))
