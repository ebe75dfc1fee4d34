"""Throttle: which of the deliveries that were claimed may go, under limits that all processes share. Pure.

standings, as they are kept ──▶ meters ──▶ admit ──▶ go, each with a token of every meter on its way
                                               └──▶ later, each at the instant at which its token will be there
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dispatcher.outbox.meters import Meter


@dataclass(slots=True)
class Till:
    """A meter in one admission: how many tokens this process owned before, which it has taken, how many it gave out."""

    meter: Meter
    owned: int = 0
    given: int = 0
    taken: list[float] = field(default_factory=list)

    def has_one(self, *, is_urgent: bool) -> bool:
        """Whether one more may go."""
        return self._has_spare or self.meter.left(is_urgent=is_urgent) > 0

    def give(self) -> None:
        """Let one more go. `has_one` has said yes."""
        if not self._has_spare:
            self.taken.append(self.meter.take())
        self.given += 1

    @property
    def _has_spare(self) -> bool:
        return self.given < self.owned + len(self.taken)


class Applicant(NamedTuple):
    """A delivery that this process holds, and the names of the meters on its way."""

    number: int
    is_urgent: bool
    meters: tuple[str, ...]


def admit(applicants: Iterable[Applicant], tills: Mapping[str, Till]) -> tuple[set[int], list[tuple[int, float]]]:
    """The numbers of those that may go, and the others with the instants at which to ask again.

    Who comes first is served first, the urgent before the rest. What was taken is in the tills.
    """
    go: set[int] = set()
    later: list[tuple[int, float]] = []
    for one in sorted(applicants, key=lambda one: not one.is_urgent):
        way = [tills[name] for name in one.meters]
        lacking = [till.meter for till in way if not till.has_one(is_urgent=one.is_urgent)]
        if lacking:
            later.append((one.number, max(meter.book(one.number, is_urgent=one.is_urgent) for meter in lacking)))
            continue
        for till in way:
            till.give()
        go.add(one.number)
    return go, later
