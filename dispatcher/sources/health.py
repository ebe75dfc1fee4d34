"""How a source fares: since when it fails, and when that is worth a letter to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from dispatcher.model.content import Source
from dispatcher.sources.http import Failure

BLIPS = 3  # failures in a row that are nobody's business
PATIENCE = timedelta(hours=1)  # and for how long


class News(Enum):
    """What there is to tell about a source."""

    NONE = auto()
    BROKE = auto()
    RECOVERED = auto()


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of how a source fares. `told_broken_at` stands from the letter about it to the recovery."""

    broken_since: datetime | None
    told_broken_at: datetime | None
    news: News = News.NONE


def examine(source: Source, failure: Failure | None, now: datetime) -> Health:
    """How `source` fares after a poll that ended in `failure`, or well.

    It is broken after more than `BLIPS` failures in a row over at least `PATIENCE`, or at once if it is gone for good
    (410): what passes by itself is told to nobody.
    """
    if failure is None:
        return Health(None, None, News.RECOVERED if source.told_broken_at else News.NONE)
    since = source.broken_since or now
    if source.told_broken_at:
        return Health(since, source.told_broken_at)
    is_lasting = source.failures + 1 > BLIPS and now - since >= PATIENCE
    if is_lasting or failure.is_permanent:
        return Health(since, now, News.BROKE)
    return Health(since, None)
