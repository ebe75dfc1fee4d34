"""For tests that are to pass on asyncio's own loop and on uvloop's."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

LOOPS: list[Any] = [pytest.param(asyncio.new_event_loop, id="asyncio")]
try:
    import uvloop
except ImportError:  # there is none for some machines
    pass
else:
    LOOPS.append(pytest.param(uvloop.new_event_loop, id="uvloop"))


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Any:
    """A decorator: the test is run on each loop."""

    @functools.wraps(test)
    def run(*args: Any, event_loop_factory: Callable[[], asyncio.AbstractEventLoop], **known: Any) -> None:
        async def work() -> None:
            await test(*args, **known)

        with asyncio.Runner(loop_factory=event_loop_factory) as runner:
            runner.run(work())

    signature = inspect.signature(test)
    factory = inspect.Parameter("event_loop_factory", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), factory])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("event_loop_factory", LOOPS)(run)
