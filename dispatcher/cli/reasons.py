"""`preview --why`: why a reader gets these stories, as tables or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatcher.cli import show

if TYPE_CHECKING:
    from dispatcher.pipeline.reasons import Account, MessageReasons, StoryReason

MOST = 10  # stories of those left out that people are shown; --json has all

COLUMNS = ("", "topic", "title", "source", "score", "of relevance", "fresh", "source", "echo", "why")


def tell(account: Account, *, json: bool) -> None:
    """Show it."""
    if json:
        show.as_json(account)
        return
    show.say(f"what is due for {account.email} at {account.at:%Y-%m-%d %H:%M}Z")
    if account.leaves_at > account.at:
        show.say(f"their quiet time keeps it back until {account.leaves_at:%Y-%m-%d %H:%M}Z")
    if account.barred or not account.messages:
        show.say(f"nothing would be sent: they are {account.barred}" if account.barred else "nothing would be sent")
    for message in account.messages:
        _tell_message(message)
    _tell_left_out("of their topics, but in no message", account.left_out)


def _tell_message(message: MessageReasons) -> None:
    show.table(f"{message.newsletter}, {message.cadence}", COLUMNS, [_row(one) for one in message.stories])
    if message.left_out:
        _tell_left_out("left out by a cap", message.left_out)


def _tell_left_out(title: str, stories: Sequence[StoryReason]) -> None:
    if not stories:
        return
    show.table(title, COLUMNS, [_row(one) for one in stories[:MOST]])
    if len(stories) > MOST:
        show.say(f"and {len(stories) - MOST} more; --json shows all")


def _row(one: StoryReason) -> Sequence[object]:
    factors = (one.score, one.relevance, one.freshness, one.weight, one.echo)
    return (one.place, one.topic, one.title, one.source, *(f"{factor:.2f}" for factor in factors), one.why)
