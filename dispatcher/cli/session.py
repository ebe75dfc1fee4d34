"""What every command starts with: the options before its name, the settings, a context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dispatcher.config import Settings
    from dispatcher.pipeline.context import Context
    from dispatcher.store import Store

Result = TypeVar("Result")


class Session:
    """The options given before the command's name."""

    config: Path | None = None
    debug: bool = False


def load() -> Settings:
    """The settings in force, with logging set up by them. ConfigError if they cannot be used."""
    from dispatcher.observability import logs
    from dispatcher.pipeline.context import load_settings

    settings = load_settings(Session.config)
    logs.setup("debug" if Session.debug else settings.log.level, settings.log.format)
    return settings


def load_file() -> Settings:
    """As `load`, and there must be a file: commands work on somebody's newsletter, and without one there is none."""
    from dispatcher.errors import ConfigError, Problem

    settings = load()
    if settings.file is None:
        hint = "there is none; make one here with `dispatcher init`, or name yours: `dispatcher --config FILE …`"
        raise ConfigError([Problem("config/dispatcher.toml", "", hint)])
    return settings


@asynccontextmanager
async def context(*, now: datetime | None = None, alone: bool = False) -> AsyncIterator[Context]:
    """A context in which what config names exists. `alone` refuses while a daemon is running."""
    from dispatcher import clock
    from dispatcher.pipeline.context import open_context
    from dispatcher.pipeline.declare import declare

    moment = now or clock.now()
    async with open_context(load_file(), now=moment, alone=alone) as ctx:
        await declare(ctx, moment)
        yield ctx


@asynccontextmanager
async def store() -> AsyncIterator[Store]:
    """The database alone, for commands that only look."""
    async with context() as ctx:
        yield ctx.store


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    import asyncio

    from dispatcher.delivery.loop import be_patient, loop_factory

    be_patient()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        try:
            return runner.run(work)
        finally:
            _end_threads()


def _end_threads() -> None:
    """A connection that could not be opened ends its thread a moment later, and needs our event loop to say so."""
    import threading

    for thread in threading.enumerate():
        if "connection_worker" in thread.name:  # aiosqlite's
            thread.join(1)
