"""A server's replies, read out of whatever pieces they come in (RFC 5321 §4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST_LINE = 8192
LONGEST_REPLY = 4 * LONGEST_LINE
"""Octets. RFC 5321 §4.5.3.1.5 asks for 512 in a line; nobody's memory is filled for being generous."""


class Reply(NamedTuple):
    """One reply: its code, and its words as they came, a line each."""

    code: int
    words: bytes = b""

    @property
    def text(self) -> str:
        """The words; what is no UTF-8 in them is kept by surrogates."""
        return self.words.decode("utf-8", "surrogateescape")


class GarbledError(Exception):
    """What came is no reply. Caught where replies are awaited; never leaves delivery."""


class ReplyReader:
    """Takes octets, gives replies. After GarbledError nothing that it says can be believed."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that `data` completes, one after the other; GarbledError at the first thing that is none."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if len(line) > LONGEST_LINE:
                raise GarbledError("a line of a reply does not end")
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or len(code) != 3 or mark not in b" -\r":
                raise GarbledError(f"not a reply: {line[:100].strip().decode('utf-8', 'replace')}")
            if mark == b"-" or self._lines:
                reply = self._continue(code, mark, line)
                if reply is not None:
                    yield reply
            else:
                yield Reply(int(code), line[4:].strip())
        if len(self._rest) > LONGEST_LINE:
            raise GarbledError("a line of a reply does not end")

    def _continue(self, code: bytes, mark: bytes, line: bytes) -> Reply | None:
        """One line of several. All carry the same code: another one is the next reply, and this has lost its end."""
        if self._lines and code != self._code:
            raise GarbledError(f"a reply that began with {self._code.decode()} went on with {code.decode()}")
        self._code = code
        self._lines.append(line[4:].strip())
        self._size += len(line)
        if self._size > LONGEST_REPLY:
            raise GarbledError("a reply does not end")
        if mark == b"-":
            return None
        reply = Reply(int(code), b"\n".join(self._lines))
        self._lines, self._size = [], 0
        return reply
