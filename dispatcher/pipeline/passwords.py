"""Passwords of operators: slow salted hashes that name their own cost, so that it can be raised later.

    scrypt$n=32768,r=8,p=3$SALT$HASH        (RFC 7914; 32 MiB and about a quarter of a second each)

Checked in a thread, a few at a time: more would fill the memory, and a queue is what a guesser deserves.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets

from dispatcher.errors import DispatcherError

SHORTEST, LONGEST = 10, 200
"""Characters of a password. Anything of this length goes: rules about digits make worse ones (NIST SP 800-63B)."""

COST = {"n": 2**15, "r": 8, "p": 3}
AT_ONCE = 2


class PasswordError(DispatcherError):
    """This cannot be a password."""


async def hashed(password: str) -> str:
    """What is stored of a password. PasswordError if it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}")
    salt = secrets.token_bytes(16)
    made = await asyncio.to_thread(_scrypt, password, salt, COST)
    cost = ",".join(f"{name}={value}" for name, value in COST.items())
    return f"scrypt${cost}${_text(salt)}${_text(made)}"


async def matches(password: str, stored: str, turn: asyncio.Semaphore) -> bool:
    """Whether this is the password. Takes as long where there is none (`stored` is empty) as where there is one."""
    cost, salt, wanted = _parts(stored) if stored else (COST, b"\0" * 16, b"")
    async with turn:
        found = await asyncio.to_thread(_scrypt, password[:LONGEST], salt, cost)
    return hmac.compare_digest(found, wanted)


def _parts(stored: str) -> tuple[dict[str, int], bytes, bytes]:
    _, cost, salt, made = stored.split("$")
    pairs = (pair.split("=") for pair in cost.split(","))
    return {name: int(value) for name, value in pairs}, base64.b64decode(salt), base64.b64decode(made)


def _scrypt(password: str, salt: bytes, cost: dict[str, int]) -> bytes:
    enough = 2 * 128 * cost["n"] * cost["r"]
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost["n"], r=cost["r"], p=cost["p"], maxmem=enough, dklen=32)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
