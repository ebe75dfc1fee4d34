"""Ways: which limits the mail to somebody has to pass, by the settings and by what was learnt.

    recipient ─▶ domain ─▶ provider ─┐
                                     ├─▶ way: meters (rates that all processes share) and slots (mails at the same time)
    transport ─▶ relay ──────────────┘

A scope is what a limit is about: "all", "relay:NAME", "to:gmail". A meter is one of its rates: "all/min",
"to:gmail/slow".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dispatcher.config import Settings, rates
from dispatcher.config.sending import RelaySettings
from dispatcher.delivery.exchangers import Exchangers
from dispatcher.model import providers
from dispatcher.model.rates import Rate
from dispatcher.outbox import warmup
from dispatcher.outbox.slowdown import Slowdown

if TYPE_CHECKING:
    from dispatcher.pipeline.context import Context

ALL = "all"
EACH = "to:*"
RELAY = "relay:"
SLOW, WARM_UP = "slow", "warm-up"
MOST_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class Way:
    """The limits that one message passes. Complaints may be about `relay` or `to`; `slots` are names and how many.

    `bench` is the slot's name, among them, that those of one destination wait for; empty without one.
    """

    relay: str
    to: str
    meters: tuple[str, ...]
    slots: tuple[tuple[str, int], ...]
    bench: str = ""

    @property
    def gates(self) -> tuple[str, ...]:
        """What a delivery has to pass before it may wait here at all."""
        return (*self.meters, self.bench) if self.bench else self.meters


class Limits:
    """What the settings limit on a day, and which scopes were slowed down. `are_none`: nothing at all is limited."""

    def __init__(self, settings: Settings, today: date, slowed: Mapping[str, Slowdown]) -> None:
        self._slowed = slowed
        self._has_one_relay = len(settings.smtp) == 1
        self._rates = {
            ALL: rates.parse(settings.send.rate),
            **{relay_scope(entry.name or f"{entry.host}:{entry.port}"): _of(entry, today) for entry in settings.smtp},
            **{f"to:{entry.to}": rates.parse(entry.rate) for entry in settings.limits},
        }
        self._at_once = {ALL: settings.send.concurrency}
        self._at_once |= {f"to:{entry.to}": entry.concurrency for entry in settings.limits}
        self.are_none = not (slowed or any(self._rates.values()) or any(self._at_once.values()))

    @property
    def concern_relays(self) -> bool:
        """Whether it matters by which relay a message leaves."""
        limited = (*(scope for scope, of in self._rates.items() if of), *self._slowed)
        return any(name.startswith(RELAY) for name in limited)

    @property
    def of_all_mail(self) -> list[str]:
        """The meters that every message passes, wherever it goes."""
        scopes = [scope for scope in self._rates if scope == ALL or (self._has_one_relay and scope.startswith(RELAY))]
        return self._meters(scopes)

    def destination(self, domain: str, provider: str | None) -> str:
        """The scope of mail to a domain: the domain itself if it has a limit of its own, else its provider."""
        return f"to:{domain if provider is None or f'to:{domain}' in self._rates else provider}"

    def way(self, relay: str, to: str) -> Way:
        """The way over the relay of this scope to a destination."""
        meters = self._meters((ALL, relay, to))
        at_once = {ALL: self._at_once[ALL], to: self._at_once.get(to, self._at_once.get(EACH, 0))}
        slots = tuple((scope, self._fewer(scope, most)) for scope, most in at_once.items() if most)
        return Way(relay, to, tuple(meters), slots, to if at_once[to] else "")

    def rate(self, meter: str) -> Rate:
        """The rate of a meter that stands in a way."""
        scope, _, unit = meter.rpartition("/")
        return self._slowed[scope].rate if unit == SLOW else self._of(scope)[unit]

    def _meters(self, scopes: Sequence[str]) -> list[str]:
        slow = [slow_meter(scope) for scope in scopes if scope in self._slowed]
        return [f"{scope}/{unit}" for scope in scopes for unit in self._of(scope)] + slow

    def _of(self, scope: str) -> Mapping[str, Rate]:
        return self._rates.get(scope, self._rates.get(EACH, {}) if scope.startswith("to:") else {})

    def _fewer(self, scope: str, most: int) -> int:
        return max(int(most * self._slowed[scope].part), 1) if scope in self._slowed else most


class Ways:
    """The way to each recipient, under the limits of the moment."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[tuple[str, str], Way] = {}
        self.exchangers = Exchangers(self._forget)

    def apply(self, limits: Limits) -> None:
        """From now on these hold."""
        self._limits, self._settings = limits, self._ctx.settings
        self._has_relays = limits.concern_relays
        self._known.clear()

    def to(self, recipient: str, newsletter_id: int) -> Way:
        """The way of a newsletter's mail to somebody, over the relay that would take it now."""
        label = ""
        if self._has_relays:
            label = self._ctx.transport.route(self._ctx.addresses(newsletter_id).envelope_from, recipient)
        domain = providers.domain_of(recipient)
        way = self._known.get((label, domain))
        if way is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            way = self._known[label, domain] = self._limits.way(relay_scope(label), self._destination(domain))
        return way

    def destination(self, recipient: str) -> str:
        """The scope of where somebody's mail goes."""
        return self._destination(providers.domain_of(recipient))

    def _destination(self, domain: str) -> str:
        provider = providers.BY_DOMAIN.get(domain)
        if provider is None and self._settings.send.look_up_mx:
            provider = providers.by_exchanger(self.exchangers.of(domain))
        return self._limits.destination(domain, provider)

    def _forget(self, domain: str) -> None:
        for known in [known for known in self._known if known[1] == domain]:
            del self._known[known]


def relay_scope(label: str) -> str:
    """The scope of a relay, by the label that outcomes carry."""
    return f"{RELAY}{label}"


def slow_meter(scope: str) -> str:
    """The meter of what a scope was slowed down to."""
    return f"{scope}/{SLOW}"


def _of(entry: RelaySettings, today: date) -> dict[str, Rate]:
    found = rates.parse(entry.rate)
    warming = (
        warmup.most_a_day(date.fromisoformat(entry.warm_up), today, entry.warm_up_until) if entry.warm_up else None
    )
    return found | {WARM_UP: warming} if warming else found
