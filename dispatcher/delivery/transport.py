"""What the pipeline needs from any way of sending a message."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from dispatcher.model.values import Outcome


class Transport(Protocol):
    """Code that delivers to a kind of endpoint. Safe for `max_connections` sends at once; more of them wait."""

    @property
    def max_connections(self) -> int:
        """How many sends make progress at the same time."""
        ...

    @property
    def failing_since(self) -> datetime | None:
        """When the way out stopped working; None while it works. What a sender bases its patience on."""
        ...

    async def send(self, envelope_from: str, recipient: str, message: bytes) -> Outcome:
        """Hand over one message. Every expected failure is an Outcome; only a bug or a cancellation raises.

        A cancelled send ends at once and takes its connection with it; whether the message has left is then uncertain.
        """
        ...

    async def close(self) -> None:
        """Let go of everything held open. Sends under way finish first."""
        ...
