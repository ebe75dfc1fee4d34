"""How long to wait for a relay: a timer that is wound up again for every reply, at next to no cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """Calls `run_out` when what is waited for has not come. It is not set anew each time: it looks when it rings."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run_out: Callable[[], None]) -> None:
        self._loop, self._run_out = loop, run_out
        self._due: float | None = None
        self._rings = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether anything is waited for."""
        return self._due is not None

    def wait_until(self, when: float) -> None:
        """From now on, wait until then, by the loop's clock."""
        self._due = when
        if self._timer is None or self._rings > when:
            self._wind_up(when)

    def rest(self) -> None:
        """Nothing is waited for at the moment."""
        self._due = None

    def end(self) -> None:
        """Never ring again."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()

    def _wind_up(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings, self._timer = when, self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._wind_up(self._due)
        else:
            self._due = None
            self._run_out()
