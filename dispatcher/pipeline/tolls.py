"""Tolls: tokens taken from the buckets that all processes share, for deliveries that this one holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dispatcher.model.rates import Rate
from dispatcher.outbox import throttle
from dispatcher.outbox.throttle import Applicant, Standing, Till
from dispatcher.pipeline.lessons import Lessons
from dispatcher.pipeline.purse import Purse, Token
from dispatcher.pipeline.ways import Limits
from dispatcher.store import Connection, buckets
from dispatcher.store.buckets import Kept


class Collected(NamedTuple):
    """Who may go, and in how many seconds the others should ask again."""

    go: set[int]
    later: list[tuple[int, float]]


class Account(NamedTuple):
    """How a meter stood when it was last seen: `at` by the database's clock, `arrived` by our monotonic one."""

    rate: Rate
    standing: Standing
    at: float
    arrived: float

    def left(self, now: float) -> int:
        """How many tokens could be taken from it now, if nobody else took any."""
        return throttle.meter(self.rate, self.standing, self.at + now - self.arrived).left(is_urgent=False)


def collect(
    connection: Connection, applicants: Sequence[Applicant], limits: Limits, lessons: Lessons, purse: Purse,
    accounts: dict[str, Account],
) -> Collected:  # fmt: skip
    """Give tokens to as many as there are tokens for, and write what was learnt. Notes how the meters stand now."""
    meters = {meter for one in applicants for meter in one.meters}
    now, kept = buckets.hold(connection, meters | lessons.news)
    at, arrived = now.timestamp(), time.monotonic()
    kept |= (changed := lessons.write(kept, now))
    tills = {
        meter: Till(throttle.meter(limits.rate(meter), _standing(kept[meter]), at), purse.count(meter, arrived))
        for meter in meters
    }
    go, later = throttle.admit(applicants, tills)
    for name, till in tills.items():
        standing, rate = till.meter.standing, till.meter.rate
        if standing != _standing(kept[name]):
            changed[name] = _kept(kept[name], standing)
        purse.put(name, (_token(one - at + arrived, rate) for one in till.taken))
        accounts[name] = Account(rate, standing, at, arrived)
    buckets.save(connection, changed)
    return Collected(go, [(number, due - at) for number, due in later])


def _token(at: float, rate: Rate) -> Token:
    return Token(at, at + rate.tolerance)


def _standing(kept: Kept) -> Standing:
    spent = tuple((slot, used) for slot, used in kept.spent)
    return Standing(kept.next_at.timestamp(), spent, kept.booked_until.timestamp())


def _kept(kept: Kept, standing: Standing) -> Kept:
    return kept._replace(
        next_at=datetime.fromtimestamp(standing.next_at, UTC),
        spent=[list(slot) for slot in standing.spent],
        booked_until=datetime.fromtimestamp(standing.booked_until, UTC),
    )
