"""Fragments: encoded stretches of mail that many digests share, and the grounds on which they may.

body      a loop over stories, as a template writes it         `{% for story in section.stories %}…{% endfor %}`
grounds   whatever it reads besides its story has these values  is it the first? under which label?
family    story → what the body made of it on these grounds, in this place of the page
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from zlib import crc32

from dispatcher.digest.slots import Piece, Slot
from dispatcher.digest.transfer import QUOTED_PRINTABLE, quoted_printable
from dispatcher.model.content import Story

SLOT_ALLOWANCE = 1_500
"""Octets that a personal block is taken to add for a reader."""


class Told:
    """A story as digests tell it: one object wherever the same is shown, so that finding it costs nothing."""

    __slots__ = ("story",)

    def __init__(self, story: Story) -> None:
        self.story = story


class Stretch:
    """A stretch of mail, or a slot in it. `size`: octets when decoded; `number`: where it is kept, once it is."""

    __slots__ = ("content", "hash", "number", "size")

    def __init__(self, content: Piece, size: int, number: int = 0) -> None:
        self.content, self.size, self.number = content, size, number
        self.hash = hashlib.sha256(self.body.encode()).digest()

    @property
    def body(self) -> str:
        """As it is kept: text behind a `=`, a slot as JSON."""
        content = self.content
        return f"={content}" if isinstance(content, str) else json.dumps(asdict(content), sort_keys=True)


def size_of(piece: Piece) -> int:
    """Octets of a piece, decoded: a line ends in CRLF on the wire. Of a slot what it is taken to add."""
    return SLOT_ALLOWANCE if isinstance(piece, Slot) else len(piece.encode()) + piece.count("\n")


def encoded(piece: Piece, encoding: str) -> Stretch:
    """A piece as a stretch. Base64 has no joints: what will be base64 stays as it is, and so does what is a header."""
    is_quoted = isinstance(piece, str) and encoding == QUOTED_PRINTABLE
    return Stretch(quoted_printable(str(piece)) if is_quoted else piece, size_of(piece))


def portions(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same in smaller pieces, cut between lines where the text itself says so.

    If a long text changes in one place, all its portions but that one stay what they are, and are kept once.
    """
    for piece in pieces:
        if isinstance(piece, Slot) or len(piece) < _LONG:
            yield piece
            continue
        lines: list[str] = []
        for line in re.findall(".*\n|.+", piece):
            lines.append(line)
            if line.endswith("\n") and crc32(line.encode()) % _LINES == 0:
                yield "".join(lines)
                lines = []
        if lines:
            yield "".join(lines)


def content_of(body: str) -> Piece:
    """What a stretch that was kept says."""
    return body[1:] if body.startswith("=") else Slot(**json.loads(body))


Stretches = tuple[Stretch, ...]
Family = dict[Told, Stretches]

Read = tuple[int, str]
"""What a body reads: of the value with this place among those it knows, this fact. Place -1: of the whole shape."""

WHOLE: Read = (-1, "")


@dataclass(slots=True, eq=False)
class Grounds:
    """What a body made where all it reads besides its story was the same, by the place in the page."""

    families: dict[Hashable, Family] = field(default_factory=dict)

    def know(self, told: Told) -> bool:
        """Whether nothing is left to be made of a story, unless it stands in a place that was never seen."""
        return bool(self.families) and all(told in family for family in self.families.values())


@dataclass(slots=True, eq=False)
class Body:
    """What is known of one loop's body: which facts it ever read, and what it made on which."""

    reads: list[Read] = field(default_factory=list)
    begins: set[str] = field(default_factory=set)
    """With what: only as much as tells a row of a table from anything else."""
    grounds: dict[Hashable, Grounds] = field(default_factory=dict)

    def on(self, values: Hashable) -> Grounds:
        """The grounds on which what it reads has these values."""
        return self.grounds.setdefault(values, Grounds())

    def learn(self, reads: Iterable[Read], begins: str) -> bool:
        """Note what it reads and begins with. Whether that is more than was known: what was kept is too coarse then."""
        fresh = [read for read in dict.fromkeys(reads) if read not in self.reads]
        is_other = bool(self.begins) and begins not in self.begins
        self.begins.add(begins)
        if fresh:
            self.reads += fresh
            self.grounds.clear()
        return bool(fresh) or is_other


class Stock:
    """All stretches of this process by what they say, and what all that is known of them weighs, roughly in octets."""

    def __init__(self) -> None:
        self._stretches: dict[tuple[Piece, str], Stretch] = {}
        self.fragments = self.skeletons = 0

    def stretch(self, piece: Piece, encoding: str) -> Stretch:
        """See `encoded`."""
        found = self._stretches.get((piece, encoding))
        if found is None:
            found = self._stretches[piece, encoding] = encoded(piece, encoding)
            self.fragments += _A_STRETCH + 2 * len(found.body)
        return found

    def count(self, *, joints: int, fragments: int) -> None:
        """Note that so many were added."""
        self.skeletons += joints * _A_JOINT
        self.fragments += fragments * _A_FRAGMENT

    def clear(self) -> None:
        """Forget everything."""
        self._stretches.clear()
        self.fragments = self.skeletons = 0


_LONG, _LINES = 1_500, 16
_A_STRETCH, _A_FRAGMENT, _A_JOINT = 450, 150, 200
