"""The chain as it stands: CPU per article ingested, per reader planned, per message sent into memory.

The yardstick is `re.findall(r"\\w+", text.casefold())` over one 850-word article, taken in the same run.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, report
from dispatcher.config.settings import Settings, SourceEntry, TopicEntry
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.observability import logs
from dispatcher.pipeline.context import open_context
from dispatcher.pipeline.declare import declare
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.roster import take_in
from dispatcher.pipeline.send import send
from dispatcher.pipeline.sheet import Row

QUICK = bool(os.environ.get("QUICK"))
READERS = 500 if QUICK else 5_000
ARTICLES = 50 if QUICK else 400
NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
WORDS = [
    f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "mer", "san") for b in ("ro", "ti", "ven") for c in ("", "n", "st")
]


def main() -> None:
    """Run and report."""
    logs.setup("error")
    report("chain", asyncio.run(_measure()))


async def _measure() -> list[Figure]:
    rng = random.Random(7)
    texts = [" ".join(rng.choices(WORDS, k=850)) for _ in range(ARTICLES)]
    yardstick = statistics.median(_yardstick(text) for text in texts[:50])
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "articles").mkdir()
        for number, text in enumerate(texts):
            (base / "articles" / f"{number}.txt").write_text(f"Story {number}\n\n{text}\n", encoding="utf-8")
            old = (NOW - timedelta(hours=1)).timestamp()
            os.utime(base / "articles" / f"{number}.txt", (old, old))
        settings = Settings(
            base=base,
            sources=(SourceEntry(name="Bench", url=str(base / "articles")),),
            topics=tuple(TopicEntry(slug=f"t{n}", query=WORDS[n]) for n in range(20)),
        )
        async with open_context(settings, now=NOW, transport=MemoryTransport()) as ctx:
            await declare(ctx, NOW)
            people = [
                Row(
                    n + 2,
                    {
                        "email": f"r{n}@reader.example",
                        "timezone": "Europe/London",
                        "topics": f"t{n % 20}, t{(n + 1) % 20}",
                    },
                )
                for n in range(READERS)
            ]
            imported = await _cpu(take_in(ctx, people, NOW, on_bad=lambda line, reason: print(line, reason)))
            ingested = await _cpu(ingest(ctx, NOW, everything=True))
            planned = await _cpu(plan(ctx, NOW + timedelta(minutes=31)))
            sent = await _cpu(send(ctx, NOW + timedelta(minutes=31)))

    def per(seconds: float, count: int) -> dict[str, Any]:
        return {"value": seconds / count * 1e3, "unit": "ms CPU", "yardstick": yardstick * 1e3}

    return [
        Figure("yardstick: words of one article", yardstick * 1e3, "ms CPU"),
        Figure("import, per person", **per(imported, READERS)),
        Figure("ingest, per 850-word article against 20 topics", **per(ingested, ARTICLES)),
        Figure("plan, per reader", **per(planned, READERS)),
        Figure("send into memory, per message", **per(sent, READERS)),
    ]


def _yardstick(text: str) -> float:
    started = time.process_time()
    for _ in range(20):
        re.findall(r"\w+", text.casefold())
    return (time.process_time() - started) / 20


async def _cpu(work: Awaitable[Any]) -> float:
    started = time.process_time()
    await work
    return time.process_time() - started
