"""The database's own secrets, and the keyed hash that lets us recognise an address we may no longer know."""

from __future__ import annotations

import hmac
from datetime import datetime

from dispatcher.errors import StoreError
from dispatcher.model.runtime import Key
from dispatcher.store.engine import Transaction, add_new, many, one, table

_LINK = "link:"


async def key(tx: Transaction, name: str) -> bytes:
    """A key by name; StoreError if this database never had one."""
    found = await one(tx, Key, table(Key).c.name == name)
    if found is None:
        raise StoreError(f"the database has lost its key {name!r}: restore it from a backup")
    return bytes.fromhex(found.value)


async def link_keys(tx: Transaction) -> dict[str, bytes]:
    """The keys that links have ever been signed with, by their ids, oldest first."""
    named = table(Key).c.name.startswith(_LINK)
    rows = await many(tx, Key, named, order=table(Key).c.created_at)
    return {row.name.removeprefix(_LINK): bytes.fromhex(row.value) for row in rows}


async def keep_link_key(tx: Transaction, key_id: str, secret: bytes, now: datetime) -> None:
    """Keep a key for links, for ever: what it signed must stay good."""
    await add_new(tx, Key, [{"name": f"{_LINK}{key_id}", "value": secret.hex(), "created_at": now}])


def address_hash(secret: bytes, address: str) -> str:
    """A keyed hash of an address, blind to case: the same person in another spelling is the same person."""
    return hmac.digest(secret, address.strip().casefold().encode(), "sha256").hex()[:40]
