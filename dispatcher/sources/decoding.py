"""Content-Encoding undone piece by piece, within limits: a gzip bomb costs a few kilobytes, not the machine."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

_RATIO_COUNTS_FROM = 1_000_000
_STEP = 256 * 1024


class DecodingError(Exception):
    """A body is too large, too tightly packed, truncated or not what its Content-Encoding says; in words."""


async def decode(wire: AsyncIterator[bytes], encoding: str, *, max_decoded: int, max_ratio: int) -> bytes:
    """The decoded body of a streamed answer (RFC 9110 §8.4). Sizes in bytes.

    The ratio is judged only beyond the first megabyte: a small file of equal lines may well pack 200:1.
    """
    decoder = _decoder(encoding)
    taken, body = 0, bytearray()
    async for chunk in wire:
        taken += len(chunk)
        for piece in decoder.feed(chunk):
            body += piece
            if len(body) > max_decoded:
                raise DecodingError(f"the answer unpacks to more than {max_decoded:,} bytes")
            if len(body) > max(_RATIO_COUNTS_FROM, taken * max_ratio):
                raise DecodingError(f"the answer unpacks to more than {max_ratio} times its size")
    if not decoder.is_complete:
        raise DecodingError("the packed answer broke off in the middle")
    return bytes(body)


def _decoder(encoding: str) -> _Identity | _Inflate:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflate(is_gzip=name != "deflate")
    raise DecodingError(f"the server packed its answer as {name[:40]!r}, which we did not ask for")


class _Identity:
    is_complete = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class _Inflate:
    """gzip (also several members on end), and deflate with or without its zlib header, for servers send both."""

    def __init__(self, *, is_gzip: bool) -> None:
        self.is_complete = True
        self._is_gzip = is_gzip
        self._members = 0
        self._engine = zlib.decompressobj()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while True:
            if self.is_complete and chunk:
                self._engine = zlib.decompressobj(self._window(chunk[0]))
            try:
                piece = self._engine.decompress(chunk, _STEP)
            except zlib.error as error:
                if self._members and self.is_complete:
                    return  # padding behind the last member, which some servers add
                raise DecodingError(f"the answer is not packed as it says ({error})") from error
            yield piece
            self.is_complete = self._engine.eof
            self._members += self._engine.eof
            chunk = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if not chunk and len(piece) < _STEP:
                return

    def _window(self, first: int) -> int:
        if self._is_gzip:
            return 16 + zlib.MAX_WBITS
        return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS
