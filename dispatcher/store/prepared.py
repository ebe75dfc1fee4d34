"""Statements that are put together once and then run for many rows: on the hot path, SQLAlchemy's own way takes longer
for each row than the database does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

Row = Mapping[str, Any]


class Prepared:
    """A statement with named parameters. What it says stays SQLAlchemy's; only the values take a shorter way."""

    def __init__(self, statement: sa.UpdateBase | sa.Select[Any]) -> None:
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: sa.Connection, rows: Iterable[Row]) -> None:
        """Run it for each of these rows of values, of which there must be one."""
        ready = self._in(connection.dialect)
        connection.exec_driver_sql(ready.text, ready.values_of(rows))

    def ask(self, connection: sa.Connection, row: Row) -> Sequence[Any]:
        """What it finds, as the driver gives it: numbers and texts are what they are, instants and JSON are not."""
        ready = self._in(connection.dialect)
        return connection.exec_driver_sql(ready.text, ready.values_of([row])[0]).all()

    def _in(self, dialect: sa.Dialect) -> _Ready:
        ready = self._ready.get(dialect.name)
        if ready is None:
            ready = self._ready[dialect.name] = _Ready(self._statement, dialect)
        return ready


class is_one_of(sa.ColumnElement[bool]):  # noqa: N801 - it reads as an operator
    """Whether a column is one of the numbers in the parameter `ids`: the same words for any number of them."""

    inherit_cache = True
    type = sa.Boolean()
    _is_implicitly_boolean = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as its base declares it

    def __init__(self, column: sa.Column[Any]) -> None:
        self.column = column


@compiles(is_one_of, "sqlite")
def _among_in_json(element: is_one_of, compiler: Any, **how: Any) -> str:
    ids = sa.bindparam("ids", type_=_Numbers())  # it has no arrays
    return f"{compiler.process(element.column, **how)} IN (SELECT value FROM json_each({compiler.process(ids, **how)}))"


@compiles(is_one_of, "postgresql")
def _among_in_array(element: is_one_of, compiler: Any, **how: Any) -> str:
    ids = sa.bindparam("ids", type_=postgresql.ARRAY(sa.BigInteger))
    return f"{compiler.process(element.column, **how)} = ANY ({compiler.process(ids, **how)})"


class _Numbers(sa.types.TypeDecorator[Sequence[int]]):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        return json.dumps(list(value))


class _Ready:
    """A statement in one dialect: its text, and how each value becomes what the driver takes."""

    def __init__(self, statement: sa.UpdateBase | sa.Select[Any], dialect: sa.Dialect) -> None:
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


def _columns_of(statement: sa.UpdateBase | sa.Select[Any]) -> list[str] | None:
    """An INSERT is for all columns but its key; what an UPDATE sets it says itself."""
    if not isinstance(statement, sa.Insert):
        return None
    return [column.key for column in statement.table.columns if not column.primary_key]
