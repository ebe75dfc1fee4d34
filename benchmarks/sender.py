"""`python -m benchmarks.sender FOLDER PORT COUNT WARM_UP`: one sending process, as lean as a worker of the daemon.

It sends WARM_UP mails, says "ready", waits for a line on its standard input, sends COUNT more, and prints as JSON what
that took: CPU seconds, how many were sent, and the most memory it ever had, in MB.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dispatcher.config.settings import Settings
from dispatcher.delivery.loop import be_patient, loop_factory
from dispatcher.observability import logs
from dispatcher.pipeline.context import open_context
from dispatcher.pipeline.send import send

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
DOMAIN = "news.example"


def settings(base: Path, port: int, key: Path | None = None, connections: int = 16) -> Settings:
    """What a bench is sent with."""
    sections: dict[str, Any] = {
        "base": base,
        "site": {"name": "The Bench Gazette"},
        "mail": {"from": f"The Bench <digest@{DOMAIN}>"},
        "web": {"url": f"https://letters.{DOMAIN}"},
        "digest": {"layout": "headlines"},
        "send": {"presign": "10m"},
        "smtp": [{"host": "127.0.0.1", "port": port, "max_connections": connections,
                  "messages_per_connection": 100_000}],
    }  # fmt: skip
    if key is not None:
        sections["dkim"] = [{"domain": DOMAIN, "selector": "bench", "key_file": str(key)}]
    return Settings.model_validate(sections)


async def _work(folder: Path, port: int, count: int, warm_up: int) -> None:
    logs.setup("error")
    be_patient()
    async with open_context(settings(folder, port), now=NOW) as ctx:
        await send(ctx, NOW, limit=warm_up)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        cpu = time.process_time()
        done = await send(ctx, NOW, limit=count)
        print(json.dumps({"cpu": time.process_time() - cpu, "sent": done.sent, "rss": _most_memory()}))


def _most_memory() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
