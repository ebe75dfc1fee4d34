"""The only room that speaks SQL: one engine, one module per noun group, migrations."""

from __future__ import annotations

from dispatcher.store.engine import Connection, Store, Transaction

__all__ = ["Connection", "Store", "Transaction"]
