"""What `send` needs of any way out of the outbox: mail, or one webhook."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dispatcher.delivery.transport import Ready
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Outcome
from dispatcher.outbox.retry import Decision
from dispatcher.outbox.safety import Allowance
from dispatcher.pipeline.ledger import Strike
from dispatcher.pipeline.quota import Admission, Quota
from dispatcher.store import Transaction
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
    def quota(self) -> Quota | Unlimited:
        """Which of them may go when."""
        ...

    async def allowance(self, tx: Transaction, now: datetime) -> Allowance:
        """What may be claimed at all; asked in the claim's own transaction."""
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


class Unlimited:
    """The quota of what has none; see Quota."""

    room: int | None = None

    async def admit(self, tx: Transaction, deliveries: Sequence[Claimed], now: datetime) -> Admission:
        """All of them."""
        return Admission(deliveries)

    def next(self, waiting: deque[Claimed]) -> Claimed | None:
        """The first."""
        return waiting.popleft() if waiting else None

    def done(self, delivery: Claimed, outcome: Outcome | None, now: datetime) -> None:
        """Nothing is learnt."""

    async def free(self) -> None:
        """At once."""


def words_for(error: Exception) -> str:
    """An unexpected error as every database can keep it."""
    text = f"internal error: {type(error).__name__}: {error}"[:1000].replace("\0", " ")
    return text.encode("utf-8", "backslashreplace").decode()
