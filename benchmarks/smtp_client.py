"""The SMTP client alone: CPU of its process for a 30 KB message, and messages per second to a relay 20 ms away.

The yardstick is aiosmtplib's `sendmail(bytes)` on as many connections, in the same run, in turn with ours, against the
same sink. `python -m benchmarks.smtp_client` prints and keeps the figures.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiosmtplib

from benchmarks.report import Figure, report
from benchmarks.sink import sink
from dispatcher.delivery.envelope import Vetted
from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.values import OutcomeKind
from dispatcher.observability import logs

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 5
CONNECTIONS = 16
NEAR = 1_000 if QUICK else 5_000
FAR = 100 if QUICK else 500
FAR_DELAY = 0.02
SENDER = "digest@news.example"
LINE = b"A line of some seventy characters, like those of a message in real life=\r\n"
MESSAGE = b"Subject: x\r\n\r\n" + LINE * (30_000 // len(LINE))


@dataclass(frozen=True)
class Way:
    """One way of sending: what the sink does not offer, and whether the message was vetted where it was made.

    `haste` is how many messages it sends to a distant relay in the time of one, about: so that all take as long.
    """

    name: str
    without: tuple[str, ...] = ()
    vetted: bool = True
    is_ours: bool = True
    haste: int = 1


AIOSMTPLIB = Way("aiosmtplib sendmail(bytes)", is_ours=False)
OURS = (
    Way("plain", without=("PIPELINING",)),
    Way("pipelined, message gone through", without=("CHUNKING",), vetted=False, haste=4),
    Way("pipelined", without=("CHUNKING",), haste=4),
    Way("chunked", haste=16),
)


@dataclass(frozen=True)
class Taken:
    """What one round took, for each message."""

    cpu: float
    wall: float


def main() -> None:
    """Run and report."""
    logs.setup("error")
    figures = []
    for loop_name, factory in _loops():
        near, far = _rounds(NEAR, 0.0, factory), _rounds(FAR, FAR_DELAY, factory)
        for way in (AIOSMTPLIB, *OURS):
            cpu, yardstick = _median(near[way], "cpu") * 1e3, _median(near[AIOSMTPLIB], "cpu") * 1e3
            figures.append(Figure(f"{loop_name}: {way.name}", cpu, "ms CPU", yardstick))
        for way in (AIOSMTPLIB, *OURS):
            pace, yardstick = 1 / _median(far[way], "wall"), 1 / _median(far[AIOSMTPLIB], "wall")
            figures.append(Figure(f"{loop_name}, 20 ms away: {way.name}", pace, "messages/s", yardstick))
    report("smtp_client", figures)


def _loops() -> Iterator[tuple[str, Callable[[], asyncio.AbstractEventLoop]]]:
    yield "asyncio", asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        print("uvloop is not installed: its figures are left out")
    else:
        yield "uvloop", uvloop.new_event_loop


def _rounds(count: int, delay: float, factory: Callable[[], asyncio.AbstractEventLoop]) -> dict[Way, list[Taken]]:
    """Every way in turn, so many times: what else the machine does then falls on all alike."""
    taken: dict[Way, list[Taken]] = {way: [] for way in (AIOSMTPLIB, *OURS)}
    for _ in range(ROUNDS):
        for way, rounds in taken.items():
            with sink(delay, way.without) as port, asyncio.Runner(loop_factory=factory) as runner:
                messages = count * way.haste if delay else count
                rounds.append(runner.run((_ours if way.is_ours else _theirs)(way, port, messages)))
    return taken


async def _ours(way: Way, port: int, count: int) -> Taken:
    transport = SmtpTransport(Relay("127.0.0.1", port, helo="bench.example", max_connections=CONNECTIONS))

    async def send_one(number: int) -> None:
        message = Vetted(MESSAGE) if way.vetted else MESSAGE
        outcome = await transport.send(SENDER, f"reader{number}@dest.example", message)
        assert outcome is not None
        assert outcome.kind is OutcomeKind.ACCEPTED, outcome

    await asyncio.gather(*(send_one(number) for number in range(CONNECTIONS)))
    taken = await _timed([send_one] * (transport.max_sends if "PIPELINING" not in way.without else CONNECTIONS), count)
    await transport.close()
    return taken


async def _theirs(_way: Way, port: int, count: int) -> Taken:
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="bench.example")
               for _ in range(CONNECTIONS)]  # fmt: skip
    await asyncio.gather(*(client.connect() for client in clients))
    await asyncio.gather(*(client.ehlo() for client in clients))

    def sender(client: aiosmtplib.SMTP) -> Callable[[int], Awaitable[Any]]:
        return lambda number: client.sendmail(SENDER, [f"reader{number}@dest.example"], MESSAGE)

    taken = await _timed([sender(client) for client in clients], count)
    await asyncio.gather(*(client.quit() for client in clients))
    return taken


async def _timed(senders: list[Callable[[int], Awaitable[Any]]], count: int) -> Taken:
    """Share so many messages among the senders; connections are open already."""
    numbers = iter(range(count))

    async def work(send_one: Callable[[int], Awaitable[Any]]) -> None:
        for number in numbers:
            await send_one(number)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work(send_one) for send_one in senders))
    return Taken((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)


def _median(rounds: list[Taken], name: str) -> float:
    return float(statistics.median(getattr(taken, name) for taken in rounds))


if __name__ == "__main__":
    main()
