"""The purse: tokens that this process has taken and not used yet, by meter. They lapse."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Token(NamedTuple):
    """One message may leave, between these two instants, which are seconds of the monotonic clock."""

    at: float
    until: float


Fare = tuple[tuple[str, Token], ...]
"""What one message pays: names of meters, each with its token."""


class Purse:
    """Tokens, of each meter the earliest first."""

    def __init__(self) -> None:
        self._tokens: dict[str, deque[Token]] = {}

    def put(self, meter: str, tokens: Iterable[Token]) -> None:
        """Add tokens that come after those that are there."""
        self._tokens.setdefault(meter, deque()).extend(tokens)

    def count(self, meter: str, now: float) -> int:
        """How many there are that have not lapsed."""
        return len(self._good(meter, now))

    def ripe_at(self, meters: Iterable[str], now: float) -> float | None:
        """From when on there is one of each of these; None if that cannot be told."""
        at = now
        for meter in meters:
            tokens = self._good(meter, now)
            if not tokens:
                return None
            at = max(at, tokens[0].at)
        return at

    def take(self, meters: Iterable[str]) -> Fare:
        """Take the first of each, where `ripe_at` has found them."""
        return tuple((meter, self._tokens[meter].popleft()) for meter in meters)

    def give_back(self, fare: Fare) -> None:
        """Put tokens back that were not used after all."""
        for meter, token in fare:
            self._tokens.setdefault(meter, deque()).appendleft(token)

    def _good(self, meter: str, now: float) -> deque[Token]:
        tokens = self._tokens.get(meter)
        while tokens and tokens[0].until < now:
            tokens.popleft()
        if not tokens:
            self._tokens.pop(meter, None)
            return deque()
        return tokens
