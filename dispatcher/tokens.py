"""Signed links: what a token says, whom it is about, until when; nobody without a key can make one.

    body = key id . purpose . expiry . claims        "1f3a.u..812.1"
    token = base64url(body + first 16 octets of HMAC-SHA256(key, body))

A token is no secret store (whoever has it can read it) and no session: it says one thing. Old keys verify for ever,
one key signs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dispatcher.errors import TokenError

LONGEST = 512
"""Characters of a token that is worth looking at."""


class Purpose(StrEnum):
    """What a token is good for. One purpose's token opens no other door."""

    UNSUBSCRIBE = "u"
    PREFERENCES = "p"
    CONFIRM = "c"
    VERIFY = "v"
    ADDRESS = "a"
    UNDO = "r"
    SIGN_IN = "s"
    FORM = "f"
    VIEW = "d"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was read and found true. `digest` names it where it may be used only once."""

    purpose: Purpose
    claims: tuple[str, ...]
    expires_at: datetime | None
    digest: str

    def number(self, position: int) -> int:
        """The claim at a position as a number. TokenError if it is none."""
        try:
            number = int(self.claims[position])
        except (IndexError, ValueError):
            raise TokenError("this link is not complete") from None
        if abs(number) > _LARGEST:  # no database and no calendar has such a number
            raise TokenError("this link is not complete")
        return number


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that verify, by their ids, and the id of the one that signs."""

    keys: Mapping[str, bytes]
    signing: str

    def sign(self, purpose: Purpose, *claims: str | int, expires_at: datetime | None = None, key_id: str = "") -> str:
        """A token. Claims are numbers or words of letters, digits, `_` and `-`; ValueError for anything else.

        The same arguments give the same token. `key_id` signs with an older key, so that a repeat stays a repeat.
        """
        chosen = key_id if key_id in self.keys else self.signing
        words = [str(claim) for claim in claims]
        if not all(type(claim) is int or _CLAIM.fullmatch(word) for claim, word in zip(claims, words, strict=True)):
            raise ValueError(f"a claim of a token must be a plain word: {words}")
        expiry = str(int(expires_at.timestamp())) if expires_at else ""
        body = ".".join([chosen, purpose, expiry, *words]).encode()
        return base64.urlsafe_b64encode(body + _mac(self.keys[chosen], body)).rstrip(b"=").decode()

    def read(self, text: str, purpose: Purpose, now: datetime) -> Token:
        """The token that was signed. TokenError if it is forged, damaged, lapsed or meant for something else."""
        body = self._verified(text)
        _, kind, expiry, *claims = body.decode().split(".")
        if kind != purpose:
            raise TokenError("this link is for something else")
        expires_at = datetime.fromtimestamp(int(expiry), UTC) if expiry else None
        if expires_at is not None and now >= expires_at:
            raise TokenError("this link has lapsed")
        return Token(purpose, tuple(claims), expires_at, hashlib.sha256(body).hexdigest())

    def _verified(self, text: str) -> bytes:
        raw = _decoded(text) if len(text) <= LONGEST else b""
        body, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
        key = self.keys.get(body.partition(b".")[0].decode("ascii", "replace"), b"")
        if not hmac.compare_digest(_mac(key, body), mac) or not key:
            raise TokenError("this link is damaged, or was not made by us")
        return body


def key_id(key: bytes) -> str:
    """The id of a key: of its own making, so that a key has one id wherever it is kept."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:6]


_MAC_SIZE = 16
_LARGEST = 2**53
_CLAIM = re.compile(r"[A-Za-z0-9_-]{0,64}")


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:_MAC_SIZE]


def _decoded(text: str) -> bytes:
    """Only the one spelling that `sign` writes: a token that may be used once must not have a second one."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text else b""
