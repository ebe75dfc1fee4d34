"""Who changed what: one line in the audit log, written in the transaction of the change itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dispatcher.store import audits
from dispatcher.store.engine import Transaction

LONGEST = 500
"""Characters of a detail's text that the log keeps: hostile input must not fill it."""


async def note(
    tx: Transaction, actor: str, action: str, subject: str, now: datetime, *, ip: str = "", **detail: Any
) -> int:
    """Say who did what to what; returns the line's number. If the change is rolled back, so is its line.

    `actor` is "operator:NAME", "token:NAME", "cli" or "reader"; `action` a word or two such as "pause source";
    `subject` what it was done to, by name or number. `detail` is plain values; no secret belongs there.
    """
    plain = {key: _plain(value) for key, value in detail.items()}
    return await audits.append(tx, now, actor, action, subject[:LONGEST], detail=plain, ip=ip)


def _plain(value: Any) -> Any:
    """What JSON can hold, and no more of it than a log needs."""
    match value:
        case bool() | int() | float() | None:
            return value
        case list() | tuple():
            return [_plain(one) for one in value[:100]]
        case datetime():
            return value.isoformat()
        case _:
            return str(value)[:LONGEST]
