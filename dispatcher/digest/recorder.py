"""Recording a rendering: where the bodies of loops over stories stand in it, and what else it depends on.

What a body reads besides its story tells which digests may share what it made; what is read of a story outside of such
a body tells which digests may share the rest. Whatever cannot be told apart so is refused, and then the template is
rendered in full for every digest.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from jinja2.environment import TemplateModule
from jinja2.runtime import LoopContext, Macro, Undefined

from dispatcher.digest.fragments import WHOLE, Body, Grounds, Read
from dispatcher.digest.slots import Letterhead
from dispatcher.digest.watch import LoopWatch, StoryWatch, Watch
from dispatcher.model.theme import Theme


class UnsharableError(Exception):
    """A template does what cannot be told apart: it is rendered in full for each digest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a body stands in a rendering: whose story it shows, on which grounds, and whether it was made just now."""

    story: StoryWatch
    body: Body
    grounds: Grounds
    is_made: bool

    @property
    def is_row(self) -> bool:
        """Whether it always begins with a row of a table."""
        return self.body.begins == {_ROW}


@dataclass(slots=True)
class _Making:
    """A body that is being made: its story, the values it knows, and what it reads of them."""

    story: StoryWatch
    values: Sequence[Any]
    reads: list[Read] = field(default_factory=list)


class Recorder:
    """What one rendering reads, and the marks in it.

    `shape` is the digest's; `bodies` is what earlier renderings have left, and this one adds to; `constants` are what
    every template knows. `afresh` makes known bodies, too.
    """

    def __init__(
        self, shape: Hashable, bodies: dict[int, Body], constants: Mapping[str, Any], *, afresh: bool = False
    ) -> None:
        self._shape, self._bodies, self._constants, self._afresh = shape, bodies, constants, afresh
        self.marks: list[Mark] = []
        self.touched: dict[tuple[int, str], None] = {}
        self.refused = ""
        self.has_learnt = False
        """Whether a body has read more than was known: then this rendering's marks are too coarse, and it is void."""
        self._making: _Making | None = None
        self._captures = 0

    # What a template does

    def body(self, number: int, item: Any, known: dict[str, Any], caller: Callable[..., str]) -> str:
        """The body of a loop: as it is, or, if it shows a story, between two marks, or as a mark alone."""
        if self._making is not None or self._captures or not isinstance(item, StoryWatch):
            return caller(*known.values())
        values = [LoopWatch(self, value) if isinstance(value, LoopContext) else value for value in known.values()]
        body = self._bodies.setdefault(number, Body())
        frozen = tuple(
            self._frozen(name, value) for name, value in zip(known, values, strict=True) if value is not item
        )
        grounds = body.on((frozen, tuple(self._value(values, read) for read in body.reads)))
        number = len(self.marks)
        is_made = self._afresh or not grounds.know(item._told)
        self.marks.append(Mark(item, body, grounds, is_made))
        text = _BEGINNING % number + self._make(body, item, values, caller) if is_made else ""
        return text + _END % number

    def capture(self, by: int) -> str:
        """A stretch begins (1) or ends (-1) that goes into an expression, where no mark would be left alone."""
        self._captures += by
        return ""

    def _make(self, body: Body, item: StoryWatch, values: Sequence[Any], caller: Callable[..., str]) -> str:
        self._making = making = _Making(item, values)
        try:
            text = str(caller(*values))
        finally:
            self._making = None
        self.has_learnt |= body.learn(making.reads, text[: len(_ROW)])
        return text

    # What the watches tell

    def touch(self, story: StoryWatch, name: str) -> None:
        """A story's field is read."""
        if self._making is None:
            self.touched[story._place, name] = None
        elif self._making.story is not story:
            raise self.refusal("the body of a loop reads another story than its own")

    def read(self, watch: Watch, fact: str) -> None:
        """Another fact is read."""
        if self._making is not None:
            places = (place for place, value in enumerate(self._making.values) if value is watch)
            place = next(places, -1)
            self._making.reads.append((place, fact) if place >= 0 else WHOLE)

    def open(self) -> None:
        """Somebody goes through stories, or picks one."""
        if self._making is not None:
            raise self.refusal("the body of a loop over stories goes through other stories")

    def refusal(self, reason: str) -> UnsharableError:
        """What to raise to give this template up; noted as well, should anybody catch it."""
        self.refused = reason
        return UnsharableError(reason)

    # Keys

    def _value(self, values: Sequence[Any], read: Read) -> Hashable:
        if read == WHOLE:
            return self._shape
        place, fact = read
        watch = values[place]
        return watch._fact(fact) if isinstance(watch, Watch) else None

    def _frozen(self, name: str, value: Any) -> Hashable:
        """A value as part of a key. Of what is watched only its kind: what is read of it is told."""
        if self._constants.get(name) is value:
            return name
        if isinstance(value, Watch | Letterhead | Theme | Undefined | Macro | TemplateModule):
            return type(value).__name__
        if value is None or isinstance(value, str | int | float | date | timedelta):
            return type(value), value
        if isinstance(value, list | tuple):
            return type(value), tuple(self._frozen("", one) for one in value)
        if isinstance(value, dict):
            return dict, tuple((self._frozen("", key), self._frozen("", one)) for key, one in value.items())
        raise self.refusal(f"the body of a loop knows {name!r}, which may change: {type(value).__name__}")

    # Marks

    def with_table_bodies(self, text: str) -> str:
        """The rendering with the `<tbody>` that an HTML parser adds before a row, even if the row was not made."""
        return _IN_TABLE.sub(lambda found: f"{found[1]}<tbody>" if self.marks[int(found[2])].is_row else found[1], text)

    def bare(self, text: str) -> str:
        """The rendering with its marks, and nothing between them."""
        return _BETWEEN.sub(r"\2", text)

    def cut(self, text: str) -> tuple[list[str], dict[int, str]]:
        """A rendering cut at its marks: what stands around them, and by mark what was made between."""
        if f"\r<!--{_TOKEN}" in text:
            raise self.refusal("a loop over stories stands where half of a line end could be")
        parts = _MARK.split(text)
        around, between = parts[:1], {}
        for sign, number, following in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            place = len(around) - 1
            if int(number) != place or (sign == "+" and place in between):
                raise self.refusal("the marks of a rendering have been moved")
            if sign == "+":
                between[place] = following
            else:
                around.append(following)
        if len(around) != len(self.marks) + 1 or any(_TOKEN in part for part in (*around, *between.values())):
            raise self.refusal("a loop over stories stands where no mark can be left")
        return around, between


_TOKEN = secrets.token_hex(8)  # nobody can know it, so nobody's text can look like a mark
_BEGINNING, _END = f"<!--{_TOKEN}+%d-->", f"<!--{_TOKEN}-%d-->"
_MARK = re.compile(f"<!--{_TOKEN}([+-])([0-9]+)-->")
_ROW = "<tr"
_IN_TABLE = re.compile(rf"(<table\b[^<>]*>\s*)(?=<!--{_TOKEN}[+-]([0-9]+)-->)", re.IGNORECASE)
_BETWEEN = re.compile(rf"<!--{_TOKEN}\+([0-9]+)-->.*?(<!--{_TOKEN}-\1-->)", re.DOTALL)
_recorder: ContextVar[Recorder] = ContextVar("recorder")


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Within this block `recorder` is told of everything."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


def current() -> Recorder:
    """The recorder of the rendering that is under way."""
    return _recorder.get()
