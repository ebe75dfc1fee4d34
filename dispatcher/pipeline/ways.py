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

from dispatcher.config import Settings, rates
from dispatcher.config.sending import RelaySettings
from dispatcher.model.rates import Rate
from dispatcher.outbox import warmup
from dispatcher.outbox.slowdown import Slowdown

ALL = "all"
EACH = "to:*"
RELAY = "relay:"
SLOW, WARM_UP = "slow", "warm-up"


@dataclass(frozen=True, slots=True)
class Way:
    """The limits that one message passes. Complaints may be about `relay` or `to`; `slots` are names and how many."""

    relay: str
    to: str
    meters: tuple[str, ...]
    slots: tuple[tuple[str, int], ...]


class Limits:
    """What the settings limit on a day, and which scopes were slowed down."""

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

    @property
    def are_none(self) -> bool:
        """Whether nothing is limited at all."""
        return not (self._slowed or any(self._rates.values()) or any(self._at_once.values()))

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
        return Way(relay, to, tuple(meters), slots)

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
