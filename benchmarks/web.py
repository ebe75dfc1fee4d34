"""The web beside a sending daemon: one-click departures and subscriptions per second, on SQLite.

    sink ◀── dispatcher send (100,000 deliveries in the outbox) ──▶ one SQLite file ◀── dispatcher web ◀── 32 clients

Every client posts as fast as it is answered. Afterwards the books are checked: no answer of 5xx, every departure that
was answered is in the database, and no mail to somebody who had left was begun after they had been told so. The
yardstick is the same server answering /health, in the same run, beside the same sender.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import aiohttp

from benchmarks.report import Figure, report
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import Origin
from dispatcher.observability import logs
from dispatcher.pipeline import enrolment
from dispatcher.pipeline.context import Context, load_settings, open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.links import leaving, url_of
from dispatcher.pipeline.plan import plan
from dispatcher.store import topics

QUICK = bool(os.environ.get("QUICK"))
READERS = 5_000 if QUICK else 100_000
SECONDS = 4.0 if QUICK else 20.0
CLIENTS = 32
CONFIG = """
[site]
name = "Bench"
[mail]
from = "Bench <bench@bench.example>"
[[smtp]]
host = "127.0.0.1"
port = {port}
[web]
listen = "127.0.0.1:0"
url = "https://letters.bench.example"
requests_per_minute = 1000000
[subscribe]
min_time = "0s"
per_network = 1000000
per_hour = 1000000
[[sources]]
name = "Desk"
url = "news"
[[topics]]
slug = "wind"
query = "windmill"
"""
Post = Callable[[aiohttp.ClientSession], Awaitable[int]]


def main() -> None:
    """Run and report."""
    logs.setup("error")
    report("web", asyncio.run(_measure()))


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        async with _program(base, "-m", "benchmarks.sink", "0", str(base / "sink.log")) as port:
            (base / "config").mkdir()
            (base / "config" / "dispatcher.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
            targets = await _furnish(base)
            config = str(base / "config" / "dispatcher.toml")
            async with (
                _program(base, "-m", "dispatcher", "--config", config, "web", stream="stderr") as line,
                _program(base, "-m", "dispatcher", "--config", config, "send", stream=""),
            ):
                url = re.findall(r"http://[^;\s]+", line)[0]
                return await _load(base, url, targets)


async def _load(base: Path, url: str, targets: list[tuple[str, str]]) -> list[Figure]:
    left: dict[str, float] = {}
    waiting, numbers = iter(targets), count()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        async with session.get(f"{url}/subscribe") as page:
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', await page.text()))

        async def health(session: aiohttp.ClientSession) -> int:
            async with session.get(f"{url}/health") as answer:
                return answer.status

        async def leave(session: aiohttp.ClientSession) -> int:
            email, path = next(waiting)
            form = aiohttp.FormData({"List-Unsubscribe": "One-Click"}, default_to_multipart=True)
            async with session.post(url + path, data=form, allow_redirects=False) as answer:
                await answer.read()
                if answer.status == 200:
                    left[email] = time.time()
                return answer.status

        async def subscribe(session: aiohttp.ClientSession) -> int:
            number = next(numbers)
            form = {
                **hidden, "email": f"new{number}@fresh{number % 5000}.example", "topics": "wind", "consent": "yes",
                "kind": "daily", "time": "07:30", "day": "mon", "zone": "UTC", "lang": "en", "do": "subscribe",
            }  # fmt: skip
            async with session.post(f"{url}/subscribe", data=form, allow_redirects=False) as answer:
                await answer.read()
                return answer.status

        before = _sent(base)
        figures = [
            *await _rush("yardstick: /health", health, session),
            *await _rush("one-click departures", leave, session),
            *await _rush("subscriptions", subscribe, session),
        ]
        sending = (_sent(base) - before) / (3 * SECONDS)
    await asyncio.sleep(2)  # what was on the wire arrives
    return [*figures, *_books(base, left, sending)]


async def _rush(name: str, post: Post, session: aiohttp.ClientSession) -> list[Figure]:
    """Everybody at once, for SECONDS."""
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    until = time.monotonic() + SECONDS

    async def client() -> None:
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                statuses[await post(session)] += 1
            except StopIteration:
                return
            taken.append(time.monotonic() - begun)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    ranked = sorted(taken)
    print(f"  {name}: {dict(statuses)}", file=sys.stderr)
    return [
        Figure(f"{name}, a second", len(taken) / SECONDS, "requests"),
        Figure(f"{name}, median", statistics.median(ranked) * 1e3, "ms"),
        Figure(f"{name}, p99", ranked[int(len(ranked) * 0.99)] * 1e3, "ms"),
        Figure(f"{name}, answers of 5xx", sum(n for status, n in statuses.items() if status >= 500), "must be 0"),
        Figure(
            f"{name}, other refusals", sum(n for status, n in statuses.items() if 400 <= status < 500), "should be 0"
        ),
    ]


def _books(base: Path, left: dict[str, float], sending: float) -> list[Figure]:
    database = sqlite3.connect(base / "subscribers.db")
    gone = {row[0] for row in database.execute("SELECT email FROM subscriber WHERE status = 'unsubscribed'")}
    barred = {row[0] for row in database.execute("SELECT address FROM suppression WHERE reason = 'unsubscribed'")}
    late = 0
    for line in (base / "sink.log").read_text(encoding="utf-8").splitlines():
        at, _, email = line.partition(" ")
        late += email in left and float(at) > left[email]
    return [
        Figure("mails sent beside it, a second", sending, "mails"),
        Figure("departures answered", len(left), "people"),
        Figure("departures lost", len(left.keys() - gone) + len(left.keys() - barred), "must be 0"),
        Figure("mails begun after the answer", late, "should be 0"),
    ]


def _sent(base: Path) -> int:
    return sum(1 for _ in (base / "sink.log").open(encoding="utf-8"))


async def _furnish(base: Path) -> list[tuple[str, str]]:
    """READERS people with a digest each in the outbox; (address, one-click path), the last in the queue first."""
    now = datetime.now(UTC)
    before = now - timedelta(hours=1)
    (base / "news").mkdir()
    story = base / "news" / "windmill.txt"
    story.write_text("The town buys a windmill\n\n" + "It turns, mostly. " * 200, encoding="utf-8")
    os.utime(story, (before.timestamp(), before.timestamp()))
    settings = load_settings(base / "config" / "dispatcher.toml", env={})
    async with open_context(settings, now=before) as ctx:
        await declare(ctx, before)
        await ingest(ctx, before, everything=True)
        people = await _enrol(ctx, f"daily at {now - timedelta(minutes=1):%H:%M}", before)
        await plan(ctx, now)
        door, newsletter_id = ctx.door, ctx.newsletter.id or 0
        return [
            (person.email, url_of(door, ctx.keyring, leaving(person.id or 0, newsletter_id)).removeprefix(door.url))
            for person in reversed(people)
        ]


async def _enrol(ctx: Context, cadence: str, now: datetime) -> list[Subscriber]:
    async with ctx.store.read() as tx:
        topic = await topics.by_slug(tx, "wind")
    assert topic is not None
    people: list[Subscriber] = []
    for start in range(0, READERS, 1000):
        some = [
            Subscriber(email=f"r{number}@reader.example", cadence=cadence, origin=Origin.CLI, created_at=now)
            for number in range(start, start + 1000)
        ]
        async with ctx.store.write() as tx:
            await enrolment.enrol_all(
                tx, ctx.address_key, [(one, {topic.id or 0: cadence}) for one in some], ctx.newsletter.id or 0,
                origin=Origin.CLI, now=now, looks_back=True,
            )  # fmt: skip
        people += some
    return people


@asynccontextmanager
async def _program(base: Path, *arguments: str, stream: str = "stdout") -> AsyncIterator[str]:
    """A Python program beside us; gives the first line it says on a stream, and is stopped at the end."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=pipe, stdout=pipe if stream == "stdout" else nothing,
        stderr=pipe if stream == "stderr" else nothing, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    try:
        out = getattr(process, stream) if stream else None
        yield (await out.readline()).decode() if out else ""
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
