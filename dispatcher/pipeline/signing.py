"""Signing: which keys vouch for a message, and the fields they put in front of it.

    [[dkim]] ─▶ Signer.of ─▶ keys in use ─────┐
                          └▶ keys kept ──┐    │
    a message that was begun with them ──┴────┴▶ sign ─▶ DKIM-Signature fields ─▶ message

What was signed first with some keys is signed with the same ones again, as long as config keeps them, so that a repeat
is byte for byte what went out before a key was changed for another.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import dispatcher
from dispatcher.config import Settings
from dispatcher.delivery import dkim
from dispatcher.delivery.signing_key import SigningKey
from dispatcher.digest.addresses import a_labels
from dispatcher.pipeline.signing_keys import is_aligned, keys_of


class Signing(Protocol):
    """What vouches for our mail: DKIM, and one day its successor (D9)."""

    @property
    def names(self) -> str:
        """The keys in use, as a message remembers them."""
        ...

    def fields(
        self, message: bytes, sender_domain: str, dated_at: datetime, *, by: str = "", body_hash: str = ""
    ) -> bytes:
        """The fields to put before a message, the same every time; empty if no key is for that domain.

        `by` are the `names` it was first signed with. `body_hash` is the base64 SHA-256 of its body, where known.
        """
        ...


class Waiting(Protocol):
    """What signing needs to know of a delivery."""

    @property
    def signature(self) -> str:
        """What `sealed` gave, or empty."""
        ...

    @property
    def dated_at(self) -> datetime | None:
        """The instant of its Date."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was planned."""
        ...


class Signer:
    """Signs with DKIM keys: those in `keys`, and those in `kept` what they have signed before."""

    def __init__(self, keys: Sequence[SigningKey] = (), kept: Sequence[SigningKey] = ()) -> None:
        self._keys = tuple(keys)
        self._known = {key.name: key for key in (*kept, *keys)}
        self._chosen: dict[tuple[str, str], Sequence[SigningKey]] = {}
        self.names = " ".join(key.name for key in keys)

    @classmethod
    def of(cls, settings: Settings) -> Signer:
        """The signer that config asks for. ConfigError names everything that is wrong with its keys."""
        loaded = keys_of(settings)
        return cls([key for key, entry in loaded if entry.active], [key for key, entry in loaded if not entry.active])

    @property
    def keys(self) -> Sequence[SigningKey]:
        """All keys: those that are only kept first."""
        return tuple(self._known.values())

    def is_in_use(self, key: SigningKey) -> bool:
        """Whether new messages are signed with it."""
        return key in self._keys

    def sign(
        self, message: bytes, sender_domain: str, dated_at: datetime, *, by: str = "", body_hash: str = ""
    ) -> bytes:
        """The whole message with its fields in front."""
        return self.fields(message, sender_domain, dated_at, by=by, body_hash=body_hash) + message

    def fields(
        self, message: bytes, sender_domain: str, dated_at: datetime, *, by: str = "", body_hash: str = ""
    ) -> bytes:
        """See Signing."""
        keys = self._chosen.get((sender_domain, by))
        if keys is None:
            keys = self._chosen[sender_domain, by] = self._choose(sender_domain, by)
        return dkim.sign(message, keys, dated_at, body_hash=body_hash) if keys else b""

    def _choose(self, sender_domain: str, by: str) -> Sequence[SigningKey]:
        names = by.split()
        if names and all(name in self._known for name in names):
            return tuple(self._known[name] for name in names)
        return tuple(key for key in self._keys if is_aligned(key.domain, a_labels(sender_domain)))


def signed(signer: Signing, delivery: Waiting, message: bytes, sender_domain: str, *, by: str = "") -> bytes:
    """A delivery's message as it goes out: with the fields that were made ahead if they fit it, else signed now."""
    mark, _, fields = delivery.signature.partition(":")
    if fields and mark == _mark(signer, message):
        return fields.encode() + message
    return signer.fields(message, sender_domain, delivery.dated_at or delivery.created_at, by=by) + message


def sealed(signer: Signing, message: bytes, sender_domain: str, dated_at: datetime, *, by: str = "") -> str:
    """The fields of a message that leaves later, with the mark of what they fit; empty if no key is for that domain."""
    fields = signer.fields(message, sender_domain, dated_at, by=by)
    return f"{_mark(signer, message)}:{fields.decode()}" if fields else ""


def _mark(signer: Signing, message: bytes) -> str:
    """What a message must have in common with the one that was signed ahead.

    Its head, which says for whom it is, when and with which links, and whose boundary is a hash of all that is shared;
    its length, the keys in use, and our version. Hashing the body as well would cost half as much as sending it.
    """
    head = message[: message.index(b"\r\n\r\n")]
    known = f"{dispatcher.__version__} {signer.names} {len(message)} ".encode()
    return b64encode(hashlib.sha256(known + head).digest()[:18]).decode()
