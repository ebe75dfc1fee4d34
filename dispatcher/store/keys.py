"""The database's own secrets, and the keyed hash that lets us recognise an address we may no longer know."""

from __future__ import annotations

import hashlib
import hmac

from dispatcher.errors import StoreError
from dispatcher.model.runtime import Key
from dispatcher.store.engine import Transaction, one, table


async def key(tx: Transaction, name: str) -> bytes:
    """A key by name; StoreError if this database never had one."""
    found = await one(tx, Key, table(Key).c.name == name)
    if found is None:
        raise StoreError(f"the database has lost its key {name!r}: restore it from a backup")
    return bytes.fromhex(found.value)


def address_hash(secret: bytes, address: str) -> str:
    """A keyed hash of an address, blind to case: the same person in another spelling is the same person."""
    return hmac.new(secret, address.strip().casefold().encode(), hashlib.sha256).hexdigest()[:40]
