"""Whether a relay has fallen silent: a dead one does not say so. Pure: instants are seconds on any clock.

Nothing heard for a while is a reason to ask, by a connection of its own, and no more than that: a relay may be slow.
One that answers such questions but finishes nothing is of no use either, in the long run.
"""

from __future__ import annotations

from enum import Enum, auto

QUIET = 1.5
"""Seconds without any sign of life, while something is awaited, after which a relay is asked for one."""

ANSWER_WITHIN = 2.0
"""Seconds that it has for the answer. Together with `QUIET` this keeps the promise that mail moves within 5 seconds."""

SLOWEST = 20.0
"""A relay that greets slowly is given one and a half times that long, but no more than this."""

NOTHING_DONE = 30.0
"""Seconds without any end, after which it does not matter what it answers."""


class Look(Enum):
    """What there is to be done about a relay."""

    NOTHING = auto()
    ASK = auto()
    GIVE_UP = auto()


class Vigil:
    """Watches over one relay; see the module."""

    def __init__(self) -> None:
        self._patience = 0.0
        self._awaited = 0
        self._heard_at = 0.0
        self._ask_after = QUIET

    @property
    def answer_within(self) -> float:
        """How long to wait for the answer, in seconds."""
        return max(ANSWER_WITHIN, self._patience)

    def begin(self, now: float) -> None:
        """Something more is awaited."""
        if not self._awaited:
            self._hear(now)
        self._awaited += 1

    def end(self, now: float) -> None:
        """One of them has come to an end, whichever."""
        self._awaited -= 1
        self._hear(now)

    def start_over(self) -> None:
        """Nothing of what is under way is awaited any more."""
        self._awaited = 0

    def look(self, now: float) -> Look:
        """To be asked every now and then; what it says has to be done."""
        if not self._awaited:
            return Look.NOTHING
        silence = now - self._heard_at
        if silence >= NOTHING_DONE + self._patience:
            return Look.GIVE_UP
        if silence < self._ask_after:
            return Look.NOTHING
        self._ask_after = 2 * silence
        return Look.ASK

    def has_heard_since(self, asked_at: float) -> bool:
        """Whether anything has come to an end meanwhile, or nothing is awaited any more."""
        return self._heard_at > asked_at or not self._awaited

    def greeted_in(self, seconds: float) -> None:
        """How long the relay took to greet a connection: by that, silence is measured from now on."""
        self._patience = min(1.5 * seconds, SLOWEST)

    def skip(self, now: float) -> None:
        """We were the ones who slept: begin to count anew."""
        self._hear(now)

    def _hear(self, now: float) -> None:
        self._heard_at, self._ask_after = now, max(QUIET, self._patience)
