"""Digests on their way to become mail, and the pieces that their wires are made of, each kept once.

A piece stays for as long as one wire refers to it. Who keeps a wire makes sure, in the same transaction, that all its
pieces are there, and holds on to them; who prunes takes only pieces that nobody holds on to, and then looks once more
whether a wire has begun to refer to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.model.outbound import Digest, Piece
from dispatcher.store.engine import Connection, Transaction, chunks, for_update, table

DIGEST, PIECE = table(Digest), table(Piece)


async def digests(tx: Transaction, ids: Sequence[int]) -> list[Any]:
    """What there is to know of these digests for composing them, and their wires if they are kept."""
    columns = ("id", "newsletter_id", "kind", "locale", "timezone", "cadence", "slot_at", "items", "more", "layout",
               "styles", "letter", "notice", "edition_id", "wire")  # fmt: skip
    query = sa.select(*(DIGEST.c[name] for name in columns))
    return [row for part in chunks(ids) for row in await tx.execute(query.where(DIGEST.c.id.in_(part)))]


async def bodies(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """Pieces by id."""
    query = sa.select(PIECE.c.id, PIECE.c.body)
    found: dict[int, str] = {}
    for part in chunks(sorted(set(ids))):
        found.update((row[0], row[1]) for row in await tx.execute(query.where(PIECE.c.id.in_(part))))
    return found


def standing(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Those of these pieces that are there; until this transaction ends they are not pruned."""
    query = sa.select(PIECE.c.id).with_for_update(read=True, key_share=True)
    found: set[int] = set()
    for part in chunks(sorted(ids)):
        found.update(connection.scalars(query.where(PIECE.c.id.in_(part))))
    return found


def add(connection: Connection, fresh: Mapping[str, str]) -> dict[str, int]:
    """Keep bodies by their hashes, unless they are kept already; returns their ids by hash. Not pruned meanwhile."""
    hashes = sorted(fresh)  # always in the same order, so that two who add the same wait for each other in turn
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if hashes:
        rows = [{"hash": hashed, "body": fresh[hashed]} for hashed in hashes]
        connection.execute(dialect.insert(PIECE).on_conflict_do_nothing(), rows)
    query = sa.select(PIECE.c.hash, PIECE.c.id).with_for_update(read=True, key_share=True)
    found: dict[str, int] = {}
    for part in chunks(hashes):
        found.update((row[0], row[1]) for row in connection.execute(query.where(PIECE.c.hash.in_(part))))
    return found


def keep_wires(connection: Connection, wires: Mapping[int, str]) -> dict[int, str]:
    """Keep the wires of digests. Returns those of other processes, which were quicker: they stand."""
    earlier: dict[int, str] = {}
    query = sa.select(DIGEST.c.id, DIGEST.c.wire).order_by(DIGEST.c.id).with_for_update()
    for part in chunks(sorted(wires)):
        kept = connection.execute(query.where(DIGEST.c.id.in_(part)))
        earlier.update((row[0], row[1]) for row in kept if row[1] is not None)
    if fresh := [{"digest_id": i, "wire": wire} for i, wire in wires.items() if i not in earlier]:
        change = sa.update(DIGEST).where(DIGEST.c.id == sa.bindparam("digest_id"))
        connection.execute(change.values(wire=sa.bindparam("wire")), fresh)
    return earlier


MOST_WIRES = 20_000
"""While more wires than these are kept, a large send is under way, and nobody looks through them all."""


async def prune(tx: Transaction, pieces_of: Callable[[str], Iterable[int]]) -> int:
    """Delete the pieces that no kept wire refers to. Returns how many. `pieces_of` reads a wire's numbers."""
    kept = sa.select(sa.func.count()).select_from(DIGEST).where(DIGEST.c.wire.is_not(None))
    if int((await tx.execute(kept)).scalar_one()) > MOST_WIRES:
        return 0
    used = await _used(tx, pieces_of)
    unused = [number for number in (await tx.scalars(sa.select(PIECE.c.id))) if number not in used]
    ours: set[int] = set()
    for part in chunks(unused):
        ours.update(await tx.scalars(for_update(tx, sa.select(PIECE.c.id).where(PIECE.c.id.in_(part)))))
    if ours and tx.dialect.name == "postgresql":  # a wire may have been kept between looking and locking
        ours -= await _used(tx, pieces_of)
    for part in chunks(sorted(ours)):
        await tx.execute(sa.delete(PIECE).where(PIECE.c.id.in_(part)))
    return len(ours)


async def _used(tx: Transaction, pieces_of: Callable[[str], Iterable[int]]) -> set[int]:
    used: set[int] = set()
    async for row in await tx.stream(sa.select(DIGEST.c.wire).where(DIGEST.c.wire.is_not(None))):
        used.update(pieces_of(row[0]))
    return used
