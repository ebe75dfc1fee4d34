"""How our values become columns: aware UTC instants, words, JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC instant. A naive one is refused: it would be somebody's local time, and nobody knows whose."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive instants; SQLite stores UTC without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive instant reached the database: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """The same, in one step where SQLite gives its text: rows that are claimed have half a dozen of them."""
        return _aware if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _aware(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def word(kind: type[StrEnum]) -> sa.Enum:
    """A StrEnum as a short string: readable in any database tool, no native enum type to migrate."""
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda k: [m.value for m in k],
    )


def instant(*, index: bool = False, nullable: bool = False, default: Any = ...) -> Any:
    """A column of aware UTC instants."""
    if nullable:
        return Field(default=None, sa_type=UtcDateTime, index=index, nullable=True)
    return Field(default=default, sa_type=UtcDateTime, index=index, nullable=False)


def words(kind: type[StrEnum], default: Any = ..., *, index: bool = False, nullable: bool = False) -> Any:
    """A column that holds one word of an enumeration."""
    return Field(default=None if nullable else default, sa_type=word(kind), index=index, nullable=nullable)


def later() -> Any:
    """An empty text column that came with a later revision: the database's own default spares old rows a rewrite."""
    return Field(default="", sa_column_kwargs={"server_default": sa.text("''")})


def json(default_factory: Any) -> Any:
    """A column of plain JSON; changes are written by assigning a new value."""
    return Field(default_factory=default_factory, sa_type=sa.JSON, nullable=False)


def json_later(default_factory: Any = dict) -> Any:
    """An empty JSON object (or, with `list`, an empty list), in a column that came with a later revision."""
    empty = {"server_default": sa.text("'[]'" if default_factory is list else "'{}'")}
    return Field(default_factory=default_factory, sa_type=sa.JSON, nullable=False, sa_column_kwargs=empty)
