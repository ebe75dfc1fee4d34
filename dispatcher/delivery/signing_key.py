"""DKIM keys: loaded from PEM, made anew, and what the DNS must say of them. RFC 6376 §3.6.1, RFC 8301, RFC 8463."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from dispatcher.errors import TransportError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SHORTEST_RSA, RSA_BITS = 1024, 2048
"""Bits: a shorter key verifies nowhere; what a key should have. RFC 8301 §3.2"""

STRING = 255
"""Octets that one string of a TXT record holds at most. RFC 1035 §3.3"""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the domain and selector that its public half is published under."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def is_ed25519(self) -> bool:
        """Whether it is Ed25519; else it is RSA."""
        return "ed25519" in type(self.key).__name__.lower()

    @property
    def bits(self) -> int:
        """How long it is."""
        return 256 if self.is_ed25519 else self.key.key_size  # type: ignore[union-attr]

    @property
    def name(self) -> str:
        """Where in the DNS its public half stands. RFC 6376 §3.6.2.1"""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What the TXT record of that name must say."""
        return f"v=DKIM1; k={'ed25519' if self.is_ed25519 else 'rsa'}; p={self.public_half}"

    @property
    def public_half(self) -> str:
        """The p= tag: SubjectPublicKeyInfo of RSA, the 32 bare octets of Ed25519. RFC 8463 §4"""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        if self.is_ed25519:
            octets = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            octets = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(octets).decode()

    def sign(self, data: bytes) -> bytes:
        """The signature, always the same for the same data; Ed25519 signs the hash, as RFC 8463 §3 says."""
        if self.is_ed25519:
            return self.key.sign(hashlib.sha256(data).digest())  # type: ignore[call-arg]
        padding, sha256 = _rsa_ways()
        return self.key.sign(data, padding, sha256)  # type: ignore[call-arg, arg-type]


def load_key(pem: bytes, domain: str, selector: str) -> SigningKey:
    """A private key from PEM. TransportError if it is none that can sign mail, or `cryptography` is missing."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = _private(pem)
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise TransportError("is neither an RSA nor an Ed25519 key")
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise TransportError(f"is an RSA key of {key.key_size} bits, too short to verify anywhere; make one of 2048")
    return SigningKey(domain, selector, key)


def make_rsa(domain: str, selector: str) -> SigningKey:
    """A new RSA key. TransportError if `cryptography` is missing."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return SigningKey(domain, selector, generate_private_key(65537, RSA_BITS))


def make_ed25519(domain: str, selector: str) -> SigningKey:
    """A new Ed25519 key. TransportError if `cryptography` is missing."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(domain, selector, Ed25519PrivateKey.generate())


def pem_of(key: SigningKey) -> bytes:
    """A key as its file holds it, without a password."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def strings_of(record: str) -> list[str]:
    """A record in the strings that a TXT record is made of."""
    return [record[start : start + STRING] for start in range(0, len(record), STRING)]


def _private(pem: bytes) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise TransportError("has a password; a DKIM key must have none") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TransportError('is not a private key in PEM ("-----BEGIN PRIVATE KEY-----")') from None


def _need_library() -> None:
    try:
        import cryptography  # noqa: F401 (it is loaded only by those who sign)
    except ModuleNotFoundError:
        raise TransportError("signing mail needs the extra: pip install 'dispatcher[dkim]'") from None


@lru_cache(maxsize=1)
def _rsa_ways() -> tuple[object, object]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return PKCS1v15(), SHA256()
