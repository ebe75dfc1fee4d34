"""Rates: so many messages in such a time, and how closely they are held. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60.0
UNITS = {"s": 1.0, "min": MINUTE, "h": 3600.0, "day": 86_400.0}
"""Seconds."""

TOLERANCE, RATION_TOLERANCE = 1 / 100, 1 / 200
"""The part of its span by which a message may leave later than its token says. It is made good for in advance: tokens
come by so much more slowly that even then no stretch of time, wherever it begins, sees more than the rate allows."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` messages in any `span` of seconds.

    Up to a minute they leave at even distances. A longer one is a ration: used as fast as there is something to send,
    so that a list of a few thousand is not spread over the whole day; then nothing leaves until what was used has
    become older than the span.
    """

    count: float
    span: float

    @classmethod
    def per(cls, count: float, unit: float) -> Rate:
        """A rate as somebody says it. One by the second is held over every minute, and evenly."""
        return cls(count * MINUTE / unit, MINUTE) if unit < MINUTE else cls(count, unit)

    @property
    def is_ration(self) -> bool:
        """Whether it may be used up at once."""
        return self.span > MINUTE

    @property
    def tolerance(self) -> float:
        """Seconds after which an unused token has lapsed."""
        return self.span * (RATION_TOLERANCE if self.is_ration else TOLERANCE)

    @property
    def interval(self) -> float:
        """Seconds from one token to the next, of a rate that is no ration."""
        return (self.span + self.tolerance) / self.count
