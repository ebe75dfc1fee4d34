"""A server's replies, read out of whatever pieces they come in (RFC 5321 §4.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, cast

LONGEST_LINE = 8192
LONGEST_REPLY = 4 * LONGEST_LINE
"""Octets. RFC 5321 §4.5.3.1.5 asks for 512 in a line; nobody's memory is filled for being generous."""

GARBLED = -1
"""The code of what is no reply. Nothing that comes after it can be believed."""

RECURRENT = 64
"""Lines that are remembered: most messages are answered in the same words."""


class Reply(NamedTuple):
    """One reply: its code, and its words as they came, a line each."""

    code: int
    words: bytes = b""

    @property
    def text(self) -> str:
        """The words; what is no UTF-8 in them is kept by surrogates."""
        return self.words.decode("utf-8", "surrogateescape")


class ReplyReader:
    """Takes octets, gives replies. The first thing that is none comes as GARBLED, with words for it, as the last."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if not (self._lines or self._rest):
            replies = list(map(_alone, lines))  # as nearly always: a line each
            if None not in replies:
                return cast(list[Reply], replies)
        return self._read(lines)

    def _read(self, lines: list[bytes]) -> list[Reply]:
        replies: list[Reply] = []
        for line in lines:
            reply = self._continue(line) if self._lines else _alone(line) or self._continue(line)
            if reply is not None:
                replies.append(reply)
                if reply.code == GARBLED:
                    return replies
        if len(self._rest) > LONGEST_LINE:
            replies.append(_garbled("a line of a reply does not end"))
        return replies

    def _continue(self, line: bytes) -> Reply | None:
        """One line of several. All carry the same code: another one is the next reply, and this has lost its end."""
        code, mark = line[:3], line[3:4]
        if len(line) > LONGEST_LINE:
            return _garbled("a line of a reply does not end")
        if not _is_code(code) or mark not in (b" ", b"-", b"\r", b""):
            return _garbled(f"not a reply: {line[:100].strip().decode('utf-8', 'replace')}")
        if self._lines and code != self._code:
            return _garbled(f"a reply that began with {self._code.decode()} went on with {code.decode()}")
        self._code = code
        self._lines.append(line[4:].strip())
        self._size += len(line)
        if self._size > LONGEST_REPLY:
            return _garbled("a reply does not end")
        if mark == b"-":
            return None
        reply = Reply(int(code), b"\n".join(self._lines))
        self._lines, self._size = [], 0
        return reply


@lru_cache(maxsize=RECURRENT)
def _alone(line: bytes) -> Reply | None:
    """The reply that a line is all by itself."""
    if line[3:4] == b" " and _is_code(line[:3]) and len(line) <= LONGEST_LINE:
        return Reply(int(line[:3]), line[4:].strip())
    return None


def _is_code(octets: bytes) -> bool:
    return len(octets) == 3 and octets.isdigit()


def _garbled(words: str) -> Reply:
    return Reply(GARBLED, words.encode())
