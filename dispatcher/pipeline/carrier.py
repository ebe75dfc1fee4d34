"""What `send` needs of any way out of the outbox: mail, or one webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dispatcher.delivery.transport import Ready
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Outcome
from dispatcher.outbox.retry import Decision
from dispatcher.pipeline.ledger import Strike
from dispatcher.store.lanes import Lane


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try. `goes_on` is False when the next one had better wait: the way out is blocked."""

    outcome: Outcome
    decision: Decision
    strike: Strike | None = None
    goes_on: bool = True


class Carrier(Protocol):
    """Carries the deliveries of one lane."""

    @property
    def lane(self) -> Lane:
        """Its part of the outbox."""
        ...

    @property
    def at_once(self) -> int:
        """How many tries make progress at the same time."""
        ...

    @property
    def holds_uncertain(self) -> bool:
        """Whether a hand-over is marked before it happens, so that what a crash leaves unknown waits for a person."""
        ...

    async def load(self, claimed: Sequence[Claimed]) -> None:
        """Get ready what these deliveries share."""
        ...

    async def attempt(self, delivery: Claimed, now: datetime, ready: Ready) -> Tried | None:
        """One try. Every expected failure is an Outcome; only a bug, or what `ready` raises, raises.

        `ready` is the last look, asked as late as can be before anything goes on the wire; when it says no, nothing has
        gone, and None comes back.
        """
        ...


def words_for(error: Exception) -> str:
    """An unexpected error as every database can keep it."""
    text = f"internal error: {type(error).__name__}: {error}"[:1000].replace("\0", " ")
    return text.encode("utf-8", "backslashreplace").decode()
