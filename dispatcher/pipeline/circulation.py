"""Circulation: how far an edition has come: for how many it is, who got it, who did not, and why."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model.edition import Audience, Edition
from dispatcher.store import Transaction, editions

MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class Circulation:
    """`readers` get it, or would if it left now; `mails` counts those in the outbox by their status.

    `reasons` are the commonest words that stand with those that were not sent: status, words, how many.
    """

    readers: int
    mails: dict[str, int]
    reasons: list[tuple[str, str, int]]


async def circulation(tx: Transaction, edition: Edition) -> Circulation:
    """How far an edition has come."""
    number = edition.id or 0
    return Circulation(
        readers=await editions.count_readers(tx, edition.newsletter_id, Audience.loaded(edition.audience)),
        mails=await editions.standing(tx, number),
        reasons=await editions.reasons(tx, number, MOST_REASONS),
    )
