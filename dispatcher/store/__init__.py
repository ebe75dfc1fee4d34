"""The only room that speaks SQL: one engine, one module per noun group, migrations."""

from __future__ import annotations

from dispatcher.store.engine import Store, Transaction

__all__ = ["Store", "Transaction"]
