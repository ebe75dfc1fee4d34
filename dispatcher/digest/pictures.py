"""Inline pictures: a picture's octets as a part of a message, and which of a digest's stories have theirs inside it.

    multipart/alternative ─┬─ text/plain
                           └─ multipart/related ─┬─ text/html        <img src="cid:9f86d081…@news.example">
                                                 └─ image/jpeg       Content-ID: <9f86d081…@news.example>

RFC 2387 (related), RFC 2392 (cid). A picture is known by what it is, so that the same one is the same part in every
digest and is kept once. What is no picture that every mail program shows stays where it was: at its address.
"""

from __future__ import annotations

import binascii
import hashlib
import quopri
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import unescape

from dispatcher.digest.compose import Outline
from dispatcher.digest.fragments import Stretch, Told
from dispatcher.digest.transfer import QUOTED_PRINTABLE
from dispatcher.digest.wire import Draft
from dispatcher.model.edition import Written
from dispatcher.model.values import Layout

WITHOUT = (Layout.LIST, Layout.HEADLINES)
"""Layouts that show no pictures."""

_KINDS = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_SOURCE = re.compile('<img src="([^"]+)"')
_CID = re.compile(r"cid:([0-9a-f]{32}@[a-z0-9.-]+)")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pictures a message may hold, and octets of one and of all."""

    count: int
    size: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it stands in a message: `part` is a whole MIME part, `size` are its octets."""

    cid: str
    size: int
    part: Stretch


def picture(octets: bytes, domain: str) -> Picture | None:
    """What was fetched as a picture; None if it is, by its first octets, no kind that every mail program shows."""
    kind = next((kind for magic, kind in _KINDS if octets.startswith(magic)), None)
    if kind is None:
        return None
    name = hashlib.sha256(octets).hexdigest()[:32]
    cid = f"{name}@{domain.lower()}"
    lines = (binascii.b2a_base64(octets[at : at + 57], newline=False).decode() for at in range(0, len(octets), 57))
    head = (
        f"Content-Type: image/{kind}\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <{cid}>\r\n"
        f'Content-Disposition: inline; filename="{name[:12]}.{kind}"\r\n\r\n'
    )
    body = "".join(f"{line}\r\n" for line in lines)
    return Picture(cid, len(octets), Stretch(f"{head}{body}", 0))


def wanted(outline: Outline) -> list[str]:
    """The addresses of the pictures that a digest shows: a person's own, then those of stories in reading order."""
    blocks = outline.written.blocks if outline.written else ()
    found = [unescape(url) for block in blocks for url in _SOURCE.findall(block.html)]
    found += [
        told.story.image_url
        for label, section in outline.sections
        if outline.layouts.get(label, outline.layout) not in WITHOUT
        for told in section
    ]
    return [url for url in dict.fromkeys(found) if url]


def placed(
    outline: Outline, known: Mapping[str, Picture | None], limits: Limits, inside: Callable[[Told, Picture], Told]
) -> Outline:
    """The digest with as many of these pictures inside it as the limits let in, the first ones. `inside` gives a story
    with its picture, the same object each time."""
    chosen: dict[str, Picture] = {}
    left = limits.total
    for url in wanted(outline):
        found = known.get(url)
        if found is not None and found.size <= min(left, limits.size) and len(chosen) < limits.count:
            chosen[url] = found
            left -= found.size
    if not chosen:
        return outline
    sections = [
        (label, [inside(told, chosen[url]) if (url := told.story.image_url) in chosen else told for told in section])
        for label, section in outline.sections
    ]
    return replace(outline, sections=sections, written=_written_with(outline.written, chosen))


def attached(draft: Draft, known: Mapping[str, Picture]) -> Draft:
    """A draft with those of these pictures, by their `cid`, that its HTML names."""
    is_quoted = draft.frame.html == QUOTED_PRINTABLE
    named = dict.fromkeys(cid for stretch in draft.html for cid in _named(stretch, is_quoted))
    return replace(draft, pictures=tuple(known[cid].part for cid in named if cid in known))


def _written_with(written: Written | None, chosen: Mapping[str, Picture]) -> Written | None:
    """What a person wrote, with these pictures by their names."""

    def named(source: re.Match[str]) -> str:
        found = chosen.get(unescape(source[1]))
        return source[0] if found is None else f'<img src="cid:{found.cid}"'

    if written is None:
        return None
    blocks = tuple(replace(block, html=_SOURCE.sub(named, block.html)) for block in written.blocks)
    return replace(written, blocks=blocks)


@lru_cache(maxsize=8192)
def _named(stretch: Stretch, is_quoted: bool) -> tuple[str, ...]:
    if not isinstance(stretch.content, str):
        return ()
    text = quopri.decodestring(stretch.content.encode()).decode() if is_quoted else stretch.content
    return tuple(_CID.findall(text))
