"""`python -m dispatcher.workers`: one worker, as a crew starts it. Not the command line, whose imports cost 15 MB."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from dispatcher.config import Settings
from dispatcher.delivery.loop import be_patient, loop_factory
from dispatcher.errors import DispatcherError
from dispatcher.observability import logs
from dispatcher.pipeline.context import load_settings, open_context
from dispatcher.pipeline.send import SendReport
from dispatcher.workers import orders
from dispatcher.workers.share import Share, settings_for
from dispatcher.workers.worker import Worker


def main() -> int:
    """Work, and tell what was done. An error that a person can act on is one line of the log."""
    asked = _asked()
    try:
        settings = load_settings(asked.config)
        logs.setup("debug" if asked.debug else settings.log.level, settings.log.format)
        be_patient()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            report = runner.run(_work(settings, asked))
    except DispatcherError as error:
        logs.logger("worker").error("a worker cannot work", reason=str(error))
        return error.exit_code
    _say(orders.last_words(report))
    return 0


def _say(words: str) -> None:
    with suppress(OSError):  # our crew has gone
        print(words, end="", flush=True)


async def _work(settings: Settings, asked: argparse.Namespace) -> SendReport:
    share: Share = asked.share

    def reload() -> Settings:
        return settings_for(share, load_settings(asked.config))

    async with open_context(settings_for(share, settings), role="worker", now=asked.at) as ctx:
        structlog.contextvars.bind_contextvars(instance_id=ctx.instance.instance_id)
        worker = Worker(ctx, reload)
        _say(orders.READY.decode())
        return await (worker.stay() if asked.at is None else worker.once(asked.at))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dispatcher.workers")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--share", type=Share.parse, required=True)
    parser.add_argument("--at", type=datetime.fromisoformat)
    parser.add_argument("--debug", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
