"""Tolls: tokens taken from the buckets that all processes share, for deliveries that this one holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Set
from datetime import UTC, datetime
from typing import NamedTuple

from dispatcher.model.rates import Rate
from dispatcher.outbox import throttle
from dispatcher.outbox.meters import Bench, Standing, meter
from dispatcher.outbox.throttle import Applicant, Till
from dispatcher.pipeline.lessons import Lessons
from dispatcher.pipeline.purse import Purse, Token
from dispatcher.pipeline.ways import Limits
from dispatcher.store import Connection, buckets
from dispatcher.store.buckets import Kept


class Account(NamedTuple):
    """How a meter stood when it was last seen: `at` by the database's clock, `arrived` by our monotonic one."""

    rate: Rate
    standing: Standing
    at: float
    arrived: float

    def left(self, now: float) -> int:
        """How many tokens could be taken from it now, if nobody else took any."""
        return meter(self.rate, self.standing, self.at + now - self.arrived).left(is_urgent=False)


class Tolls:
    """The buckets of some meters while we hold them, from `open` to `close`, in one transaction."""

    def __init__(self, meters: Set[str], kept: dict[str, Kept], now: datetime, limits: Limits, purse: Purse) -> None:
        self._kept, self._purse, self._at, self._arrived = kept, purse, now.timestamp(), time.monotonic()
        self._meters = {name: meter(limits.rate(name), _standing(kept[name]), self._at) for name in meters}
        self._tills = {name: Till(one, purse.count(name, self._arrived)) for name, one in self._meters.items()}
        self._benches: dict[str, Bench] = {}

    @classmethod
    def open(cls, connection: Connection, meters: Set[str], limits: Limits, lessons: Lessons, purse: Purse) -> Tolls:
        """Hold the buckets, and write what was learnt."""
        now, kept = buckets.hold(connection, meters | lessons.news)
        changed = lessons.write(kept, now)
        buckets.save(connection, changed)
        return cls(meters, kept | changed, now, limits, purse)

    def add_bench(self, name: str, slots: int, pace: float, booked_until: float) -> None:
        """Let those who pass this name, too, wait for one of so many slots of this process."""
        self._benches[name] = Bench(slots, pace, self._at, booked_until)
        self._tills[name] = Till(self._benches[name])

    @property
    def booked_until(self) -> dict[str, float]:
        """Until when those who found no place on a bench were put back."""
        return {name: bench.booked_until for name, bench in self._benches.items()}

    def admit(self, applicants: Iterable[Applicant]) -> tuple[set[int], list[tuple[int, float]]]:
        """Who may go, and in how many seconds the others should ask again."""
        go, later = throttle.admit(applicants, self._tills)
        return go, [(number, at - self._at) for number, at in later]

    def park(self, candidates: Iterable[Applicant]) -> list[tuple[int, float]]:
        """Those of whom it is plain that they could not go now, and in how many seconds they should ask."""
        parked = []
        for one in candidates:
            known = [self._tills[name] for name in one.meters if name in self._tills]
            dry = [till.meter for till in known if not till.has_one(is_urgent=one.is_urgent)]
            if dry:
                at = max(found.book(one.number, is_urgent=one.is_urgent) for found in dry)
                parked.append((one.number, at - self._at))
        return parked

    def is_dry(self, meters: Iterable[str]) -> bool:
        """Whether one of these has nothing left for what is not urgent."""
        tills = (self._tills[name] for name in meters if name in self._tills)
        return any(not till.has_one(is_urgent=False) for till in tills)

    def close(self, connection: Connection) -> dict[str, Account]:
        """Write what was taken, and put it into the purse. Returns how the meters stand."""
        changed, accounts = {}, {}
        for name, one in self._meters.items():
            till, standing, rate = self._tills[name], one.standing, one.rate
            if till.taken or standing.booked_until != self._kept[name].booked_until.timestamp():
                changed[name] = _after(self._kept[name], standing)
            self._purse.put(name, (_token(at - self._at + self._arrived, rate) for at in till.taken))
            accounts[name] = Account(rate, standing, self._at, self._arrived)
        buckets.save(connection, changed)
        return accounts


def _token(at: float, rate: Rate) -> Token:
    return Token(at, at + rate.tolerance)


def _standing(kept: Kept) -> Standing:
    spent = tuple((slot, used) for slot, used in kept.spent)
    return Standing(kept.next_at.timestamp(), spent, kept.booked_until.timestamp())


def _after(kept: Kept, standing: Standing) -> Kept:
    return kept._replace(
        next_at=datetime.fromtimestamp(standing.next_at, UTC),
        spent=[list(slot) for slot in standing.spent],
        booked_until=datetime.fromtimestamp(standing.booked_until, UTC),
    )
