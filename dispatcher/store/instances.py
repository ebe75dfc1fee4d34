"""The processes that work on a database. A process lives as long as it holds its lock: the row only names it.

On SQLite the lock is a file beside the database, on PostgreSQL an advisory lock of a connection of its own.
Both end with the process, however it ends, so that a dead one's claims can be taken back at once. The second ends with
its connection too, as when the server is restarted: `keep` takes it again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
from contextlib import suppress
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from dispatcher.model.runtime import Instance
from dispatcher.store.engine import Store, Transaction, add, add_new, many, table

INSTANCE = table(Instance)
SPACE = 0x6469_7370  # "disp": the first half of our advisory lock numbers
DAEMON = "daemon"


class Lock:
    """One instance's proof of life."""

    def __init__(self, store: Store, instance: Instance) -> None:
        self.store, self.instance = store, instance
        self._file: TextIOWrapper | None = None
        self._connection: AsyncConnection | None = None
        self._asking = asyncio.Lock()

    @property
    def instance_id(self) -> int:
        """The number of its process, which claims carry."""
        return self.instance.id or 0

    async def take(self) -> bool:
        """Try to hold the lock; False if its process is alive."""
        return self._take_file() if self.store.path else await self._take_advisory()

    async def drop(self) -> None:
        """Let the lock go."""
        if self._file is not None and self.store.path:
            with suppress(FileNotFoundError):
                lock_path(self.store.path, self.instance_id).unlink()
            self._file.close()
            self._file = None
        if self._connection is not None:
            await self._connection.invalidate()  # a connection that only went back to the pool would keep the lock
            await self._connection.close()
            self._connection = None

    async def is_held(self) -> bool:
        """Whether a lock that was taken is ours still: a file's always, an advisory one while its connection lives."""
        async with self._asking:  # a connection answers one question at a time
            if self._connection is None:
                return self._file is not None
            try:
                await self._connection.execute(sa.text("SELECT 1"))
            except sa.exc.DBAPIError:
                await self._connection.close()
                self._connection = None
            return self._connection is not None

    def _take_file(self) -> bool:
        assert self.store.path is not None
        file = lock_path(self.store.path, self.instance_id).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    async def _take_advisory(self) -> bool:
        connection = await self.store.engine.connect()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        query = sa.text("SELECT pg_try_advisory_lock(:space, :id)")
        taken = (await connection.execute(query, {"space": SPACE, "id": self.instance_id})).scalar_one()
        if taken:
            self._connection = connection
        else:
            await connection.close()
        return bool(taken)


def lock_path(database: Path, instance_id: int) -> Path:
    """The lock file of an instance on a SQLite database."""
    return database.with_name(f"{database.name}-lock-{instance_id}")


async def register(store: Store, role: str, now: datetime) -> Lock:
    """Enter this process and take its lock. The row is written only with the lock held, so none looks dead early."""
    # Never a number that was used: SQLite would give that of a process which is just removing its lock file.
    number = secrets.randbelow(2**31 - 1) + 1
    lock = Lock(store, Instance(id=number, role=role, host=socket.gethostname(), pid=os.getpid(), started_at=now))
    async with store.write() as tx:
        await add(tx, lock.instance)
        await lock.take()
    return lock


async def keep(lock: Lock) -> None:
    """Take this process's lock again if it was lost, and enter it again if it was struck out meanwhile.

    While somebody is just burying us, the lock is theirs; the next call will do.
    """
    if not await lock.is_held():
        async with lock.store.write() as tx:
            if await lock.take():
                await add_new(tx, Instance, [lock.instance.model_dump()])


async def leave(store: Store, lock: Lock) -> None:
    """Strike this process out."""
    async with store.write() as tx:
        await remove(tx, [lock.instance_id])
    await lock.drop()


async def every(tx: Transaction) -> list[Instance]:
    """All processes that have a row, dead ones included."""
    return await many(tx, Instance)


async def remove(tx: Transaction, ids: list[int]) -> None:
    """Strike processes out."""
    await tx.execute(sa.delete(INSTANCE).where(INSTANCE.c.id.in_(ids)))


async def dead(store: Store, *, but: int = 0) -> list[Lock]:
    """The processes that died without leaving, each with its lock now held by us: drop it when they are buried."""
    async with store.read() as tx:
        others = [instance for instance in await every(tx) if instance.id != but]
    locks = [Lock(store, instance) for instance in others]
    return [lock for lock in locks if await lock.take()]


async def living_daemon(store: Store) -> Instance | None:
    """A daemon that runs on this database now, or None."""
    return next(iter(await living(store, role=DAEMON)), None)


async def living(store: Store, *, role: str = "") -> list[Instance]:
    """The processes that work on this database now, perhaps of one role only."""
    async with store.read() as tx:
        entered = [instance for instance in await every(tx) if role in ("", instance.role)]
    found = []
    for instance in entered:
        lock = Lock(store, instance)
        if await lock.take():
            await lock.drop()  # nobody had it: its process is dead
        else:
            found.append(instance)
    return found
