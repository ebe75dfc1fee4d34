"""Kill -9 in the middle of a mailing: everybody gets the digest, and what comes twice is the same message."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import pytest
from conftest import LONG
from crews import alive, kill, workers_of
from processes import Process, Site, a_site, address, planned, statuses, until
from wire_sink import Taken, WireSink

from dispatcher.delivery.manners import SEATS, Way

site = pytest.fixture(a_site, name="site")


class Victim(StrEnum):
    """Who is killed."""

    DAEMON = "the daemon"
    WORKER = "one worker"
    BOTH = "both workers"
    PARENT = "their parent"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: when, and whom."""

    at: float
    victim: Victim


@dataclass(frozen=True, slots=True)
class Plan:
    """A mailing and the kills in its midst. With `workers` 0 the daemon sends itself."""

    readers: int
    kills: int
    victims: tuple[Victim, ...]
    workers: int = 0
    connections: int = 16
    chunking: bool = False
    delay: float = 0.02

    def most(self, victim: Victim) -> int:
        """Messages that may have left with whoever is killed, their outcome not on disk: the seats of its connections.

        Who is orphaned finishes what it has begun.
        """
        connections = {Victim.DAEMON: self.connections, Victim.BOTH: self.connections, Victim.PARENT: 0}
        seats = SEATS[Way.CHUNKED if self.chunking else Way.PIPELINED]
        return seats * connections.get(victim, self.connections // max(self.workers, 1))


@dataclass
class Slaughter:
    """A mailing that is killed again and again, until everybody has got theirs."""

    site: Site
    sink: WireSink
    plan: Plan
    chance: random.Random
    kills: list[Kill] = field(default_factory=list)
    orphans: set[int] = field(default_factory=set)
    starts: list[float] = field(default_factory=list)
    daemon: Process | None = None

    async def run(self) -> None:
        """Send, kill, start again; returns after the last kill."""
        await planned(self.site, self.plan.readers)
        self._start()
        for goal in sorted(self.chance.sample(range(1, self.plan.readers * 9 // 10), self.plan.kills)):
            await self.reached(lambda: len(self.sink.recipients) >= goal)  # noqa: B023 - it is awaited here
            await self._kill(self.chance.choice(self.plan.victims))

    async def end(self) -> None:
        """Let everything end politely, and see that nobody is left."""
        assert self.daemon is not None
        self.daemon.signal(signal.SIGTERM)
        assert await self.daemon.ended() == 0, self.daemon.words()
        await until(lambda: not any(map(alive, self.orphans)), 40)

    async def reached(self, is_true: Callable[[], bool]) -> None:
        """Wait for something that the processes bring about."""
        await until(is_true, 120, self.daemon)

    async def _kill(self, victim: Victim) -> None:
        daemon = self.daemon
        assert daemon is not None
        if victim in (Victim.WORKER, Victim.BOTH):
            await until(lambda: len(workers_of(daemon.pid)) == self.plan.workers, 60, daemon)
        workers = workers_of(daemon.pid)
        await asyncio.sleep(self.chance.uniform(0, 4 * self.plan.delay))  # replies come in waves
        before = len(self.sink.begun)
        self.kills.append(Kill(time.monotonic(), victim))
        match victim:
            case Victim.WORKER:
                kill(self.chance.choice(workers))
            case Victim.BOTH:
                for worker in workers:
                    kill(worker)
            case Victim.PARENT | Victim.DAEMON:
                self.orphans |= set(workers)
                daemon.kill()
                self._start()
        began = time.monotonic()
        await self.reached(lambda: len(self.sink.begun) > before)
        self.starts.append(time.monotonic() - began)

    def _start(self) -> None:
        arguments = ("run", "--workers", str(self.plan.workers)) if self.plan.workers else ("run",)
        self.daemon = self.site.start(*arguments)

    # What came of it

    def blamed(self, copy: Taken) -> int | None:
        """The kill for which a message came again: that which cut its connection, or came just after it was closed."""
        talk = self.sink.conversations[copy.conversation]
        if talk.said_quit:
            return next((n for n, one in enumerate(self.kills) if one.at > copy.at), None)
        return self._kill_before(talk.ended_at)

    def _kill_before(self, at: float | None) -> int | None:
        before = [n for n, one in enumerate(self.kills) if at is not None and one.at <= at]
        return before[-1] if before else None

    def table(self) -> list[tuple[Victim, int, int, int]]:
        """For each kill: who, transactions the server saw open on what it cut, the repeats allowed, the repeats."""
        again = [copy for copies in self.sink.copies().values() for copy in copies[:-1]]
        blamed = Counter(self.blamed(copy) for copy in again)
        cut = [talk for talk in self.sink.conversations if not talk.said_quit]
        seen: Counter[int | None] = Counter()
        for talk in cut:
            seen[self._kill_before(talk.ended_at)] += talk.open
        return [(one.victim, seen[n], self.plan.most(one.victim), blamed[n]) for n, one in enumerate(self.kills)]


def plans() -> list[object]:
    """A short sample, each plan on one of the engines, or, with ROUNDS=long, all that is promised."""
    crew = (Victim.WORKER, Victim.WORKER, Victim.BOTH, Victim.PARENT)
    if not LONG:
        return [
            pytest.param("sqlite", Plan(600, 2, (Victim.DAEMON,), connections=8), id="sqlite-daemon"),
            pytest.param("sqlite", Plan(2000, 4, crew, workers=2, delay=0.02), id="sqlite-pipelined"),
            pytest.param(
                "postgresql", Plan(2000, 4, crew, workers=2, delay=0.1, chunking=True), id="postgresql-chunked"
            ),
        ]
    return [
        pytest.param(engine, plan, id=f"{engine}-{name}")
        for engine in ("sqlite", "postgresql")
        for name, plan in (
            ("daemon", Plan(2000, 8, (Victim.DAEMON,), connections=8)),
            ("pipelined", Plan(20_000, 50, crew, workers=2, delay=0.04)),
            ("chunked", Plan(20_000, 50, crew, workers=2, delay=0.2, chunking=True)),
        )
    ]


@pytest.mark.parametrize(("furnished_url", "plan"), plans(), indirect=["furnished_url"])
async def test_kill_9_at_random_moments_loses_nothing_and_repeats_only_what_was_on_the_wire(
    site: Site, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, everybody = random.SystemRandom().randrange(10**6), {address(n) for n in range(plan.readers)}
    with WireSink(delay=plan.delay, chunking=plan.chunking) as sink:
        site.smtp_port, site.connections = sink.port, plan.connections
        slaughter = Slaughter(site, sink, plan, random.Random(seed))
        await slaughter.run()
        await slaughter.reached(lambda: sink.recipients == everybody)
        await asyncio.sleep(1.5)  # anything that should not come would come now
        await slaughter.end()
        copies, rows = sink.copies(), slaughter.table()
    with capsys.disabled():
        print(f"\n{plan.readers} sends, {plan.kills} kills, seed {seed}: {len(sink.taken) - plan.readers} repeats; "
              f"first mail after a kill: at most {max(slaughter.starts):.1f} s")  # fmt: skip
        for victim, open_, most, repeats in rows:
            print(f"  {victim:13} {open_:3} transactions unanswered, {most:3} allowed, {repeats:3} repeats")
    assert all(len({(copy.message_id, copy.digest) for copy in mine}) == 1 for mine in copies.values()), "not the same"
    assert all(repeats <= most for *_, most, repeats in rows)
    assert sum(repeats for *_, repeats in rows) == len(sink.taken) - plan.readers, "a repeat that no kill explains"
    assert await statuses(site) == {"sent": plan.readers}


@pytest.mark.skipif(not LONG, reason="takes a minute: ROUNDS=long")
async def test_kill_9_repeats_nothing_at_all_where_the_operator_wants_it_held(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(600, 8, (Victim.WORKER, Victim.BOTH), workers=2, connections=8, delay=0.05)
    site.extra = '[send]\non_uncertain = "hold"\n'
    with WireSink(delay=plan.delay, chunking=False) as sink:
        site.smtp_port, site.connections = sink.port, plan.connections
        slaughter = Slaughter(site, sink, plan, random.Random())
        await slaughter.run()
        while not set(found := await statuses(site)) <= {"sent", "held"}:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.5)
        await slaughter.end()
    with capsys.disabled():
        print(f"\n{plan.readers} sends, {plan.kills} kills, hold: {found}")
    assert all(len(mine) == 1 for mine in sink.copies().values())
    assert found.get("held", 0) <= sum(plan.most(kill.victim) for kill in slaughter.kills)
    assert found["sent"] + found.get("held", 0) == plan.readers
