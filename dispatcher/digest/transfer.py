"""Content-transfer encodings of a message's parts, shared text encoded once, personal text joined in per reader.

What comes out is pure ASCII in lines of at most 76 octets, ended by CRLF. No line begins with a dot (nothing to stuff,
S8), ends in a blank, or holds two blanks in a row: the body is in the relaxed canonical form of RFC 6376 §3.4.4 as it
stands, and a signer need not touch it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

QUOTED_PRINTABLE, BASE64 = "quoted-printable", "base64"

SOFT_BREAK = "=\r\n"
"""Ends an encoded line without ending the text's line: how pieces are joined whose widths nobody knows yet."""


def quoted_printable(text: str) -> str:
    """Text in lines ended by `\\n` as quoted-printable (RFC 2045 §6.7). It can be joined to what else begins a line:
    it ends with a hard or a soft line break, or is empty."""
    lines = text.split("\n")
    encoded = "\r\n".join(map(_encode_line, lines))
    return encoded + SOFT_BREAK if lines[-1] else encoded


def word(text: str) -> str | None:
    """What `quoted_printable` gives for a plain word such as a link, and for its HTML, in a fraction of the time; None
    for anything that needs a closer look."""
    if not _PLAIN.fullmatch(text):
        return None
    if len(text) < _LINE - 2:
        return text + SOFT_BREAK
    lines = [text[at : at + _LINE - 1] for at in range(0, len(text), _LINE - 1)]
    return None if any(map(_RISKY.match, lines)) else SOFT_BREAK.join(lines) + SOFT_BREAK


def base64(text: str) -> str:
    """Text in lines ended by `\\n` as base64 of its CRLF form (RFC 2045 §6.8, RFC 2049 §4)."""
    octets = text.replace("\n", "\r\n").encode()
    lines = (binascii.b2a_base64(octets[at : at + 57], newline=False).decode() for at in range(0, len(octets), 57))
    return "".join(f"{line}\r\n" for line in lines)


def shorter(shared: Iterable[str]) -> str:
    """The encoding that makes the smaller part of these texts (F6); quoted-printable where it is all one."""
    whole = "".join(shared)
    return BASE64 if len(base64(whole)) < len(quoted_printable(whole)) else QUOTED_PRINTABLE


_LINE = 76
_ESCAPED = re.compile(rb"[^ -~]|=| (?= )| $")
_PLAIN = re.compile(r"(?!\.|From )[A-Za-z0-9:/_+,.;@!*()~?%$#-]+(?: [A-Za-z0-9:/_+,.;@!*()~?%$#-]+)*")
_RISKY = re.compile(r"\.|From ")


def _encode_line(line: str) -> str:
    safe = _ESCAPED.sub(lambda found: b"=%02X" % found[0][0], line.encode()).decode("ascii")
    if len(safe) < _LINE - 2:
        return _guarded(safe)
    chunks, at = [], 0
    while at < len(safe):
        end = _end(safe, at)
        chunks.append(_guarded(safe[at:end]))
        at = end
    return SOFT_BREAK.join(chunks)


def _end(safe: str, at: int) -> int:
    """Where the encoded line that starts at `at` ends: before an escape it would cut, leaving room for the `=`."""
    room = _LINE - 1 - (2 if _RISKY.match(safe, at) else 0)
    if len(safe) - at <= room:
        return len(safe)
    end = at + room
    escape = safe.rfind("=", end - 2, end)
    return escape if escape >= 0 else end


def _guarded(line: str) -> str:
    """A dot at the start of a line would need stuffing (RFC 5321 §4.5.2); a "From " is changed by mailbox files."""
    return f"={ord(line[0]):02X}{line[1:]}" if _RISKY.match(line) else line
