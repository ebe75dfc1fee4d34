"""Many rows at once: which of thousands are there, ids set aside beforehand, rows that are copies of a few examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from dispatcher.store.engine import Transaction, table

Copy = tuple[SQLModel, Sequence[Any]]
"""An example, and what a row that is like it has for its own."""

WAL_PAGES = 10_000
"""Pages of 4 kB that SQLite writes beside its file before it moves them there; by itself it takes 1,000."""


async def present(tx: Transaction, column: sa.Column[str], values: Sequence[str], *where: Any) -> set[str]:
    """Those of these texts that stand in a column, asked for all together."""
    if not values:
        return set()
    if tx.dialect.name == "sqlite":
        listed: Any = sa.select(sa.func.json_each(json.dumps(list(values))).table_valued("value").c.value)
        query = sa.select(column).where(column.in_(listed), *where)
    else:
        query = sa.select(column).where(column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.String))), *where)
    return {row[0] for row in await tx.execute(query)}


async def reserve_ids(tx: Transaction, noun: type[SQLModel], count: int) -> Sequence[int]:
    """Ids for so many new rows, which nobody else gets before this transaction ends."""
    if tx.dialect.name == "sqlite":  # nobody else writes meanwhile
        last = (await tx.execute(sa.select(sa.func.coalesce(sa.func.max(table(noun).c.id), 0)))).scalar_one()
        return range(last + 1, last + 1 + count)
    drawn = sa.text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return [row[0] for row in await tx.execute(drawn, {"name": table(noun).name, "count": count})]


async def insert_copies(tx: Transaction, own: Sequence[str], copies: Sequence[Copy]) -> None:
    """Insert copies of examples, each with its own values in the columns that `own` names. No ids are given back.

    An example is made ready for the driver once, and so is each value that many rows share: for rows by the hundred
    thousand, SQLAlchemy's own way takes longer than the database does.
    """
    if not copies:
        return
    noun = type(copies[0][0])
    alike = [name for name in table(noun).c.keys() if name not in own and name != "id"]  # noqa: SIM118 - no mapping
    theirs, ours = _Converter(tx, noun, alike), _Converter(tx, noun, own)
    ready: dict[int, Sequence[Any]] = {}
    for example, _ in copies:
        if id(example) not in ready:
            ready[id(example)] = theirs([getattr(example, name) for name in alike])
    rows = [(*ours(values), *ready[id(example)]) for example, values in copies]
    await tx.exec_driver_sql(_statement(tx, noun, [*own, *alike]), rows)


class _Converter:
    """Makes values of certain columns what the driver takes."""

    def __init__(self, tx: Transaction, noun: type[SQLModel], columns: Sequence[str]) -> None:
        kinds = [table(noun).c[name].type.dialect_impl(tx.dialect) for name in columns]
        processors = [kind.bind_processor(tx.dialect) for kind in kinds]
        self._work = [(place, convert) for place, convert in enumerate(processors) if convert]
        self._known: dict[tuple[int, int], Any] = {}

    def __call__(self, values: Sequence[Any]) -> Sequence[Any]:
        if not self._work:
            return values
        made = list(values)
        for place, convert in self._work:
            if made[place] is not None:
                made[place] = self._converted(place, convert, made[place])
        return tuple(made)

    def _converted(self, place: int, convert: Callable[[Any], Any], value: Any) -> Any:
        key = place, id(value)  # the caller holds the value, so that no other takes its id
        if key not in self._known:
            self._known[key] = convert(value)
        return self._known[key]


def _statement(tx: Transaction, noun: type[SQLModel], columns: Sequence[str]) -> str:
    quote = tx.dialect.identifier_preparer.quote
    mark = "?" if tx.dialect.paramstyle == "qmark" else "%s"
    names, marks = ", ".join(map(quote, columns)), ", ".join([mark] * len(columns))
    return f"INSERT INTO {quote(table(noun).name)} ({names}) VALUES ({marks})"


async def gather_writes(tx: Transaction) -> None:
    """Let SQLite move what many transactions wrote into its file together: an index's pages are written over and over.

    It holds for this connection from now on.
    """
    if tx.dialect.name == "sqlite":
        await tx.execute(sa.text(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}"))
