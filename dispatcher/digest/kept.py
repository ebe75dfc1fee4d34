"""How a wire is kept with its digest: as JSON that names, by their numbers, the stretches it is made of.

    {"format": 2, "boundary": "=_…", "subject": ["Bridge opens"], "frame": 1, "text": [2, 7, 3], "html": [4, 8, 5, 6]}

Where pictures are inside, "pictures" names them, too. In format 1 everything stood in the JSON itself; such wires are
still read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from dispatcher.digest.fragments import Stretch
from dispatcher.digest.slots import Letterhead, Piece, Pieces, Slot
from dispatcher.digest.wire import Door, Draft, Frame, Part, Wire

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """A wire as it is kept: its stretches by their numbers."""

    boundary: str
    subject: Pieces
    frame: int
    text: list[int]
    html: list[int]
    pictures: Sequence[int] = ()

    @property
    def numbers(self) -> list[int]:
        """The stretches it is made of."""
        return [self.frame, *self.text, *self.html, *self.pictures]

    def wire(self, contents: Mapping[int, Piece]) -> Wire:
        """The wire. KeyError if one of its stretches is missing."""
        text, html = ([contents[number] for number in part] for part in (self.text, self.html))
        pictures = [contents[number] for number in self.pictures]
        return _frame(str(contents[self.frame])).wire(self.boundary, self.subject, text, html, pictures)


def dumps(draft: Draft, numbers: Mapping[Stretch, int]) -> str:
    """A draft whose stretches are kept under these numbers."""
    subject = _encode([piece if isinstance(piece, str) else asdict(piece) for piece in draft.subject])
    text, html = (",".join([str(numbers[stretch]) for stretch in part]) for part in (draft.text, draft.html))
    head = f'{{"format":{FORMAT},"boundary":"{draft.boundary}","subject":{subject}'
    tail = f',"pictures":{_encode([numbers[stretch] for stretch in draft.pictures])}' if draft.pictures else ""
    return f'{head},"frame":{numbers[draft.frame.stretch]},"text":[{text}],"html":[{html}]{tail}}}'


def loads(text: str) -> Kept | Wire:
    """What was kept; in format 1 that is the whole wire. ValueError if this version of the program cannot read it."""
    known: dict[str, Any] = json.loads(text)
    version = known.pop("format")
    subject = _pieces(known.pop("subject"))
    if version == FORMAT:
        return Kept(subject=subject, **known)
    if version != 1:
        raise ValueError("these fragments were written by another version of the program")
    text_part, html_part = (Part(known[name]["encoding"], _pieces(known[name]["pieces"])) for name in ("text", "html"))
    head, door = Letterhead.loads(known["letterhead"]), Door(**known.get("door", {}))
    own = {"subject": subject, "text": text_part, "html": html_part, "letterhead": head, "door": door, "pictures": ()}
    return Wire(**known | own)


def numbers_of(text: str) -> Sequence[int]:
    """The stretches that a kept wire refers to; none if it cannot be read, or is of a format that has none."""
    try:
        found = loads(text)
    except (ValueError, LookupError, TypeError):
        return ()
    return found.numbers if isinstance(found, Kept) else ()


_encode = json.JSONEncoder(separators=(",", ":")).encode
_frame = lru_cache(maxsize=256)(Frame.loads)


def _pieces(stored: list[str | dict[str, Any]]) -> Pieces:
    return tuple(piece if isinstance(piece, str) else Slot(**piece) for piece in stored)
