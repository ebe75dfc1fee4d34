"""Idempotency keys: a request that is sent twice acts once, and is answered twice the same.

    claim the key ▷ [ do it · keep the answer ]     one transaction: no answer without the deed, nor the other way

A process that dies in between leaves a claim that lapses after a minute; whoever comes later takes it over, and the
first one, if it lives after all, finds that the claim is no longer its own and undoes what it did.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from starlette.requests import Request

from dispatcher.store import Store, Transaction, access
from dispatcher.web.api.problems import ProblemError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
AGAIN = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered, before it is an HTTP response: the status and a JSON document."""

    status: int
    body: str = ""
    is_replayed: bool = False

    @property
    def location(self) -> str:
        """The last part of the address of what was created: its slug, or else its number."""
        created = json.loads(self.body)
        return str(created.get("slug") or created["id"])


Work = Callable[[Transaction], Awaitable[Reply]]
First = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Claim:
    """One request with an Idempotency-Key: whose, and what it asks for."""

    token_id: int
    key: str
    request_hash: str
    at: datetime


async def claim_of(request: Request, token_id: int, key: str, now: datetime) -> Claim:
    """The claim of a request: its method, its address and its body are what makes it the same."""
    about = f"{request.method}\n{request.url.path}\n{request.url.query}\n".encode()
    return Claim(token_id, key, sha256(about + await request.body()).hexdigest(), now)


async def nothing_first() -> None:
    """For work that needs nothing to be done before its transaction."""


async def once(store: Store, claim: Claim, work: Work, first: First = nothing_first) -> Reply:
    """Do the work, or answer what its first time was answered. `first` comes before, outside the work's transaction.

    ProblemError 409 while the first one is at it, 422 if the key was used for something else. Work that raises did
    nothing, and its key is free again.
    """
    async with store.write() as tx:
        found = await access.claim_answer(tx, claim.token_id, claim.key, claim.request_hash, claim.at)
    if found is not None:
        if found.request_hash != claim.request_hash:
            raise ProblemError(422, f"This {HEADER} was used for another request; use a new one.")
        if found.status == 0:
            raise ProblemError(409, "The same request is still being worked on; ask again.", headers=AGAIN)
        return Reply(found.status, found.body, is_replayed=True)
    try:
        await first()
        return await _do(store, claim, work)
    except BaseException:
        async with store.write() as tx:
            await access.drop_answer(tx, claim.token_id, claim.key, claim.at)
        raise


async def _do(store: Store, claim: Claim, work: Work) -> Reply:
    async with store.write() as tx:
        reply = await work(tx)
        is_ours = await access.finish_answer(
            tx, claim.token_id, claim.key, claim.at, status=reply.status, body=reply.body
        )
        if not is_ours:
            raise ProblemError(409, "Another process has taken this request over; ask again.", headers=AGAIN)
    return reply
