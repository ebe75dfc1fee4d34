"""Alarms: telling the owner that something needs a person, by a letter of our own and in the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.model.values import AlarmName, DeliveryKind, LetterName
from dispatcher.observability.logs import logger
from dispatcher.pipeline import letters

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context
    from dispatcher.store import Transaction

log = logger("alarms")


@dataclass(frozen=True, slots=True)
class Notice:
    """What the owner is told: what happened, in a line; since when; what it means; what to do, with exact commands."""

    title: str
    since: datetime
    paragraphs: tuple[str, ...]
    commands: tuple[str, ...] = ()


async def raise_alarm(
    ctx: Context, tx: Transaction, alarm: AlarmName, notice: Notice, *, key: str, now: datetime
) -> bool:
    """Tell the owner once; False if they have been told of this, or if `[alerts] to` names nobody.

    `key` says which event it is, such as a pause's number: one alarm and key is told once, whoever raises it again.
    """
    to = ctx.settings.alerts.to
    is_told = bool(to) and await letters.post(
        ctx, tx, LetterName.OWNER, to=to, key=f"alarm:{alarm}:{key}", now=now, locale="en", kind=DeliveryKind.OWNER,
        notice=_written(notice),
    )  # fmt: skip
    if is_told or not to:
        log.error(notice.title, alarm=alarm, key=key)
    return is_told


def bounces(trouble: str, now: datetime) -> Notice:
    """Too much came back."""
    return Notice(
        title="Digests are paused: too much mail comes back",
        since=now,
        paragraphs=(
            f"{trouble}. Mail providers block senders of whom that can be said, so digests and editions wait now. "
            "Alerts and confirmations still go out.",
            "Find out first where these addresses came from: an old or bought list, an import, a form that robots fill "
            "in. Addresses that bounced for good are already suppressed. What waits too long expires, and its stories "
            "go into the next digest.",
            "See what came back, and let digests go out again:",
        ),
        commands=("dispatcher deliveries list --status failed", "dispatcher send resume"),
    )


def volume(total: int, usual: int, now: datetime) -> Notice:
    """Far more is going out than usual."""
    return Notice(
        title="Digests wait for you: far more than usual would go out",
        since=now,
        paragraphs=(
            f"{total:,} digests and editions would go out today (UTC). The most on one day of the last 30 was "
            f"{usual:,}. If nobody expects that, a topic may match everything, or an import may have gone wrong.",
            "They wait until you approve them; alerts and confirmations still go out. What waits too long expires, and "
            "its stories go into the next digest.",
            "See the numbers, look at a few, and then let them go, or withdraw them:",
        ),
        commands=("dispatcher send status", "dispatcher deliveries list --status queued", "dispatcher send approve"),
    )


def _written(notice: Notice) -> str:
    """As it is kept with the letter: the title, then paragraphs; commands are indented."""
    since = f"Since {notice.since:%Y-%m-%d %H:%M} UTC."
    commands = "\n".join(f"    {command}" for command in notice.commands)
    return "\n\n".join(part for part in (notice.title, since, *notice.paragraphs, commands) if part)
