"""The envelope sender that names the delivery it belongs to, so that a bounce says by itself what it is about (VERP).

    bounces@news.example   ─▶   bounces+4711-mzxw6ytboi4tcmbr@news.example
                                        └ delivery └ first 80 bits of HMAC-SHA256(key, delivery), in base32

Nobody without the key can make one up, and so none can have an address suppressed that is not theirs (standards S12).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode

LONGEST_LOCAL = 64
"""Octets before the "@" (RFC 5321 §4.5.3.1.1)."""

MOST_DIGITS = 19
"""Of a delivery's number: those of the largest that a database has."""

MAC_OCTETS = 10
MAC_LETTERS = 16

LONGEST_OWN = LONGEST_LOCAL - len("+") - MOST_DIGITS - len("-") - MAC_LETTERS
"""Octets that the address which bounces go to may have before its "@"."""

_OWN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[^@]+")
_NAMED = re.compile(
    rf"[^@]+\+([1-9][0-9]{{0,{MOST_DIGITS - 1}}})-([a-z2-7]{{{MAC_LETTERS}}})@[^@]+", re.IGNORECASE | re.ASCII
)


def verp(bounce_address: str, delivery_id: int, key: bytes) -> str:
    """The envelope sender of one delivery: always the same one. ValueError where `takes_bounces` would say no."""
    if not takes_bounces(bounce_address):
        raise ValueError(f"{bounce_address} cannot be made an envelope sender that names its delivery")
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+{delivery_id}-{_mac(delivery_id, key)}@{domain}"


def read_verp(address: str, key: bytes) -> int | None:
    """The delivery that an address was made for, in whatever case it came back; None if it was not made by us."""
    found = _NAMED.fullmatch(address)
    if found is None:
        return None
    delivery_id = int(found[1])
    is_ours = hmac.compare_digest(_mac(delivery_id, key), found[2].lower())
    return delivery_id if is_ours else None


def takes_bounces(address: str) -> bool:
    """Whether there is room for a delivery's name in an address: it is plain, and short before its "@"."""
    return _OWN.fullmatch(address) is not None and address.rindex("@") <= LONGEST_OWN


def _mac(delivery_id: int, key: bytes) -> str:
    digest = hmac.digest(key, b"bounce:%d" % delivery_id, hashlib.sha256)
    return b32encode(digest[:MAC_OCTETS]).decode().lower()
