"""Composition and rendering: 1, 10, 100 distinct digests for 100,000 readers, from the digests' rows to whole messages.

    rows ▷ load (compose, encode, keep)   what the readers of a digest share: once for each digest
         ▷ assemble                       a reader's own slots, and the joining: once for each reader

Each number of digests is measured in a process of its own, CPU and memory. Nothing is signed, sent or written but the
digests themselves. `python -m benchmarks.render DIGESTS READERS` is one such process.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks import outbox
from benchmarks.report import Figure, report
from dispatcher.config.settings import Settings
from dispatcher.digest.assembly import assemble
from dispatcher.digest.headers import message_id
from dispatcher.digest.wire import Wire
from dispatcher.model.outbound import Claimed
from dispatcher.model.values import Channel, DeliveryKind, Priority
from dispatcher.pipeline import wires
from dispatcher.pipeline.context import Context, open_context

QUICK = bool(os.environ.get("QUICK"))
DISTINCT = (1, 10, 100)
READERS = 10_000 if QUICK else 100_000
ROUNDS = 1 if QUICK else 3
NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Cost:
    """CPU seconds for the first digest (with reading the templates), for the others, and for all readers; octets of a
    message; megabytes, before and at most."""

    first: float
    others: float
    assembled: float
    octets: float
    idle: float
    peak: float


def main() -> None:
    """Measure and report."""
    costs = {count: [_apart(count) for _ in range(ROUNDS)] for count in DISTINCT}
    report("render", [figure for count, some in costs.items() for figure in _figures(count, some)])


def _figures(count: int, costs: Sequence[Cost]) -> list[Figure]:
    what = f"{count} {'digest' if count == 1 else 'digests'}"
    others, assembled = median(c.others for c in costs), median(c.assembled for c in costs)
    each = [Figure(f"{what}: each but the first", others * 1e3 / (count - 1), "ms CPU")] if count > 1 else []
    return [
        Figure(f"{what}: composed, encoded and kept, all", median(c.first + c.others for c in costs), "s CPU"),
        *each,
        Figure(f"{what}: slots of {READERS} readers, all", assembled, "s CPU"),
        Figure(f"{what}: slots of one reader", assembled * 1e6 / READERS, "µs CPU"),
        Figure(f"{what}: one message", median(c.octets for c in costs) / 1e3, "kB"),
        Figure(f"{what}: memory at most", median(c.peak for c in costs), "MB"),
        Figure(f"{what}: of that, grown since the start", median(c.peak - c.idle for c in costs), "MB"),
    ]


def _apart(count: int) -> Cost:
    """Measured in a process of its own, so that none finds what another has warmed."""
    command = [sys.executable, "-m", "benchmarks.render", str(count), str(READERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


async def measure(count: int, readers: int) -> Cost:
    """The cost of so many digests for so many readers, here and now."""
    with tempfile.TemporaryDirectory() as folder:
        sections = {"site": {"name": "The Bench Gazette"}, "mail": {"from": "The Bench <digest@news.example>"}}
        web = {"url": "https://letters.gazette.example"}
        settings = Settings.model_validate({"base": Path(folder), **sections, "web": web, "log": {"level": "error"}})
        async with open_context(settings, now=NOW) as ctx:
            await outbox.furnish(ctx, count, NOW)
            idle = _memory("VmRSS")
            loaded, first = await _loaded(ctx, [1])
            rest, others = await _loaded(ctx, range(2, count + 1))
            loaded |= rest
            known = [wire for _, wire in sorted(loaded.items()) if isinstance(wire, Wire)]
            assert len(known) == count
            assembled, octets = _assembled(ctx, known, readers)
            return Cost(first, others, assembled, octets, idle, _memory("VmHWM"))


async def _loaded(ctx: Context, ids: Sequence[int]) -> tuple[dict[int, Wire | Exception], float]:
    """The wires of digests, and the CPU seconds that they took."""
    began = time.process_time()
    loaded = await wires.load(ctx, ids) if ids else {}
    return loaded, time.process_time() - began


def _assembled(ctx: Context, known: Sequence[Wire], readers: int) -> tuple[float, float]:
    """CPU seconds for the messages of all readers, made in portions as they are claimed; octets of one message."""
    seconds, octets, portion = 0.0, 0, ctx.settings.send.batch
    for start in range(0, readers, portion):
        claimed = [_claimed(ctx, n, n % len(known) + 1) for n in range(start, min(readers, start + portion))]
        began = time.process_time()
        for delivery in claimed:
            wire = known[(delivery.digest_id or 1) - 1]
            octets += len(assemble(wire, wires.envelope_of(delivery, wire, ctx.keyring)))
        seconds += time.process_time() - began
    return seconds, octets / readers


def _claimed(ctx: Context, number: int, digest_id: int) -> Claimed:
    address = f"reader{number}@mailbox{number % 50}.example"
    personal = {
        "name": f"Reader {number}",
        "email": address,
        "topics": list(outbox.TOPICS),
        "cadence": "daily at 07:30",
    }
    key = f"bench:{number}"
    return Claimed(
        id=number + 1, kind=DeliveryKind.DIGEST, priority=Priority.DIGEST, newsletter_id=ctx.newsletter.id or 1,
        subscriber_id=number + 1, endpoint_id=number + 1, digest_id=digest_id, channel=Channel.EMAIL,
        recipient=address, address_hash=f"{number:064x}", personal=personal, slot_at=NOW, due_at=NOW,
        expires_at=NOW + timedelta(hours=20), created_at=NOW, dated_at=NOW,
        message_id=message_id(key, ctx.site_key, ctx.addresses(None).domain), attempts=0, signature="",
    )  # fmt: skip


def _memory(field: str) -> float:
    """Megabytes, as Linux tells of this process: VmRSS now, VmHWM at most. (What getrusage tells, a child inherits.)"""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(measure(int(sys.argv[1]), int(sys.argv[2]))))))
