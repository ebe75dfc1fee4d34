"""Programs that may come in: their tokens, the answers kept for repeats, and links that work only once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from dispatcher.model.access import Answer, ApiToken, Spent
from dispatcher.store.engine import Transaction, add, add_new, many, one, table

TOKEN, ANSWER, SPENT = table(ApiToken), table(Answer), table(Spent)

KEPT = timedelta(hours=24)  # how long an answer stands for the repeats of its request
PATIENCE = timedelta(seconds=60)  # after which a request that is still being worked on has died with its process


async def add_token(tx: Transaction, token: ApiToken) -> int:
    """Store a new token."""
    return await add(tx, token)


async def tokens(tx: Transaction) -> list[ApiToken]:
    """All tokens by name, the revoked and lapsed ones too."""
    return await many(tx, ApiToken, order=TOKEN.c.name)


async def token_by_name(tx: Transaction, name: str) -> ApiToken | None:
    """One token, or None."""
    return await one(tx, ApiToken, TOKEN.c.name == name)


async def token_by_hash(tx: Transaction, token_hash: str) -> ApiToken | None:
    """The token with this SHA-256, or None."""
    return await one(tx, ApiToken, TOKEN.c.token_hash == token_hash)


async def note_use(tx: Transaction, token_id: int, now: datetime) -> None:
    """Note when a token was last used."""
    await tx.execute(sa.update(TOKEN).where(TOKEN.c.id == token_id).values(used_at=now))


async def revoke(tx: Transaction, token_id: int, now: datetime) -> bool:
    """Close a token for ever; False if it was closed already."""
    open_still = (TOKEN.c.id == token_id) & TOKEN.c.revoked_at.is_(None)
    return bool((await tx.execute(sa.update(TOKEN).where(open_still).values(revoked_at=now))).rowcount)


async def claim_answer(tx: Transaction, token_id: int, key: str, request_hash: str, now: datetime) -> Answer | None:
    """Take a request with an Idempotency-Key on; None if it is ours now, else the answer that is there already.

    An answer too old to count, and a request whose process died over it, make room.
    """
    same = (ANSWER.c.token_id == token_id) & (ANSWER.c.key == key)
    abandoned = (ANSWER.c.status == 0) & (ANSWER.c.created_at < now - PATIENCE)
    await tx.execute(sa.delete(ANSWER).where(same & (abandoned | (ANSWER.c.created_at < now - KEPT))))
    row = {"token_id": token_id, "key": key, "request_hash": request_hash, "status": 0, "body": "", "created_at": now}
    return None if await add_new(tx, Answer, [row]) else await one(tx, Answer, same)


async def finish_answer(
    tx: Transaction, token_id: int, key: str, claimed_at: datetime, *, status: int, body: str
) -> bool:
    """Write the answer of a request claimed at an instant; False if it is no longer ours: then nothing may be done."""
    ours = (ANSWER.c.token_id == token_id) & (ANSWER.c.key == key) & (ANSWER.c.created_at == claimed_at)
    done = sa.update(ANSWER).where(ours & (ANSWER.c.status == 0)).values(status=status, body=body)
    return bool((await tx.execute(done)).rowcount)


async def drop_answer(tx: Transaction, token_id: int, key: str, claimed_at: datetime) -> None:
    """Give a claimed request up: it did nothing, and its repeat may try again."""
    ours = (ANSWER.c.token_id == token_id) & (ANSWER.c.key == key) & (ANSWER.c.created_at == claimed_at)
    await tx.execute(sa.delete(ANSWER).where(ours & (ANSWER.c.status == 0)))


async def spend(tx: Transaction, digest: str, expires_at: datetime) -> bool:
    """Use up a signed token that works once; False if it was used before."""
    return bool(await add_new(tx, Spent, [{"digest": digest, "expires_at": expires_at}]))


async def is_spent(tx: Transaction, digest: str) -> bool:
    """Whether a signed token that works once has been used."""
    return (await tx.execute(sa.select(SPENT.c.digest).where(SPENT.c.digest == digest))).first() is not None


async def prune(tx: Transaction, now: datetime) -> int:
    """Forget answers that no repeat gets any more, and used tokens that have lapsed. Returns how many rows."""
    stale: Sequence[sa.Delete] = (
        sa.delete(ANSWER).where(ANSWER.c.created_at < now - KEPT),
        sa.delete(SPENT).where(SPENT.c.expires_at < now),
    )
    return sum([int((await tx.execute(statement)).rowcount) for statement in stale])
