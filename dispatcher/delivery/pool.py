"""The lines to one relay: opened when needed, shared, used again, renewed, given up when idle.

A send is given the idle line used last; else a new one, as long as there may be more; else a shared one that has room,
each in its turn; else it waits. A line has room for `capacity` sends at once, and carries so many messages and no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from dispatcher.delivery.line import Line
from dispatcher.model.values import Outcome


@dataclass(slots=True, eq=False)
class Berth:
    """A line in the pool: how many sends use it now, how many it was given to in all.

    `is_listed` while it stands among the shared, whether there is room or not: that is seen when its turn comes.
    """

    line: Line
    busy: int = 0
    carried: int = 0
    is_listed: bool = False
    is_leaving: bool = False
    timer: asyncio.TimerHandle | None = None


class _Permit(Enum):
    """Instead of a line."""

    TO_OPEN_ONE = auto()


class Pool:
    """Up to `most` lines; see the module. `carries` says how many messages a line may carry, `open_line` opens one."""

    def __init__(
        self,
        most: int,
        idle_timeout: float,
        carries: Callable[[], int],
        open_line: Callable[[], Awaitable[Line | Outcome]],
    ) -> None:
        self._most, self._idle_timeout, self._carries, self._open_line = most, idle_timeout, carries, open_line
        self._berths: set[Berth] = set()
        self._idle: list[Berth] = []  # the one that rested last is last
        self._shared: deque[Berth] = deque()  # in use, perhaps with room for more
        self._opening = 0
        self._queue: deque[asyncio.Future[Berth | _Permit | Outcome]] = deque()
        self._farewells: set[asyncio.Task[None]] = set()

    async def take(self) -> Berth | Outcome:
        """A line that has room, to be given back with `put`; or the failure to open one."""
        grant = (None if self._queue else self._grant()) or await self._queue_up()
        return await self._open() if isinstance(grant, _Permit) else grant

    def take_now(self) -> Berth | None:
        """The same, where there is nothing to wait for; None otherwise."""
        if self._queue:
            return None
        return self._idle_one() or (None if self._may_open else self._shared_one())

    def put(self, berth: Berth) -> None:
        """One send less on a line. A line that may carry no more ends with its last send."""
        berth.busy -= 1
        if berth.busy:
            self._list(berth)
        elif self._has_room(berth):
            self._let_rest(berth)
        else:
            self._retire(berth)
        if self._queue:
            self._serve()

    async def close(self) -> None:
        """Say goodbye on every line. No send may be under way."""
        for berth in list(self._berths):
            self._retire(berth)
        await asyncio.gather(*self._farewells)

    # Choosing

    def _grant(self) -> Berth | _Permit | None:
        """What a send may have now; it counts as had from here on."""
        berth = self._idle_one()
        if berth is None and self._may_open:
            self._opening += 1
            return _Permit.TO_OPEN_ONE
        return berth or self._shared_one()

    @property
    def _may_open(self) -> bool:
        return len(self._berths) + self._opening < self._most

    def _idle_one(self) -> Berth | None:
        while self._idle:
            berth = self._idle.pop()
            if self._has_room(berth):
                return self._board(berth)
            self._retire(berth)  # the relay has closed it meanwhile
        return None

    def _shared_one(self) -> Berth | None:
        while self._shared:
            berth = self._shared.popleft()
            berth.is_listed = False
            if self._has_room(berth):
                return self._board(berth)
        return None

    def _board(self, berth: Berth) -> Berth:
        berth.busy += 1
        berth.carried += 1
        if berth.timer is not None:
            berth.timer.cancel()
            berth.timer = None
        self._list(berth)
        return berth

    def _list(self, berth: Berth) -> None:
        """Have it stand among the shared, behind the others."""
        if not berth.is_listed:
            berth.is_listed = True
            self._shared.append(berth)

    def _has_room(self, berth: Berth) -> bool:
        line = berth.line
        if berth.busy >= line.capacity or berth.is_leaving or not line.is_open:
            return False
        return berth.carried < self._carries()

    # Waiting

    async def _queue_up(self) -> Berth | _Permit | Outcome:
        """First come, first served."""
        turn: asyncio.Future[Berth | _Permit | Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._hand_back(turn.result())
            elif turn in self._queue:
                self._queue.remove(turn)
            raise

    def _hand_back(self, grant: Berth | _Permit | Outcome) -> None:
        """What was granted to a send that was cancelled in the same moment."""
        if isinstance(grant, Berth):
            self.put(grant)
        elif isinstance(grant, _Permit):
            self._opening -= 1
            self._serve()

    def _serve(self) -> None:
        """Give those who wait what there is."""
        while self._queue:
            if self._queue[0].done():  # cancelled in this very moment
                self._queue.popleft()
            elif (grant := self._grant()) is not None:
                self._queue.popleft().set_result(grant)
            else:
                return

    # Opening, resting, leaving

    async def _open(self) -> Berth | Outcome:
        try:
            line = await self._open_line()
        except BaseException:
            self._opening -= 1
            self._serve()
            raise
        self._opening -= 1
        if isinstance(line, Outcome):
            self._fail(line)
            return line
        berth = Berth(line)
        self._berths.add(berth)
        self._board(berth)
        self._serve()
        return berth

    def _fail(self, failure: Outcome) -> None:
        """Where nothing is open or may yet be, a failed knock is the answer for all who wait; else they wait on."""
        if self._berths or self._opening:
            return
        while self._queue:
            if not (turn := self._queue.popleft()).done():
                turn.set_result(failure)

    def _let_rest(self, berth: Berth) -> None:
        self._idle.append(berth)
        berth.timer = asyncio.get_running_loop().call_later(self._idle_timeout, self._retire, berth)

    def _retire(self, berth: Berth) -> None:
        """Its place is free once it has left, and not before: the relay counts connections."""
        if berth.is_leaving:
            return
        berth.is_leaving = True
        if berth.timer is not None:
            berth.timer.cancel()
        if berth in self._idle:
            self._idle.remove(berth)
        farewell = asyncio.create_task(self._see_off(berth))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def _see_off(self, berth: Berth) -> None:
        try:
            await berth.line.quit()
        finally:
            self._berths.discard(berth)
            self._serve()
