"""Who calls: bearer tokens (RFC 6750) with scopes. We keep a token's SHA-256 only, and never take one from a URL."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request

from dispatcher.pipeline.access import ALL, PREFIX, hashed, is_open
from dispatcher.store import access
from dispatcher.web.api.problems import ProblemError
from dispatcher.web.asking import context_of

REALM = 'Bearer realm="dispatcher"'
LONGEST = 200  # characters of a token that is worth looking at
USE_IS_NEWS = timedelta(minutes=1)  # how much older the last noted use must be for a new one to be noted


@dataclass(frozen=True, slots=True)
class Caller:
    """The program behind a request, by its token."""

    token_id: int
    name: str

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"token:{self.name}"


async def authenticate(request: Request, scope: str, now: datetime) -> Caller:
    """Whose token came with a request, if it opens this scope. ProblemError 401 or 403 if not."""
    store = context_of(request).store
    digest = hashed(_presented(request))
    async with store.read() as tx:
        token = await access.token_by_hash(tx, digest)
    if token is None or not hmac.compare_digest(token.token_hash, digest) or not is_open(token, now):
        raise _unauthorised("This token is not known, has lapsed or was revoked.", error="invalid_token")
    if not {scope, ALL} & set(token.scopes):
        raise _forbidden(scope)
    if token.used_at is None or token.used_at < now - USE_IS_NEWS:
        async with store.write() as tx:
            await access.note_use(tx, token.id or 0, now)
    return Caller(token.id or 0, token.name)


def _presented(request: Request) -> str:
    """The token of the Authorization header, and of nowhere else: URLs end up in logs."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if not given or scheme.lower() != "bearer":
        raise _unauthorised(f"Send a token: Authorization: Bearer {PREFIX}…")
    if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
        raise _unauthorised("This is no token of ours.", error="invalid_token")
    return token


def _unauthorised(detail: str, **said: str) -> ProblemError:
    return ProblemError(401, detail, headers=_challenge(said))


def _forbidden(scope: str) -> ProblemError:
    said = {"error": "insufficient_scope", "scope": scope}
    return ProblemError(403, f"This token lacks the scope {scope}.", headers=_challenge(said))


def _challenge(said: Mapping[str, str]) -> dict[str, str]:
    return {"WWW-Authenticate": ", ".join([REALM, *(f'{name}="{value}"' for name, value in said.items())])}
