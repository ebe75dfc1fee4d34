"""How often strangers may cause mail to an address: so seldom that nobody can be bombed with confirmations.

    what is asked ──▶ the mailbox behind the address ──▶ what was asked for lately (store.consents.Pressure) ──▶ Verdict

An attacker has many networks and many spellings of one mailbox, or a whole domain whose every address reaches the same
person. So mails are counted by mailbox and by domain, over all networks.
"""

from __future__ import annotations

from enum import Enum, auto

from dispatcher.config.settings import SubscribeSettings
from dispatcher.digest.addresses import AddressError, a_labels
from dispatcher.pipeline.providers import PROVIDERS
from dispatcher.store.consents import Pressure
from dispatcher.store.keys import address_hash

CONFIRMATIONS_A_DAY = 1
UNCONFIRMED_A_MONTH = 3
LINKS_AN_HOUR, LINKS_A_DAY = 1, 3
DOMAIN_AN_HOUR = 20
"""Unconfirmed addresses of one domain that get a confirmation mail within an hour, big mailbox providers excepted."""


class Verdict(Enum):
    """What may be done about a request. SILENCE looks like MAIL to whoever asked."""

    MAIL = auto()
    SILENCE = auto()
    REFUSAL = auto()


def on_request(lately: Pressure, settings: SubscribeSettings) -> Verdict:
    """Whether a confirmation may be mailed."""
    if lately.network_hour >= settings.per_network:
        return Verdict.REFUSAL
    is_too_much = (
        lately.mailbox_day >= CONFIRMATIONS_A_DAY
        or lately.mailbox_month >= UNCONFIRMED_A_MONTH
        or lately.domain_hour >= DOMAIN_AN_HOUR
        or lately.mailed_hour >= settings.per_hour
    )
    return Verdict.SILENCE if is_too_much else Verdict.MAIL


def on_lost_link(lately: Pressure, settings: SubscribeSettings) -> Verdict:
    """Whether a lost link may be mailed again. The mailbox's counts must be those of `link_hash`."""
    if lately.network_hour >= settings.per_network:
        return Verdict.REFUSAL
    is_too_much = (
        lately.mailbox_hour >= LINKS_AN_HOUR
        or lately.mailbox_day >= LINKS_A_DAY
        or lately.mailed_hour >= settings.per_hour
    )
    return Verdict.SILENCE if is_too_much else Verdict.MAIL


def mailbox_hash(key: bytes, address: str) -> str:
    """What confirmation mails to an address are counted under."""
    return address_hash(key, f"mailbox:{mailbox_of(address)}")


def link_hash(key: bytes, address: str) -> str:
    """What mails with a lost link are counted under: a request of one kind must not use up the other's."""
    return address_hash(key, f"link:{mailbox_of(address)}")


def mailbox_of(address: str) -> str:
    """The mailbox that an address most likely ends up in: one spelling of many. For counting only, never to mail to."""
    local, _, domain = address.strip().casefold().rpartition("@")
    domain = _ascii(domain)
    domain = _SAME.get(domain, domain)
    plain = local.partition("+")[0]
    if domain in _BLIND_TO_DOTS:
        plain = plain.replace(".", "")
    return f"{plain or local}@{domain}"


def counted_domain(address: str) -> str:
    """The domain that an address is counted under, as it is written in it; "" for a big mailbox provider's.

    All subdomains count as one. Where registrars sell names is guessed: "b.co.uk" of "a.b.co.uk", "b.org" of "a.b.org".
    """
    domain = address.strip().casefold().rpartition("@")[2]
    if domain in PROVIDERS:
        return ""
    labels = domain.split(".")
    is_sold_below = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3 if is_sold_below else -2 :])


def _ascii(domain: str) -> str:
    try:
        return a_labels(domain).lower()
    except AddressError:
        return domain


_SAME = {"googlemail.com": "gmail.com"}
_BLIND_TO_DOTS = frozenset({"gmail.com"})
