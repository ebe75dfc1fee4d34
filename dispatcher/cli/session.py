"""What every command starts with: the options before its name, the settings, a context, a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
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


@asynccontextmanager
async def context(*, now: datetime | None = None, role: str = "command", alone: bool = False) -> AsyncIterator[Context]:
    """A context in which what config names exists."""
    from dispatcher import clock
    from dispatcher.pipeline.context import open_context
    from dispatcher.pipeline.declare import declare

    settings = load()
    need_config(settings)
    moment = now or clock.now()
    async with open_context(settings, role=role, now=moment, alone=alone) as ctx:
        await declare(ctx, moment)
        yield ctx


@asynccontextmanager
async def store() -> AsyncIterator[Store]:
    """The database alone, for commands that only look."""
    async with context() as ctx:
        yield ctx.store


def need_config(settings: Settings) -> None:
    """Commands work on somebody's newsletter: without a file there is none, and we say how to make one."""
    from dispatcher.errors import ConfigError, Problem

    if settings.file is None:
        hint = "no configuration found; run `dispatcher init` here, or name a file with --config"
        raise ConfigError([Problem("config/dispatcher.toml", "", hint)])


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def moment(text: str | None) -> datetime | None:
    """The instant that `--at` names; None when it was not given. A usage error if it is not one."""
    import typer

    from dispatcher import clock

    if text is None:
        return None
    try:
        return clock.parse(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an instant; write it like 2026-03-01T07:31 (UTC) or 2026-03-01T07:31+01:00"
        ) from None


Step = Callable[["Context", datetime], Awaitable[Result]]
