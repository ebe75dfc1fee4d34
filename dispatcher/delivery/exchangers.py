"""Mail exchangers: which server takes a domain's mail (RFC 5321 §5.1), looked up beside the work, and remembered.

Whoever asks gets what is known by now, at once. What is not known is looked up meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dispatcher import clock
from dispatcher.delivery.selector import Server, resolver_of
from dispatcher.observability.logs import logger

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

log = logger("dns")

PATIENCE = 5.0  # seconds for one answer
AT_ONCE = 8
SHORTEST, LONGEST = 3600.0, 86_400.0
"""Seconds for which an answer is believed, whatever it says itself: an exchanger moves once in years."""

MOST = 100_000
"""Domains remembered; and asked about, while one waits for the others."""


class Exchangers:
    """The first exchanger of each domain. `learnt` is called with a domain of which something has become known."""

    def __init__(self, learnt: Callable[[str], None], server: Server | None = None) -> None:
        self._learnt, self._server = learnt, server
        self._known: dict[str, tuple[str, float]] = {}  # domain → (host or nothing, until when that is believed)
        self._wanted: dict[str, None] = {}
        self._askers: set[asyncio.Task[None]] = set()
        self._resolver: Resolver | None = None

    def of(self, domain: str) -> str:
        """The host that takes its mail, in small letters and without a dot at its end; empty while that is unknown."""
        host, until = self._known.get(domain, ("", 0.0))
        if until < time.monotonic() and len(self._wanted) < MOST:
            self._wanted[domain] = None
            if len(self._askers) < AT_ONCE:
                asker = asyncio.get_running_loop().create_task(self._ask(), name="mail exchangers")
                self._askers.add(asker)
                asker.add_done_callback(self._askers.discard)
        return host

    async def settled(self) -> None:
        """Return when everything that was asked for has been answered."""
        while self._askers:
            await asyncio.wait(self._askers)

    async def _ask(self) -> None:
        while self._wanted:
            domain = next(iter(self._wanted))
            del self._wanted[domain]
            host, lifetime = await self._look_up(domain)
            if len(self._known) >= MOST:
                self._known.clear()
            before = self._known.get(domain, ("", 0.0))[0]
            self._known[domain] = (host or before, time.monotonic() + lifetime)
            if host and host != before:
                self._learnt(domain)

    async def _look_up(self, domain: str) -> tuple[str, float]:
        """The host, if any, and for how many seconds to believe it."""
        import dns.asyncresolver
        import dns.exception

        try:
            if self._resolver is None:
                self._resolver = resolver_of(dns.asyncresolver.Resolver, self._server)
            answer = await self._resolver.resolve(f"{domain}.", "MX", lifetime=PATIENCE)
            best = min(answer, key=lambda record: int(record.preference))
        except (dns.exception.DNSException, UnicodeError, OSError) as error:
            log.debug("a mail exchanger was not found", reason=type(error).__name__)
            return "", SHORTEST
        left = answer.expiration - clock.now().timestamp()
        return str(best.exchange).rstrip(".").lower(), min(max(left, SHORTEST), LONGEST)
