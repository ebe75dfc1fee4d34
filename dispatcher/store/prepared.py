"""Statements that are put together once and then run for many rows: on the hot path, SQLAlchemy's own way takes longer
for each row than the database does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

Row = Mapping[str, Any]


class Prepared:
    """A statement with named parameters. What it says stays SQLAlchemy's; only the values take a shorter way."""

    def __init__(self, statement: sa.UpdateBase) -> None:
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: sa.Connection, rows: Iterable[Row]) -> None:
        """Run it for each of these rows of values, of which there must be one."""
        ready = self._ready.get(connection.dialect.name)
        if ready is None:
            ready = self._ready[connection.dialect.name] = _Ready(self._statement, connection.dialect)
        connection.exec_driver_sql(ready.text, ready.values_of(rows))


class _Ready:
    """A statement in one dialect: its text, and how each value becomes what the driver takes."""

    def __init__(self, statement: sa.UpdateBase, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=_columns_of(statement))
        self.text = str(compiled)
        self._is_positional = bool(compiled.positional)
        names = compiled.positiontup if self._is_positional else compiled.params
        self._names = list(names or ())
        self._constants = dict(compiled.params)
        binds: Mapping[str, sa.BindParameter[Any]] = compiled.binds
        self._converters = [_converter(binds[name], dialect) for name in self._names]

    def values_of(self, rows: Iterable[Row]) -> Any:
        """As the driver takes them."""
        made = [self._converted(row) for row in rows]
        return made if self._is_positional else [dict(zip(self._names, values, strict=True)) for values in made]

    def _converted(self, row: Row) -> tuple[Any, ...]:
        values = [row[name] if name in row else self._constants[name] for name in self._names]
        for place, convert in enumerate(self._converters):
            if convert is not None and values[place] is not None:
                values[place] = convert(values[place])
        return tuple(values)


def _converter(bind: sa.BindParameter[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    return bind.type.dialect_impl(dialect).bind_processor(dialect)


def _columns_of(statement: sa.UpdateBase) -> list[str] | None:
    """An INSERT is for all columns but its key; what an UPDATE sets it says itself."""
    if not isinstance(statement, sa.Insert):
        return None
    return [column.key for column in statement.table.columns if not column.primary_key]
