"""When to ask a source again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.sources.read import Reading

_CAP = timedelta(hours=24)
_SOON = timedelta(seconds=1)
_RETRY_AFTER = (timedelta(minutes=1), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class Polling:
    """What polling politely needs to remember about a source."""

    next_poll_at: datetime
    failures: int
    retry_after_at: datetime | None


def next_poll(poll_every: timedelta, failures: int, reading: Reading, now: datetime) -> Polling:
    """The next poll after `reading`, with `failures` in a row before it.

    Failures double the interval, up to a day; Retry-After is obeyed between a minute and a week (RFC 9110 §10.2.3);
    a folder with half-written files is looked at again at once.
    """
    failure = reading.failure
    if failure is None:
        return Polling(now + (min(_SOON, poll_every) if reading.pending else poll_every), 0, None)
    wait = poll_every * 2 ** min(failures, 20) if not failure.is_permanent else _CAP
    next_poll_at = now + max(poll_every, min(wait, _CAP))
    if failure.retry_after is None:
        return Polling(next_poll_at, failures + 1, None)
    least, most = _RETRY_AFTER
    retry_after_at = now + min(max(failure.retry_after, least), most)
    return Polling(max(next_poll_at, retry_after_at), failures + 1, retry_after_at)
