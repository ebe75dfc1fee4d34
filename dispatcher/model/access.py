"""Who may come in: operators and their visits, programs and their tokens, and the log of what they changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, words
from dispatcher.model.values import Role


class Operator(SQLModel, table=True):
    """A person who may use the admin pages. `password` is a salted scrypt hash, or empty: one-time links only."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: Role = words(Role)
    password: str = ""
    is_active: bool = True
    created_at: datetime = instant()


class Visit(SQLModel, table=True):
    """An operator's signed-in browser. `token_hash` is the SHA-256 of its cookie, which we do not keep."""

    id: int | None = Field(default=None, primary_key=True)
    operator_id: int = Field(foreign_key="operator.id", index=True)
    token_hash: str = Field(unique=True)
    ip: str = ""
    user_agent: str = ""
    created_at: datetime = instant()
    seen_at: datetime = instant()
    expires_at: datetime = instant(index=True)


class ApiToken(SQLModel, table=True):
    """A program's key to the API: its SHA-256, and the scopes it opens, such as `articles:write`."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    token_hash: str = Field(unique=True)
    scopes: list[str] = json(list)
    created_at: datetime = instant()
    used_at: datetime | None = instant(nullable=True)
    expires_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)


class Answer(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered, so that its repeat gets the same and does nothing.

    `request_hash` is of method, path and body. `status` 0 means that the first one is still being worked on.
    """

    __table_args__ = (sa.UniqueConstraint("token_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    token_id: int = Field(foreign_key="apitoken.id")
    key: str
    request_hash: str
    status: int = 0
    body: str = ""
    created_at: datetime = instant(index=True)


class Spent(SQLModel, table=True):
    """A signed token that works once and has been used, by its SHA-256, until it would have lapsed anyway."""

    digest: str = Field(primary_key=True)
    expires_at: datetime = instant(index=True)


class Audit(SQLModel, table=True):
    """Who changed what: `actor` ("operator:ann", "token:shop", "cli"), the action, its subject. Only ever added to."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = instant(index=True)
    actor: str
    action: str
    subject: str = ""
    detail: dict[str, Any] = json(dict)
    ip: str = ""
