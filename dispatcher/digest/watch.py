"""Watches: stand-ins for a digest's content that tell a recorder what a template reads of it.

They answer as what they stand for does. What would give a story away as a whole (to print it, to compare it) is
refused, because nobody could say what was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Protocol

from jinja2.runtime import LoopContext

from dispatcher.digest.fragments import Told
from dispatcher.model.content import Story
from dispatcher.model.outbound import DigestContent, Section


class Notes(Protocol):
    """Who is told."""

    def touch(self, story: StoryWatch, name: str) -> None:
        """A story's field is read."""

    def read(self, watch: Watch, fact: str) -> None:
        """Another fact is read."""

    def open(self) -> None:
        """Somebody goes through stories, or picks one."""

    def refusal(self, reason: str) -> Exception:
        """What was done cannot be followed: what to raise."""


class Watch:
    """Something watched. It is what it is by identity."""

    __slots__ = ("_notes",)
    __hash__ = object.__hash__

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def _fact(self, name: str) -> Any:
        """A fact, without telling anybody."""
        raise NotImplementedError(name)

    def _told(self, name: str) -> Any:
        """The same, told."""
        self._notes.read(self, name)
        return self._fact(name)

    def __eq__(self, other: object) -> bool:
        raise self._notes.refusal("a template compares stories or sections as a whole")

    def __str__(self) -> str:
        raise self._notes.refusal("a template prints a story or a section as a whole")

    __repr__ = __str__


class StoryWatch:
    """A story in its place among all stories of a digest."""

    __slots__ = ("_notes", "_place", "_told")

    def __init__(self, notes: Notes, place: int, told: Told) -> None:
        self._notes, self._place, self._told = notes, place, told

    def __eq__(self, other: object) -> bool:
        raise self._notes.refusal("a template compares stories as a whole")

    def __hash__(self) -> int:
        raise self._notes.refusal("a template compares stories as a whole")

    def __str__(self) -> str:
        raise self._notes.refusal("a template prints a story as a whole")

    __repr__ = __str__


def _field_of_story(name: str) -> property:
    def read(story: StoryWatch) -> Any:
        story._notes.touch(story, name)
        return getattr(story._told.story, name)

    return property(read)


for _field in fields(Story):
    setattr(StoryWatch, _field.name, _field_of_story(_field.name))


class Row(Watch):
    """Stories or sections in their order."""

    __slots__ = ("_items",)

    def __init__(self, notes: Notes, items: Sequence[Any]) -> None:
        super().__init__(notes)
        self._items = tuple(items)

    def _fact(self, name: str) -> int:
        return len(self._items)

    def __len__(self) -> int:
        return int(self._told("length"))

    def __getitem__(self, which: Any) -> Any:
        self._open()
        return self._items[which]

    def __iter__(self) -> Iterator[Any]:
        self._open()
        return iter(self._items)

    def _open(self) -> None:
        self._notes.read(self, "length")
        if self._items and isinstance(self._items[0], StoryWatch):
            self._notes.open()


class SectionWatch(Watch):
    """A section."""

    __slots__ = ("_section", "stories")

    def __init__(self, notes: Notes, section: Section, stories: Sequence[StoryWatch]) -> None:
        super().__init__(notes)
        self._section, self.stories = section, Row(notes, stories)

    @property
    def label(self) -> str:
        """The topic's label."""
        return str(self._told("label"))

    @property
    def layout(self) -> str:
        """How its stories are laid out."""
        return str(self._told("layout"))

    def _fact(self, name: str) -> str:
        return str(getattr(self._section, name))


class ContentWatch(Watch):
    """The digest. All but its stories and their number is the same wherever fragments are shared."""

    __slots__ = ("_content", "sections", "stories")

    def __init__(self, notes: Notes, content: DigestContent, told: Sequence[Told]) -> None:
        super().__init__(notes)
        stories = [StoryWatch(notes, place, one) for place, one in enumerate(told)]
        rest = iter(stories)
        sections = [SectionWatch(notes, one, [next(rest) for _ in one.stories]) for one in content.sections]
        self._content, self.sections, self.stories = content, Row(notes, sections), Row(notes, stories)

    @property
    def more(self) -> int:
        """How many stories were left out."""
        return int(self._told("more"))

    def _fact(self, name: str) -> int:
        return self._content.more


def _field_of_content(name: str) -> property:
    return property(lambda content: getattr(content._content, name))


for _field in fields(DigestContent):
    if not hasattr(ContentWatch, _field.name):
        setattr(ContentWatch, _field.name, _field_of_content(_field.name))


class LoopWatch(Watch):
    """`loop` in a body. What it knows of its neighbours is refused: they are stories, too."""

    __slots__ = ("_loop",)

    def __init__(self, notes: Notes, loop: LoopContext) -> None:
        super().__init__(notes)
        self._loop = loop

    def cycle(self, *values: Any) -> Any:
        """One of the values, in turn."""
        self._notes.read(self, "index0")
        return self._loop.cycle(*values)

    def __len__(self) -> int:
        return int(self._told("length"))

    def __getattr__(self, name: str) -> Any:
        raise self._notes.refusal(f"the body of a loop uses loop.{name}")

    def __call__(self, *args: Any) -> Any:
        raise self._notes.refusal("the body of a loop begins it again")

    def _fact(self, name: str) -> Any:
        return getattr(self._loop, name)


def _fact_of_loop(name: str) -> property:
    return property(lambda loop: loop._told(name))


for _name in ("first", "last", "index", "index0", "revindex", "revindex0", "length", "depth", "depth0"):
    setattr(LoopWatch, _name, _fact_of_loop(_name))
