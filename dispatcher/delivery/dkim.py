"""DKIM: signatures over a finished message, with the keys loaded once. RFC 6376, 8301, 8463.

    message ─▶ header fields ─▶ those of SIGNED, each once more than present if OVERSIGNED ─▶ relaxed ─┐
            └▶ body ─▶ relaxed ─▶ SHA-256 ────────────────────────────────────────────── bh= ──────────┴▶ b=

Every key signs by itself: RSA for everybody, Ed25519 beside it for those who know it, under different selectors (D1).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from dispatcher.errors import TransportError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LIFETIME = timedelta(days=14)
"""From t= to x=: longer than any retry (D2)."""

SHORTEST_RSA = 1024
"""Bits; shorter keys verify nowhere. RFC 8301 §3.2"""

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
    "feedback-id",
    "auto-submitted",
    "precedence",
)
"""Signed where present. Never fields that relays add or rewrite. RFC 6376 §5.4.1"""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the domain and selector that its public half is published under."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """The a= tag."""
        return "ed25519-sha256" if _is_ed25519(self.key) else "rsa-sha256"

    def sign(self, data: bytes) -> bytes:
        """The signature; Ed25519 signs the hash, as RFC 8463 §3 says."""
        if _is_ed25519(self.key):
            return self.key.sign(hashlib.sha256(data).digest())  # type: ignore[call-arg]
        padding, sha256 = _rsa_ways()
        return self.key.sign(data, padding, sha256)  # type: ignore[call-arg, arg-type]

    @property
    def record(self) -> str:
        """What the TXT record `SELECTOR._domainkey.DOMAIN` must say. RFC 6376 §3.6.1"""
        return f"v=DKIM1; k={'ed25519' if _is_ed25519(self.key) else 'rsa'}; p={public_half(self.key)}"


def sign(message: bytes, keys: Sequence[SigningKey], now: datetime) -> bytes:
    """The DKIM-Signature fields to put before a message, one for each key. The message has CRLF lines throughout."""
    head, _, body = message.partition(b"\r\n\r\n")
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    names, signed = _signed_fields(head)
    begun, lapses = int(now.timestamp()), int((now + LIFETIME).timestamp())
    return b"".join(_field(key, names, signed, body_hash, begun, lapses) for key in keys)


def load_key(pem: bytes, domain: str, selector: str, *, where: str = "") -> SigningKey:
    """A private key from PEM. TransportError if it is none that can sign mail, or `cryptography` is missing."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError:
        raise TransportError("signing mail needs the extra: pip install 'dispatcher[dkim]'") from None
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise TransportError(
            f"{where or 'the DKIM key'}: not a private key in PEM without a password: {error}"
        ) from None
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise TransportError(f"{where or 'the DKIM key'}: {key.key_size} bits are too short; make one of 2048")
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise TransportError(f"{where or 'the DKIM key'}: neither RSA nor Ed25519")
    return SigningKey(domain, selector, key)


def public_half(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """The p= tag: SubjectPublicKeyInfo of RSA, the 32 bare octets of Ed25519. RFC 8463 §4"""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key()
    if _is_ed25519(key):
        return base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def relaxed_body(body: bytes) -> bytes:
    """Runs of blanks as one, none at line ends, one line end at the end. RFC 6376 §3.4.4"""
    if b"  " in body or b"\t" in body or b" \r\n" in body:
        body = _LINE_END_BLANKS.sub(b"\r\n", _BLANKS.sub(b" ", body + b"\r\n"))
    elif body.endswith(b"\r\n") and not body.endswith(b"\r\n\r\n") and body != b"\r\n":
        return body  # our own messages are made so that nothing has to be done
    stripped = body.rstrip(b"\r\n")
    return stripped + b"\r\n" if stripped else b""


_BLANKS, _LINE_END_BLANKS = re.compile(rb"[ \t]+"), re.compile(rb" \r\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r]|\r\n[ \t])*)(?:\r\n|$)")
_ROOM = 72  # columns of a line of b=


def _signed_fields(head: bytes) -> tuple[str, bytes]:
    """The h= tag, and the relaxed fields it names, each of a name from the last upwards. RFC 6376 §5.4.2"""
    found: dict[str, list[bytes]] = {}
    for name, value in _FIELD.findall(head):
        lower = name.lower()
        found.setdefault(lower.decode(), []).append(lower + b":" + b" ".join(value.split()) + b"\r\n")
    names: list[str] = []
    lines: list[bytes] = []
    for name in SIGNED:
        there = found.get(name, [])
        names += [name] * (len(there) + (name in OVERSIGNED))
        lines += reversed(there)
    return ":".join(names), b"".join(lines)


def _field(key: SigningKey, names: str, signed: bytes, body_hash: str, begun: int, lapses: int) -> bytes:
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed;",
        f"d={key.domain}; s={key.selector};",
        f"t={begun}; x={lapses};",
        *_folded_names(names),
        f"bh={body_hash};",
        "b=",
    )
    value = " ".join(tags)
    signature = base64.b64encode(key.sign(signed + b"dkim-signature:" + value.encode())).decode()
    pieces = [signature[start : start + _ROOM] for start in range(0, len(signature), _ROOM)]
    folded = "\r\n ".join(tags)
    return f"DKIM-Signature: {folded}{pieces[0]}{''.join(f'{_NEXT}{piece}' for piece in pieces[1:])}\r\n".encode()


_NEXT = "\r\n "


@lru_cache(maxsize=64)
def _folded_names(names: str) -> tuple[str, ...]:
    """The h= tag over lines; the blank that unfolding leaves is part of what is signed."""
    lines, line = [], "h="
    for name in names.split(":"):
        if len(line) + len(name) > _ROOM:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return (*lines, line.removesuffix(":") + ";")


@lru_cache(maxsize=1)
def _rsa_ways() -> tuple[object, object]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return PKCS1v15(), SHA256()


def _is_ed25519(key: object) -> bool:
    return "ed25519" in type(key).__name__.lower()
