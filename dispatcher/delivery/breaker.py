"""A circuit breaker: when a relay is left alone, and how it comes back. Pure: instants are seconds on any clock.

    in use ──failures──▶ out of use ──a pause, then a good probe──▶ on trial ──messages that go well──▶ in use
                           ▲  └──a bad one: a longer pause──┘           │
                           └──────────────one failure───────────────────┘

One failure is not much; several in a row are, and so is one every other time.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

IN_A_ROW = 5
"""Failures with no success between them that are enough."""

RECENT = 20
"""How many of the last ends are looked at; half of them being failures is enough as well."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before a probe, twice as many each time that one has failed, or that a relay fails soon after its return."""

STEADY = 300.0
"""Seconds in use after which what was before is forgotten."""

AT_ONCE = 4
"""Messages that a relay on trial is given at the same time."""

ENOUGH = 8
"""Messages that have to go well on trial."""


class Circuit(StrEnum):
    """How a relay is treated."""

    IN_USE = "in use"
    OUT_OF_USE = "out of use"
    ON_TRIAL = "on trial"


class Breaker:
    """The circuit breaker of one relay; see the module.

    Each message takes a ticket at its beginning and shows it at its end. What was begun before the circuit last opened
    says nothing about the relay as it is now, and is not heard. `jitter` is in [0, 1).
    """

    def __init__(self) -> None:
        self.circuit = Circuit.IN_USE
        self.ticket = 0
        self.probe_at = float("inf")
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._in_a_row = 0
        self._on_trial = self._went_well = 0
        self._openings = 0
        self._returned_at = float("-inf")

    @property
    def has_room(self) -> bool:
        """Whether it is to be given a message: on trial, only so many at once."""
        return self.circuit is Circuit.IN_USE or (self.circuit is Circuit.ON_TRIAL and self._on_trial < AT_ONCE)

    def begin(self) -> int:
        """The ticket of a message that is given to the relay."""
        if self.circuit is Circuit.ON_TRIAL:
            self._on_trial += 1
        return self.ticket

    def end(self, ticket: int, works: bool | None, now: float, jitter: float) -> bool:
        """What a message said about the relay: that it works, that it does not, or nothing. True if that changed it."""
        if ticket != self.ticket or self.circuit is Circuit.OUT_OF_USE:
            return False
        if self.circuit is Circuit.ON_TRIAL:
            self._on_trial -= 1
        if works is None:
            return False
        return self._succeed(now) if works else self._fail(now, jitter)

    def trip(self, now: float, jitter: float) -> bool:
        """Something else says that it does not work. True if that is news."""
        if self.circuit is Circuit.OUT_OF_USE:
            return False
        self._open(now, jitter)
        return True

    def probed(self, works: bool, now: float, jitter: float) -> None:
        """What the probe that was due at `probe_at` found."""
        if self.circuit is not Circuit.OUT_OF_USE:
            return
        if not works:
            self._pause(now, jitter)
            return
        self.circuit, self.probe_at = Circuit.ON_TRIAL, float("inf")
        self._on_trial = self._went_well = 0
        self.ticket += 1

    def _succeed(self, now: float) -> bool:
        self._in_a_row = 0
        if self.circuit is Circuit.IN_USE:
            self._recent.append(True)
            return False
        self._went_well += 1
        if self._went_well < ENOUGH:
            return False
        self.circuit, self._returned_at = Circuit.IN_USE, now
        return True

    def _fail(self, now: float, jitter: float) -> bool:
        self._in_a_row += 1
        self._recent.append(False)
        is_enough = (
            self.circuit is Circuit.ON_TRIAL
            or self._in_a_row >= IN_A_ROW
            or (len(self._recent) == RECENT and self._recent.count(False) * 2 >= RECENT)
        )
        if is_enough:
            self._open(now, jitter)
        return is_enough

    def _open(self, now: float, jitter: float) -> None:
        if self.circuit is Circuit.IN_USE and now - self._returned_at >= STEADY:
            self._openings = 0
        self.circuit = Circuit.OUT_OF_USE
        self.ticket += 1
        self._in_a_row = 0
        self._recent.clear()
        self._pause(now, jitter)

    def _pause(self, now: float, jitter: float) -> None:
        """Up to a quarter longer: several processes must not all come back in the same moment."""
        pause = min(FIRST_PAUSE * 2 ** min(self._openings, 16), LONGEST_PAUSE)
        self._openings += 1
        self.probe_at = now + pause * (1 + jitter / 4)
