"""Consent: requests that wait for their confirmation, the proof of what people agreed to, and the words of it.

Proof is only ever added to. What is taken from it later is what we may no longer know: where somebody asked from, an
erased person's address, and the requests that nobody confirmed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dispatcher.model.consent import Consent, OptIn, Wording
from dispatcher.model.values import ConsentKind
from dispatcher.store.engine import Transaction, add, add_new, among, chunks, many, one, table

CONSENT, OPT_IN, WORDING = table(Consent), table(OptIn), table(Wording)
PAGE = 500  # rows that are pruned in one transaction


async def add_all(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add proof: rows of the same columns, of which kind, newsletter_id, address, address_hash and at must be there."""
    if rows:
        await tx.execute(sa.insert(CONSENT), [dict(row) for row in rows])


async def of(tx: Transaction, address_hash: str) -> list[Consent]:
    """Everything we can prove about an address, oldest first."""
    return await many(tx, Consent, CONSENT.c.address_hash == address_hash)


async def among_hashes(tx: Transaction, address_hashes: Sequence[str]) -> dict[str, list[Consent]]:
    """Everything we can prove about each of these addresses, oldest first, by their hashes."""
    found: dict[str, list[Consent]] = {}
    for consent in await among(tx, Consent, CONSENT.c.address_hash, address_hashes):
        found.setdefault(consent.address_hash, []).append(consent)
    return found


async def forget_address(tx: Transaction, address: str, address_hash: str) -> None:
    """What an erasure leaves behind: proof under a keyed hash, without the address, and no request."""
    blank = {"address": "", "ip": "", "user_agent": ""}
    await tx.execute(sa.update(CONSENT).where(CONSENT.c.address_hash == address_hash).values(**blank))
    await tx.execute(sa.delete(OPT_IN).where(OPT_IN.c.address == address))


async def forget_requests(tx: Transaction, subscriber_id: int) -> None:
    """Forget the new addresses that a person asked for, confirmed or not; the proof of it loses its address."""
    blank = {"address": "", "ip": "", "user_agent": ""}
    theirs = sa.select(OPT_IN.c.id).where(OPT_IN.c.subscriber_id == subscriber_id)
    await tx.execute(sa.update(CONSENT).where(CONSENT.c.opt_in_id.in_(theirs)).values(**blank))
    await tx.execute(sa.delete(OPT_IN).where(OPT_IN.c.subscriber_id == subscriber_id))


async def keep_wording(tx: Transaction, text: str, now: datetime) -> str:
    """Keep the words that somebody agreed to, once; returns their digest, by which a proof names them."""
    digest = wording_digest(text)
    await add_new(tx, Wording, [{"digest": digest, "text": text, "since": now}])
    return digest


def wording_digest(text: str) -> str:
    """The SHA-256 of words."""
    return hashlib.sha256(text.encode()).hexdigest()


async def wordings(tx: Transaction, digests: Sequence[str]) -> dict[str, str]:
    """The words behind digests."""
    return {row.digest: row.text for row in await among(tx, Wording, WORDING.c.digest, digests)}


async def ask(tx: Transaction, opt_in: OptIn) -> int:
    """Keep a request until it is confirmed or forgotten."""
    return await add(tx, opt_in)


async def opt_in(tx: Transaction, opt_in_id: int) -> OptIn | None:
    """A request, unless it has been forgotten."""
    return await one(tx, OptIn, OPT_IN.c.id == opt_in_id)


async def mark_confirmed(tx: Transaction, opt_in_id: int, now: datetime) -> bool:
    """Note that a request was confirmed; False if it had been before."""
    where = (OPT_IN.c.id == opt_in_id) & OPT_IN.c.confirmed_at.is_(None)
    return bool((await tx.execute(sa.update(OPT_IN).where(where).values(confirmed_at=now))).rowcount)


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much was asked for lately: what the limits of `pipeline.limits` are held against."""

    network_hour: int
    mailed_hour: int
    domain_hour: int
    mailbox_hour: int
    mailbox_day: int
    mailbox_month: int


async def pressure(tx: Transaction, mailbox_hash: str, network: str, domain: str, now: datetime) -> Pressure:
    """Requests of this network, and mails to everybody, to unconfirmed addresses of this domain and to this mailbox.

    The mailbox's month counts unconfirmed requests only. `domain` stands for its subdomains too; "" counts none.
    """
    hour, day, month = now - timedelta(hours=1), now - timedelta(days=1), now - timedelta(days=30)
    lately = (OPT_IN.c.requested_at > hour) & OPT_IN.c.mailed_at.is_not(None)
    unconfirmed = OPT_IN.c.confirmed_at.is_(None)
    at_domain = (OPT_IN.c.address.endswith(f"{mark}{domain}", autoescape=True) for mark in "@.")
    mailbox = (OPT_IN.c.mailbox_hash == mailbox_hash) & OPT_IN.c.mailed_at.is_not(None)
    counts = {
        "network_hour": (OPT_IN.c.network == network) & (OPT_IN.c.requested_at > hour),
        "mailed_hour": lately,
        "domain_hour": lately & unconfirmed & sa.or_(*at_domain) if domain else sa.false(),
        "mailbox_hour": mailbox & (OPT_IN.c.requested_at > hour),
        "mailbox_day": mailbox & (OPT_IN.c.requested_at > day),
        "mailbox_month": mailbox & (OPT_IN.c.requested_at > month) & unconfirmed,
    }
    asked = [_counted(where).label(name) for name, where in counts.items()]
    return Pressure(**(await tx.execute(sa.select(*asked))).one()._mapping)


def _counted(where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(OPT_IN).where(where).scalar_subquery()


async def prune(tx: Transaction, *, unconfirmed_before: datetime, silent_before: datetime) -> list[int]:
    """Forget requests that nobody confirmed, with the proof that they were made. Returns their ids.

    `silent_before`: the requests that were not answered by any mail, which serve nothing but the limits.
    """
    unanswered = (OPT_IN.c.address == "") & OPT_IN.c.mailed_at.is_(None) & (OPT_IN.c.requested_at < silent_before)
    old = OPT_IN.c.confirmed_at.is_(None) & ((OPT_IN.c.requested_at < unconfirmed_before) | unanswered)
    ids = [row[0] for row in await tx.execute(sa.select(OPT_IN.c.id).where(old).limit(PAGE))]
    for part in chunks(ids):
        asked = CONSENT.c.opt_in_id.in_(part) & (CONSENT.c.kind == ConsentKind.REQUESTED)
        await tx.execute(sa.delete(CONSENT).where(asked))
        await tx.execute(sa.delete(OPT_IN).where(OPT_IN.c.id.in_(part)))
    return ids


async def cut_networks(tx: Transaction, before: datetime, network_of: Callable[[str], str]) -> int:
    """Cut the addresses that proof older than this was given from to their networks. Returns how many were cut."""
    whole = (CONSENT.c.ip != "") & ~CONSENT.c.ip.contains("/") & (CONSENT.c.at < before)
    change = sa.update(CONSENT).where(CONSENT.c.id == sa.bindparam("consent_id")).values(ip=sa.bindparam("network"))
    rows = await many(tx, Consent, whole, limit=PAGE)
    if rows:
        await tx.execute(change, [{"consent_id": row.id, "network": network_of(row.ip)} for row in rows])
    return len(rows)
