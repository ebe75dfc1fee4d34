"""What the running service keeps for itself: its processes, its counters and its keys."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant


class Instance(SQLModel, table=True):
    """One process that works on this database. It lives as long as it holds its lock, not as long as its row."""

    id: int | None = Field(default=None, primary_key=True)
    role: str
    host: str
    pid: int
    started_at: datetime = instant()


class Counter(SQLModel, table=True):
    """A named number. Raising one locks its row until commit, which is what makes releases follow commit order."""

    name: str = Field(primary_key=True)
    value: int = 0


class Key(SQLModel, table=True):
    """A secret that belongs to the database and its backups, such as the one that hashes suppressed addresses."""

    name: str = Field(primary_key=True)
    value: str
    created_at: datetime = instant()


class TemplateFault(SQLModel, table=True):
    """A template of the operator's that cannot be used, by its name, and what the owner was told of it.

    It is one as long as their templates are as `written`: whatever they change, all are tried again.
    """

    name: str = Field(primary_key=True)
    written: str
    reason: str
    since: datetime = instant()
