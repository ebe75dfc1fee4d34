"""DKIM: signatures over a finished message, with the keys loaded once. RFC 6376, 8301, 8463.

    head ─▶ those fields that SIGNED names, relaxed, from the last upwards ─┐
    body ─▶ SHA-256 ──────────────────────────────────────────── bh= ───────┴▶ b=

Every key signs by itself: RSA for everybody, Ed25519 beside it for those who know it, under different selectors (D1).
RSA with PKCS #1 v1.5 and Ed25519 leave nothing to chance: the same message at the same time has the same signature.
"""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from dispatcher.delivery.signing_key import SigningKey

LIFETIME = timedelta(days=14)
"""From t= to x=: longer than any retry (D2)."""

OVERSIGNED = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""Named once more than they are there, so that adding one breaks the signature. RFC 6376 §8.15"""

SIGNED = (
    *OVERSIGNED,
    "content-transfer-encoding",
    "list-id",
    "list-post",
    "list-archive",
    "feedback-id",
    "auto-submitted",
    "precedence",
)
"""Signed where present. Never fields that relays add or rewrite. RFC 6376 §5.4.1"""


def sign(message: bytes, keys: Sequence[SigningKey], at: datetime, *, body_hash: str = "") -> bytes:
    """The DKIM-Signature fields to put before a message, one for each key.

    Its lines end in CRLF, and its body is in relaxed canonical form (RFC 6376 §3.4.4), as digest.transfer makes it.
    `body_hash` is the bh= tag, where the caller knows it.
    """
    end = message.index(b"\r\n\r\n")
    signed, named = _signed_fields(message[:end])
    hashed = body_hash or _base64(hashlib.sha256(memoryview(message)[end + 4 :]).digest())
    begun = int(at.timestamp())
    tags = f"t={begun}; x={begun + _LIFETIME};{_FOLD}{named}{_FOLD}bh={hashed};{_FOLD}b="
    return b"".join([_field(key, tags, signed) for key in keys])


_LIFETIME = int(LIFETIME.total_seconds())
_FOLD = "\r\n "
_ROOM = 72  # columns of a folded line
_SIGNED = frozenset(name.encode() for name in SIGNED)


def _signed_fields(head: bytes) -> tuple[bytes, str]:
    """The relaxed fields that are signed, and the h= tag that names them.

    Of several fields of a name, the last is meant first (RFC 6376 §5.4.2): so all are taken from the last upwards.
    """
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
    fields = [field for line in reversed(unfolded) if (field := _relaxed(line))]
    return b"".join(fields), _names_tag(b"".join([field[: field.index(b":") + 1] for field in fields]))


@lru_cache(maxsize=1024)  # most fields are the same in many messages
def _relaxed(line: bytes) -> bytes:
    """An unfolded field in relaxed form (RFC 6376 §3.4.2), with its line end; empty if it is not to be signed."""
    name, _, value = line.partition(b":")
    name = name.rstrip().lower()
    return b"%b:%b\r\n" % (name, b" ".join(value.split())) if name in _SIGNED else b""


@lru_cache(maxsize=64)
def _names_tag(present: bytes) -> str:
    """The h= tag over lines: the names that are there, each with its colon, and those that must not be added."""
    lines, line = [], "h="
    for name in [*present.decode().split(":")[:-1], *OVERSIGNED]:
        if len(line) + len(name) > _ROOM:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return _FOLD.join([*lines, line.removesuffix(":") + ";"])


def _field(key: SigningKey, tags: str, signed: bytes) -> bytes:
    value = _opening(key) + tags
    relaxed = value.replace(_FOLD, " ")
    signature = _base64(key.sign(signed + b"dkim-signature:" + relaxed.encode()))
    folded = _FOLD.join([signature[start : start + _ROOM] for start in range(0, len(signature), _ROOM)])
    return f"DKIM-Signature: {value}{folded}\r\n".encode()


@lru_cache(maxsize=64)
def _opening(key: SigningKey) -> str:
    """The tags that are the same in all of a key's signatures."""
    algorithm = "ed25519-sha256" if key.is_ed25519 else "rsa-sha256"
    return f"v=1; a={algorithm}; c=relaxed/relaxed;{_FOLD}d={key.domain}; s={key.selector};{_FOLD}"


def _base64(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode()
