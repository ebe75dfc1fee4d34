"""Tokens of programs: made once, shown once, kept as a hash, and good for the scopes they were made with."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from dispatcher.config.nearest import did_you_mean
from dispatcher.config.texts import slug
from dispatcher.errors import DispatcherError
from dispatcher.model.access import ApiToken
from dispatcher.pipeline import audit
from dispatcher.store import Transaction, access

PREFIX = "dsp_"
ALL = "*"
SCOPES = (
    "articles:read", "articles:write", "topics:read", "topics:write", "subscribers:read", "subscribers:write",
    "deliveries:read", "deliveries:write", "digests:read", "editions:read", "editions:write", "status:read",
)  # fmt: skip
_OCTETS = 32  # of chance in a token


class AccessError(DispatcherError):
    """A token cannot be made or revoked so."""


async def issue(
    tx: Transaction, name: str, scopes: Sequence[str], now: datetime, *, actor: str, expires_at: datetime | None = None
) -> str:
    """Make a token and return it: this is the only time that anybody sees it. AccessError if it cannot be made so."""
    try:
        slug(name)
    except ValueError as error:
        raise AccessError(f"a token's name: {error}") from None
    chosen = _checked(scopes)
    if await access.token_by_name(tx, name) is not None:
        raise AccessError(f"there is, or was, a token {name!r}; choose another name, so that the log stays clear")
    token = PREFIX + secrets.token_urlsafe(_OCTETS)
    row = ApiToken(name=name, token_hash=hashed(token), scopes=chosen, created_at=now, expires_at=expires_at)
    await access.add_token(tx, row)
    await audit.note(tx, actor, "add token", name, now, scopes=chosen, expires_at=expires_at)
    return token


async def revoke(tx: Transaction, name: str, now: datetime, *, actor: str) -> None:
    """Close a token for ever, effective when this transaction commits. AccessError if there is none open."""
    found = await access.token_by_name(tx, name)
    if found is None:
        raise AccessError(f"there is no token {name!r}; `dispatcher tokens list` shows them")
    if not await access.revoke(tx, found.id or 0, now):
        raise AccessError(f"the token {name!r} was revoked already")
    await audit.note(tx, actor, "revoke token", name, now)


def hashed(token: str) -> str:
    """What we keep of a token: its SHA-256. A token is chance itself, so salt and slowness would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_open(token: ApiToken, now: datetime) -> bool:
    """Whether a token opens anything at all just now."""
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def standing(token: ApiToken, now: datetime) -> str:
    """In a word: "open", "revoked" or "lapsed"."""
    return "revoked" if token.revoked_at else "open" if is_open(token, now) else "lapsed"


def _checked(scopes: Sequence[str]) -> list[str]:
    if not scopes:
        raise AccessError(f"a token needs a scope; there are {', '.join(SCOPES)}, and {ALL!r} for all of them")
    for scope in scopes:
        if scope not in (*SCOPES, ALL):
            known = did_you_mean(scope, SCOPES, f"there are {', '.join(SCOPES)}, and {ALL!r} for all of them")
            raise AccessError(f"{scope!r} is no scope{known}")
    return [ALL] if ALL in scopes else [scope for scope in SCOPES if scope in scopes]
