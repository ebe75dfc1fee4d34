"""How a process of ours runs: on the event loop that sockets are fastest on, and with a patient garbage collector."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

PATIENCE = (50_000, 20, 100)
"""How many objects more there are when the collector looks, and how many looks later it looks further."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What `asyncio.Runner` is to make its loop with: uvloop where it is installed, asyncio's own elsewhere."""
    try:
        import uvloop
    except ImportError:  # not made for every machine
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def be_patient() -> None:
    """Have the garbage collector look less often, and never again at what is there by now.

    A batch of mail is a hundred thousand small objects that live for seconds and hold no cycles: looked through at
    Python's own pace, they cost a third of the time it takes to send them.
    """
    gc.freeze()
    gc.set_threshold(*PATIENCE)
