"""The event loop that sockets are fastest on: uvloop where it is installed, asyncio's own elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What `asyncio.Runner` is to make its loop with."""
    try:
        import uvloop
    except ImportError:  # not made for every machine
        return asyncio.new_event_loop
    return uvloop.new_event_loop
