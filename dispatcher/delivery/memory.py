"""A transport that keeps every message in memory: for tests and previews, shipped with the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dispatcher.delivery.envelope import prepare
from dispatcher.delivery.transport import Ready
from dispatcher.model.values import Outcome, OutcomeKind

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 250, "2.0.0", "kept in memory", relay="memory")


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """One message as it would have gone to the wire."""

    envelope_from: str
    recipient: str
    data: bytes
    envelope_id: str = ""


class MemoryTransport:
    """Accepts what a relay would accept. `script` holds outcomes per recipient, used up in order, then accepted."""

    failing_since: datetime | None = None

    def __init__(self, script: Mapping[str, Iterable[Outcome]] | None = None, *, max_connections: int = 8) -> None:
        self.max_connections = max_connections
        self.messages: list[KeptMessage] = []
        self._script = {recipient: iter(outcomes) for recipient, outcomes in (script or {}).items()}

    @property
    def max_sends(self) -> int:
        """How many sends at once are worth while."""
        return self.max_connections

    def route(self, envelope_from: str, recipient: str) -> str:
        """Everything goes one way."""
        return ACCEPTED.relay

    def blocked_since(self, envelope_from: str, recipient: str) -> datetime | None:
        """The same for all."""
        return self.failing_since

    async def send(
        self, envelope_from: str, recipient: str, message: bytes, *, ready: Ready | None = None, envelope_id: str = ""
    ) -> Outcome | None:
        """Keep the message unless the last look, the script or the envelope checks say no. See Transport.send.

        What ends uncertain is kept as well.
        """
        envelope = prepare(envelope_from, recipient, message, envelope_id)
        if isinstance(envelope, Outcome):
            return envelope
        if ready is not None and not await ready():
            return None
        outcome = next(self._script.get(recipient, iter(())), ACCEPTED)
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.UNCERTAIN):
            self.messages.append(KeptMessage(envelope.sender, envelope.recipient, envelope.message, envelope_id))
        return outcome

    async def close(self) -> None:
        """Nothing is held open; the messages stay."""
