"""Sending, from the claim to the committed outcome: 20 of 200 articles for each reader, SQLite, personal slots.

Everything goes through `pipeline.send.send`, as `dispatcher send` does. CPU is that of the sending process, in turn
with the yardsticks, the median of five rounds. `make bench-tools` fetches those that are programs; one that is missing
is named and left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks import composing, outbox, yardsticks
from benchmarks.report import Figure, report
from benchmarks.sender import NOW, settings
from benchmarks.sink import sink
from dispatcher.delivery.loop import be_patient, loop_factory
from dispatcher.observability import logs
from dispatcher.pipeline.context import open_context
from dispatcher.pipeline.presign import presign
from dispatcher.pipeline.send import send

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 5
COUNT = 400 if QUICK else 2_000
FAR, FAR_DELAY = 400 if QUICK else 2_000, 0.02
QUEUED, SENT = (20_000, 2_000) if QUICK else (1_000_000, 100_000)
WARM_UP = 1_500
"""Mails sent before the clock starts: each of the 200 articles has been told in every place of a digest by then."""


@dataclass(frozen=True)
class Way:
    """One way of ours: whether signed, whether ahead of time, what the sink does not offer."""

    name: str
    signs: bool = False
    ahead: bool = False
    without: tuple[str, ...] = ("CHUNKING",)
    delay: float = 0.0
    shared: bool = False


UNSIGNED, SIGNED, AHEAD = Way("unsigned"), Way("signed", signs=True), Way("signed ahead", signs=True, ahead=True)
CHUNKED = Way("unsigned, CHUNKING", without=())
SAME = Way("unsigned, one digest for all", shared=True)
FAR_AWAY = (
    Way("PIPELINING", delay=FAR_DELAY, shared=True), Way("CHUNKING", without=(), delay=FAR_DELAY, shared=True),
)  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """CPU and wall seconds of one message."""

    cpu: float
    wall: float


def main() -> None:
    """Run and report."""
    logs.setup("error")
    be_patient()
    with tempfile.TemporaryDirectory() as folder:
        key = _key(Path(folder))
        figures = [*_by_cpu(key), *_far_away(key), *composing.figures(ROUNDS, COUNT), *_two_workers(), *_memory()]
    report("send", figures)


def _by_cpu(key: Path) -> Iterator[Figure]:
    taken: dict[str, list[float]] = {}

    def note(name: str, value: float | None) -> None:
        if value is not None:
            taken.setdefault(name, []).append(value)

    for _ in range(ROUNDS):
        note("R", yardsticks.raw_signature(key.read_bytes(), 500))
        for way in (UNSIGNED, SIGNED, AHEAD, CHUNKED, SAME):
            note(way.name, _ours(way, key, COUNT).cpu)
        with sink() as port:
            source = yardsticks.smtp_source(port, 5 * COUNT)
            note("S", source and source[0])
            note("A", yardsticks.aiosmtplib_bytes(port, COUNT))
            note("nodemailer", yardsticks.nodemailer(port, COUNT // 2, None))
            note("nodemailer + DKIM", yardsticks.nodemailer(port, COUNT // 4, key))
            note("naive", yardsticks.naive(port, COUNT // 20, key.read_bytes()))
    middle = {name: statistics.median(values) * 1e3 for name, values in taken.items()}
    for name, what in YARDSTICKS.items():
        if name in middle:
            yield Figure(f"{name}: {what}", middle[name], "ms CPU")
        else:
            print(f"{name}, {what}, is left out: it is not installed (make bench-tools)")
    for way, yardstick, bar in BARS:
        if yardstick in middle:
            yield Figure(f"{way.name}, against {yardstick}", middle[way.name], "ms CPU", middle[yardstick], bar)


YARDSTICKS = {
    "R": "one raw RSA-2048 signature",
    "S": "smtp-source -d -s 16",
    "A": "aiosmtplib sendmail(bytes), 16 connections",
    "nodemailer": "pooled",
    "nodemailer + DKIM": "pooled",
    "naive": "ORM row, Jinja, EmailMessage, dkimpy, aiosmtplib",
}
BARS = (
    (SIGNED, "R", 1.6), (UNSIGNED, "S", 2.0), (AHEAD, "S", 2.0), (CHUNKED, "S", 2.0), (SAME, "S", 2.0),
    (UNSIGNED, "A", None), (SIGNED, "nodemailer + DKIM", 1 / 6), (SIGNED, "naive", 1 / 25),
)  # fmt: skip


def _far_away(key: Path) -> Iterator[Figure]:
    """Messages per second over 16 connections to a relay that answers after 20 ms."""
    paces: dict[str, list[float]] = {}
    for _ in range(3):
        for way in FAR_AWAY:
            paces.setdefault(way.name, []).append(1 / _ours(way, key, FAR).wall)
        with sink(delay=FAR_DELAY) as port:
            source = yardsticks.smtp_source(port, FAR)
        if source:
            paces.setdefault("smtp-source", []).append(1 / source[1])
    middle = {name: statistics.median(values) for name, values in paces.items()}
    theirs = middle.pop("smtp-source", None)
    if theirs:
        yield Figure("20 ms away: smtp-source", theirs, "messages/s")
    for name, pace in middle.items():
        yield Figure(f"20 ms away: {name}", pace, "messages/s", theirs)


def _ours(way: Way, key: Path, count: int) -> Taken:
    with sink(way.delay, way.without) as port, asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_measured(way, port, key, count))


async def _measured(way: Way, port: int, key: Path, count: int) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        async with open_context(settings(Path(folder), port, key if way.signs else None), now=NOW) as ctx:
            warm_up = 200 if way.shared else WARM_UP
            await outbox.furnish(ctx, count + warm_up, NOW, shared=way.shared)
            if way.ahead:
                await presign(ctx, NOW - timedelta(minutes=1))
            await send(ctx, NOW, limit=warm_up)
            cpu, wall = time.process_time(), time.perf_counter()
            done = await send(ctx, NOW, limit=count)
            taken = Taken((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)
            assert done.sent == count, done
            return taken


def _key(folder: Path) -> Path:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = folder / "bench.pem"
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path


# Several processes, and one that is watched for its memory


def _two_workers() -> Iterator[Figure]:
    """CPU per message of two sending processes on one outbox, against one."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, found in taken.items():
            told = _in_processes(workers, queued=4 * COUNT + workers * WARM_UP, sent=4 * COUNT)
            found.append(sum(one["cpu"] for one in told) / sum(one["sent"] for one in told))
    one, two = (statistics.median(found) * 1e3 for found in taken.values())
    yield Figure("unsigned, one process", one, "ms CPU")
    yield Figure("unsigned, two processes, against one", two, "ms CPU", one, 1.1)


def _memory() -> Iterator[Figure]:
    """The most memory of a sending process, with a long queue behind it."""
    (told,) = _in_processes(1, queued=QUEUED, sent=SENT)
    yield Figure(f"memory: {QUEUED:,} queued, {SENT:,} sent", told["rss"], "MB RSS", 1.0, 110)


def _in_processes(workers: int, *, queued: int, sent: int) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder, sink(without=("CHUNKING",)) as port:
        asyncio.run(_queue(Path(folder), port, queued))
        words = [sys.executable, "-m", "benchmarks.sender", folder, str(port), str(sent // workers), str(WARM_UP)]
        pipe = subprocess.PIPE
        started = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(workers)]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate()[0]) for process in started]


async def _queue(folder: Path, port: int, count: int) -> None:
    async with open_context(settings(folder, port), now=NOW) as ctx:
        await outbox.furnish(ctx, count, NOW, shared=count > 100_000)


if __name__ == "__main__":
    main()
