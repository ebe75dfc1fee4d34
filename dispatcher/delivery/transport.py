"""What the pipeline needs from any way of sending a message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from dispatcher.model.values import Outcome

Ready = Callable[[], Awaitable[bool]]
"""The last look: asked when a message is about to go on the wire. It may be asked again, if it then has to wait."""


class Transport(Protocol):
    """Code that delivers to a kind of endpoint. Safe for any number of sends at once; `max_sends` of them proceed."""

    @property
    def max_connections(self) -> int:
        """How many connections are held open at most."""
        ...

    @property
    def max_sends(self) -> int:
        """How many sends at once keep every connection full, as far as is known by now."""
        ...

    @property
    def failing_since(self) -> datetime | None:
        """When the way out stopped working; None while it works. What a sender bases its patience on."""
        ...

    def route(self, envelope_from: str, recipient: str) -> str:
        """The label of the relay that would take such a message now, as outcomes name it."""
        ...

    def blocked_since(self, envelope_from: str, recipient: str) -> datetime | None:
        """Since when nothing works that could take such a message; None while anything does."""
        ...

    async def send(
        self, envelope_from: str, recipient: str, message: bytes, *, ready: Ready | None = None, envelope_id: str = ""
    ) -> Outcome | None:
        """Hand over one message. Every expected failure is an Outcome; only a bug or a cancellation raises.

        `ready` is awaited once a connection is open and could take the message, as late as can be. When it says no,
        nothing is written and None comes back; what it raises comes through, and nothing is written either.
        `envelope_id` is what delivery reports will call the message, where they are asked for.

        A cancelled send ends at once; whether the message has left is then uncertain.
        """
        ...

    async def close(self) -> None:
        """Let go of everything held open. Sends under way finish first."""
        ...
