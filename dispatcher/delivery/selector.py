"""Selectors: what the DNS says of a DKIM key, and whether that is the key we sign with (D5). RFC 6376 §3.6."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dispatcher.delivery.signing_key import SigningKey
from dispatcher.errors import TransportError

if TYPE_CHECKING:
    from dns.resolver import BaseResolver

Asks = TypeVar("Asks", bound="BaseResolver")

PATIENCE = 10.0
"""Seconds that one look into the DNS may take."""


@dataclass(frozen=True, slots=True)
class Server:
    """A DNS server to ask instead of those of this machine."""

    host: str
    port: int = 53


def look_up(name: str, server: Server | None = None) -> list[str]:
    """The TXT records of a name, each with its strings joined; none if there is none.

    TransportError if nobody answers, or `dnspython` is missing.
    """
    try:
        import dns.exception
        import dns.resolver
    except ModuleNotFoundError:
        raise TransportError("looking into the DNS needs the extra: pip install 'dispatcher[dkim]'") from None
    try:
        answer = resolver_of(dns.resolver.Resolver, server).resolve(f"{name}.", "TXT", lifetime=PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise TransportError(f"the DNS gave no answer about {name}: {error}") from None
    return [b"".join(found.strings).decode("utf-8", "replace") for found in answer]


def faults(key: SigningKey, records: Sequence[str]) -> list[str]:
    """What is wrong with the records of a key's name; none if receivers can verify what it signs."""
    if not records:
        return ["there is no such TXT record; publish it"]
    if len(records) > 1:
        return [f"there are {len(records)} TXT records; receivers may take the wrong one, so leave only ours"]
    return _faults(key, tags_of(records[0]))


def tags_of(record: str) -> dict[str, str]:
    """The tags of a record; blanks in values do not count. RFC 6376 §3.2"""
    pairs = (tag.partition("=") for tag in record.split(";") if tag.strip())
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in pairs}


def resolver_of(kind: type[Asks], server: Server | None) -> Asks:
    """A resolver of one of dnspython's kinds that asks this server, or those of this machine."""
    if server is None:
        return kind()
    resolver = kind(configure=False)
    resolver.nameservers, resolver.port = [server.host], server.port
    return resolver


def _faults(key: SigningKey, tags: dict[str, str]) -> list[str]:
    ours = tags_of(key.record)
    if "p" not in tags:
        return ["it is no DKIM record: it has no p= tag"]
    if not tags["p"]:
        return ["its p= is empty: the key was revoked"]
    found = []
    if tags.get("v", "DKIM1") != "DKIM1":
        found.append(f"its version is {tags['v']!r}; expected v=DKIM1")
    if tags.get("k", "rsa") != ours["k"]:
        found.append(f"it is of a key of kind {tags.get('k', 'rsa')}; ours is {ours['k']}")
    elif tags["p"] != ours["p"]:
        found.append("its p= is cut short" if ours["p"].startswith(tags["p"]) else "its p= is that of another key")
    if "h" in tags and "sha256" not in tags["h"].split(":"):
        found.append(f"its h={tags['h']} does not allow sha256")
    if "s" in tags and not {"*", "email"} & set(tags["s"].split(":")):
        found.append(f"its s={tags['s']} does not allow mail")
    if "y" in tags.get("t", "").split(":"):
        found.append("its t=y says that signatures are only tested; receivers then ignore them")
    return found
