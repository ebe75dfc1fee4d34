"""What was learnt of one relay while talking to it: how it may be spoken to, and how much one connection carries.

Nothing is learnt for good: servers are mended, and a bad day ends. It is forgotten after a while, and with the process.
"""

from __future__ import annotations

import time
from enum import IntEnum

from dispatcher.delivery.commands import Offers
from dispatcher.observability.logs import logger

log = logger("smtp")

MEMORY = 600.0
"""Seconds that misbehaviour is remembered."""


class Way(IntEnum):
    """How to speak to a relay; the higher, the faster, and the more is taken on trust."""

    PLAIN = 0
    PIPELINED = 1
    CHUNKED = 2


DEEPEST = 8
"""Messages that are on their way at once with CHUNKING. Each is uncertain when the connection is lost."""

SEATS = {Way.PLAIN: 1, Way.PIPELINED: 3, Way.CHUNKED: DEEPEST}
"""Sends that keep a line full. Pipelined: one message on its way, one announced, one that is about to be."""


class Manners:
    """What is known of one relay; see the module."""

    def __init__(self, label: str) -> None:
        self.depth = 1
        self.begins_anew = False  # it has answered RSET as it should
        self.label = label
        self._last = Way.PLAIN  # until a line has been opened
        self._best, self._best_until = Way.CHUNKED, 0.0
        self._carries, self._carries_until = 0, 0.0

    def way(self, offers: Offers) -> Way:
        """The fastest way that the relay offers and has not misused."""
        offered = Way.CHUNKED if "chunking" in offers else Way.PIPELINED
        best = self._best if time.monotonic() < self._best_until else Way.CHUNKED
        self._last = min(offered, best) if "pipelining" in offers else Way.PLAIN
        return self._last

    @property
    def seats(self) -> int:
        """How many sends keep one of its lines full, going by the line that was opened last."""
        return SEATS[self._last]

    def carries(self, most: int) -> int:
        """How many messages to put on one connection, `most` being our own limit."""
        if not self._carries or time.monotonic() >= self._carries_until:
            return most
        return min(most, self._carries)

    def took_a_chunk(self) -> None:
        """A message sent with CHUNKING was accepted: twice as many at once may be tried."""
        self.depth = min(2 * self.depth, DEEPEST)

    def closed_after(self, messages: int) -> None:
        """It said 421 after so many messages: the next connection is to end before that, and of our own accord."""
        self.depth = 1
        if messages:
            self._carries, self._carries_until = messages, time.monotonic() + MEMORY

    def misused(self, way: Way, reason: str) -> None:
        """It did not live up to a way of speaking: the next slower one, for a while."""
        self._fall_back(Way(max(way - 1, Way.PLAIN)), reason)

    def lost_its_place(self, reason: str) -> None:
        """Its replies no longer belonged to our commands: one command at a time, for a while."""
        self._fall_back(Way.PLAIN, reason)

    def _fall_back(self, to: Way, reason: str) -> None:
        self.depth, self.begins_anew = 1, False
        now = time.monotonic()
        if now >= self._best_until or to < self._best:
            self._best = to
            log.warning("a relay is spoken to more slowly for a while", relay=self.label, way=to.name, reason=reason)
        self._best_until = now + MEMORY
