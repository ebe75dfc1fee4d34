"""Logs for people (console) or for machines (JSON), on standard error, with addresses redacted.

A log line holds ids, never addresses: whatever looks like one in an event's fields is shortened to `a…@host`
before it is written, error texts of other servers included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Literal

import structlog

ADDRESS = re.compile(r"""("[^"\n]{1,64}"|[^\s<>@"'(),;:]{1,64})@([^\s<>@"'(),;:]+)""")


def setup(level: str = "info", form: Literal["auto", "console", "json"] = "auto") -> None:
    """Configure logging once per process. `auto` is console on a terminal, JSON lines otherwise."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    render: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *args: _Writer(),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a tick that finds its step still busy is no news
    for noisy in ("asyncio", "aiosqlite", "aiohttp", "watchfiles", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Writer:
    """Writes to standard error, and never fails: a log that nobody can read must not stop the work it tells about."""

    def msg(self, message: str) -> None:
        """Write one line."""
        with suppress(OSError, ValueError):  # the other end of the pipe is gone, or the disk is full
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = log = msg


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Shorten every e-mail address in an event's fields, however deep it stands."""
    return {name: _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return hide(str(value))
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_redacted(name): _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner) for inner in value]
    return hide(str(value))  # an instant, a path, an exception: as text, which is what is written anyway


def hide(text: str) -> str:
    """A text with the local part of every address reduced to its first letter."""
    return ADDRESS.sub(lambda found: f"{found[1][:1]}…@{found[2]}", text)


def logger(name: str) -> Any:
    """A logger bound to the part of the program that speaks."""
    return structlog.get_logger(part=name)  # lazy: what `setup` decides later holds for it too
