"""Message headers: encoded words and folding. Whatever goes in, one clean header comes out, or an error.

Text that comes from content (titles, names) is cleaned to one line. Addresses and protocol values are not ours to
repair: one with a control character is refused (S9).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from dispatcher.digest.addresses import a_labels, addr_spec
from dispatcher.errors import DispatcherError

SOFT_LIMIT = 78
"""Columns of a header line, where it can be folded at all. RFC 5322 §2.1.1"""

HARD_LIMIT = 998
"""Octets of any line. RFC 5322 §2.1.1"""


class HeaderError(DispatcherError):
    """A value cannot be put into a header."""


@lru_cache(maxsize=256)  # most readers of a digest share its subject
def text(name: str, value: str) -> str:
    """An unstructured header such as Subject, folded, with its line end. RFC 2047 where it is not plain ASCII."""
    return _folded(name, _words(one_line(value), len(name) + 2))


def mailbox(name: str, display_name: str, address: str, *, beyond_ascii: bool = False) -> str:
    """An address header such as To. AddressError if the address cannot be used; `beyond_ascii` as for `addr_spec`."""
    spec = addr_spec(address, beyond_ascii=beyond_ascii)
    return _folded(name, [*_phrase(one_line(display_name), len(name) + 2), _angled(display_name, spec)])


def list_id(name: str, label: str) -> str:
    """`List-Id: phrase <label>`; the phrase is left out where the whole would pass 255 octets. RFC 2919 §2"""
    bracketed = f"<{a_labels(label)}>"
    header = _folded("List-Id", [*_phrase(one_line(name), 9), bracketed])
    return header if len(header) <= len("List-Id: ") + 255 else _folded("List-Id", [bracketed])


def protocol(name: str, value: str) -> str:
    """A structured header whose value is ready, such as List-Unsubscribe. HeaderError if it holds what none may."""
    if name in _WELL_FORMED and len(value) < HARD_LIMIT - len(name) and _WORD.fullmatch(value):
        return f"{name}: {value}\r\n"
    if not _FIELD_NAME.fullmatch(name):
        raise HeaderError(f"{name!r} is no header name")
    if not value.strip() or not _PRINTABLE.fullmatch(value):
        raise HeaderError(f"{name}: the value {value!r} is empty or has characters that no header may hold")
    header = _folded(name, value.split())
    if max(map(len, header.splitlines())) > HARD_LIMIT:
        raise HeaderError(f"{name}: a word is longer than a line may be ({HARD_LIMIT} octets)")
    return header


@lru_cache(maxsize=256)
def date(moment: datetime) -> str:
    """The Date header of an aware instant, in UTC. ValueError for a naive one. RFC 5322 §3.3"""
    if moment.tzinfo is None:
        raise ValueError(f"a naive instant reached a Date header: {moment!r}")
    return f"Date: {format_datetime(moment.astimezone(UTC))}\r\n"


def message_id(delivery_key: str, secret: bytes, domain: str) -> str:
    """The Message-ID of a delivery: the same for every repeat, and telling nobody anything (F4). RFC 5322 §3.6.4"""
    keyed = hmac.new(secret, f"message-id:{delivery_key}".encode(), hashlib.sha256).digest()
    return f"<{base64.b32encode(keyed[:20]).decode().lower()}@{a_labels(domain)}>"


def feedback_id(kind: str, slug: str, domain: str) -> str:
    """The Feedback-ID by which Gmail counts complaints, of a kind, a newsletter, a sender, and never a reader (L12)."""
    sender = base64.b32encode(hashlib.sha256(a_labels(domain).encode()).digest())[:12].decode().lower()
    return f"{kind}:list-{slug}:{sender}"


@lru_cache(maxsize=1024)
def one_line(value: str) -> str:
    """The text on one line: no line breaks, control characters or direction overrides, single blanks."""
    if not _SIMPLE.fullmatch(value):
        value = "".join(map(_tamed, value.encode("utf-8", "replace").decode()))
    return " ".join(value.split())


_WELL_FORMED = frozenset(("Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"))
_WORD = re.compile("[!-~]+")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_PRINTABLE = re.compile(r"[ -~]+")
_SIMPLE = re.compile(r"[ -~\u00a0-\u024f]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_Q_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_Q = ["_" if octet == 32 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256)]
_ENCODED_WORD = 75
_FRAME = len("=?utf-8?q??=")
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _tamed(character: str) -> str:
    if character in _OVERRIDES:
        return ""
    return " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character


def _folded(name: str, tokens: list[str]) -> str:
    """`Name: tokens` over as many lines as SOFT_LIMIT asks for; the first line always holds a token. §2.2.3"""
    lines, line = [], f"{name}: {tokens[0]}" if tokens else f"{name}:"
    for token in tokens[1:]:
        if len(line) + 1 + len(token) > SOFT_LIMIT:
            lines.append(line)
            line = ""
        line += f" {token}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _words(value: str, used: int) -> list[str]:
    """Text as tokens that may be folded between: its words, or encoded words where it is not plain ASCII."""
    words = value.split(" ")
    if value.isascii() and "=?" not in value and max(map(len, words)) < SOFT_LIMIT - used:
        return words if value else []
    return list(_encoded(value, used))


def _phrase(value: str, used: int) -> list[str]:
    """A display name: atoms, a quoted string, or encoded words. RFC 5322 §3.2.5"""
    if _ATOMS.fullmatch(value):
        return _words(value, used)
    if value.isascii() and "=?" not in value and len(value) + 2 <= SOFT_LIMIT - used:
        return ['"' + re.sub(r'(["\\])', r"\\\1", value) + '"']
    return list(_encoded(value, used))


def _encoded(value: str, used: int) -> Iterator[str]:
    """Encoded words in UTF-8, base64 or Q, whichever is shorter, cut between characters only. RFC 2047 §2, §5"""
    is_q = len(_q(value)) <= len(_b(value))
    frame = "=?utf-8?q?%s?=" if is_q else "=?utf-8?b?%s?="
    room, chunk, size = min(_ENCODED_WORD, SOFT_LIMIT - used) - _FRAME, "", 0
    for cluster in _clusters(value):
        added = len(_q(cluster)) if is_q else len(cluster.encode())
        if chunk and (size + added if is_q else (size + added + 2) // 3 * 4) > room:
            yield frame % (_q(chunk) if is_q else _b(chunk))
            room, chunk, size = _ENCODED_WORD - _FRAME, "", 0
        chunk, size = chunk + cluster, size + added
    yield frame % (_q(chunk) if is_q else _b(chunk))


def _clusters(value: str) -> Iterator[str]:
    """Characters with their accents, so that a word's pieces look right even where they are shown one by one."""
    cluster = ""
    for character in value:
        if cluster and (not unicodedata.combining(character) or len(cluster) > 3):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _b(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _q(value: str) -> str:
    """The Q encoding, with only what is allowed everywhere left bare. RFC 2047 §4.2, §5 (3)"""
    return "".join(map(_Q.__getitem__, value.encode()))


def _angled(display_name: str, address: str) -> str:
    return f"<{address}>" if one_line(display_name) else address
