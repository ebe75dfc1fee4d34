"""Which relays a message may take, in which order: rules first, then priority, then weight. Pure.

    those whose rules fit ▷ those without rules        within each: by priority        within each: drawn by weight

The draw is made by the recipient's address, not by chance: whoever asks twice hears the same; a reader's mail comes
from one relay as long as that works, as greylisting wants it; and when it does not, only its own share moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

import idna

MOST_REMEMBERED = 10_000
"""Answers kept for pairs of sender and domain."""

Ties = tuple[tuple[int, ...], ...]
"""The relays that a message may take, the best first; those in one group come by weight."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Which mail a relay is for, and how much of it.

    The lower `priority` goes first; relays of one priority share by `weight`. `only_to` are domains of recipients,
    `only_from` domains or addresses of envelope senders; "*.news.example" is every domain below that one. All in lower
    case, domains in ASCII. A relay with rules takes no other mail.
    """

    priority: int = 1
    weight: int = 1
    only_to: tuple[str, ...] = ()
    only_from: tuple[str, ...] = ()

    @property
    def has_rules(self) -> bool:
        """Whether it is for some mail only."""
        return bool(self.only_to or self.only_from)


class Routing:
    """The duties of all relays, as something that can be asked quickly. Relays are numbered as they were given."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._weights = [duty.weight for duty in duties]
        self._ranked = sorted(range(len(duties)), key=lambda n: (not duties[n].has_rules, duties[n].priority))
        self._duties = duties
        self._asks_domain = any(duty.only_to for duty in duties)
        self._asks_sender = any(duty.only_from for duty in duties)
        self._known: dict[tuple[str, str], Ties] = {}

    def order(self, envelope_from: str, recipient: str) -> Sequence[int]:
        """The relays that a message may take, the first choice first; empty if it is for none of them."""
        sender = _sender(envelope_from) if self._asks_sender else ""
        domain = _domain(recipient) if self._asks_domain else ""
        ties = self._known.get((sender, domain))
        if ties is None:
            ties = self._remember(sender, domain)
        if len(ties) == 1:
            return ties[0] if len(ties[0]) == 1 else draw(ties[0], self._weights, position(recipient))
        lot = position(recipient)
        return [relay for tie in ties for relay in (tie if len(tie) == 1 else draw(tie, self._weights, lot))]

    def _remember(self, sender: str, domain: str) -> Ties:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        suitable = [n for n in self._ranked if _fits(self._duties[n], sender, domain)]
        groups = groupby(suitable, key=lambda n: (self._duties[n].has_rules, self._duties[n].priority))
        ties = self._known[sender, domain] = tuple(tuple(group) for _, group in groups)
        return ties


def draw(relays: Sequence[int], weights: Sequence[int], lot: float) -> list[int]:
    """All of these relays, each coming first for its share of the lots, which are in [0, 1).

    Where in a relay's share a lot has fallen is a lot again, and draws the next: a share that moves, moves by weight.
    """
    left, total, drawn = list(relays), sum(map(weights.__getitem__, relays)), []
    while len(left) > 1:
        at, chosen = lot * total, 0
        while chosen < len(left) - 1 and at >= weights[left[chosen]]:
            at -= weights[left[chosen]]
            chosen += 1
        weight = weights[left[chosen]]
        lot = min(at / weight, 1.0)
        total -= weight
        drawn.append(left.pop(chosen))
    return drawn + left


def position(address: str) -> float:
    """Where an address stands between 0 and 1: anywhere, but always there."""
    octets = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(octets, "big") / (1 << 48)


def _fits(duty: Duty, sender: str, domain: str) -> bool:
    return (not duty.only_to or _is_among(domain, duty.only_to)) and (
        not duty.only_from or sender in duty.only_from or _is_among(sender.rpartition("@")[2], duty.only_from)
    )


def _is_among(domain: str, patterns: Sequence[str]) -> bool:
    return any(domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:])) for pattern in patterns)


def _domain(address: str) -> str:
    """In lower case and ASCII (RFC 5890); what no name server would know stays as it is."""
    domain = address.rpartition("@")[2].lower()
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def _sender(address: str) -> str:
    """Without what follows a "+": there a return address says whom the message was for (VERP)."""
    local = address.rpartition("@")[0].partition("+")[0].lower()
    return f"{local}@{_domain(address)}"
