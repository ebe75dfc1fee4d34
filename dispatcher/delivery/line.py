"""What the pool needs from a conversation with a relay, whether it goes message by message or is kept full."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from dispatcher.delivery.envelope import Envelope
from dispatcher.delivery.transport import Ready
from dispatcher.model.values import Outcome


class Fate(Enum):
    """What became of a message, where that is no outcome."""

    GIVEN_BACK = auto()
    """The relay cannot have it, and that is not its fault: it may go out on another line at once."""

    LOOK_AGAIN = auto()
    """It waited so long for its turn that the sender should look once more. Stays inside a line."""


class Line(Protocol):
    """One conversation. After anything unexpected it is closed and never used again."""

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried on it."""
        ...

    @property
    def capacity(self) -> int:
        """How many sends it is worth giving it at once; may change."""
        ...

    async def send(self, envelope: Envelope, ready: Ready | None) -> Outcome | Fate | None:
        """One mail transaction. None if `ready` said no, and then nothing was written."""
        ...

    async def quit(self) -> None:
        """Say goodbye, briefly, and close."""
        ...
