"""Stencils: a personal block filled once for all readers who differ only in what it merely prints.

    {% personal %}For {{ subscriber.name }}: {{ topics|listed }}{% endpersonal %}
        drawn once for each list of topics ──▶ "For ", name, ": Energy and Sport" ──▶ every reader's own name put in

A reader's name, address and links are *carried*: they stand in the drawing as they are, if all that the block does with
them is to print them, also within a translated sentence, or to ask whether they are there. Whatever else it reads is
part of the key that the drawing is kept under. A block that does more with a name or a link (compares it, cuts it) is
drawn for each of its values.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

from jinja2 import nodes
from markupsafe import escape

from dispatcher.digest import jinja
from dispatcher.digest.slots import Letterhead, Links, Slot, fill, names
from dispatcher.model.outbound import Personal

CARRIED = (
    "subscriber.name", "subscriber.email", "links.unsubscribe", "links.preferences", "links.view", "links.action",
)  # fmt: skip
"""What is one reader's own. A drawing says by its place in here which of them goes where."""

KEPT = 4096
"""Drawings kept, over all blocks."""

Drawn = tuple[str | int, ...]
"""Text, and between it the places of what is carried."""


class Use(IntEnum):
    """What a block does with something that could be carried; the most demanding counts."""

    NOTHING = 0
    PRINTS = 1
    WRAPS = 2
    """Prints it in lines of a certain width: its length matters."""
    WORKS = 3


@dataclass(frozen=True)
class Reader:
    """One reader as personal blocks see them. `tongue` is their locale and zone."""

    personal: Personal
    letterhead: Letterhead
    links: Links
    tongue: tuple[str, str]

    @cached_property
    def common(self) -> int:
        """A number that stands for what is not this reader's own: it is cheaper to compare."""
        personal, back = self.personal, self.links.subscribe
        known = (personal.topics, personal.cadence, personal.next_at, back, _number_of(self.letterhead), self.tongue)
        if len(_common) > KEPT:
            _common.clear()
            _drawings.clear()
        return _common.setdefault(known, next(_numbers))

    @property
    def own(self) -> tuple[str, ...]:
        """The values of CARRIED."""
        personal, links = self.personal, self.links
        return (
            personal.name, personal.email, links.unsubscribe, links.preferences, links.view, links.action,
        )  # fmt: skip


def draw(slot: Slot, reader: Reader, own: Sequence[str], *, html: bool) -> Drawn:
    """A block as it is for this reader, but for what is carried. TemplateError if it cannot be rendered.

    To be called while speaking in the reader's voice.
    """
    shape = tuple([_shape(use, own[place]) for place, use in _uses(slot, html)])
    key = (slot, html, shape, reader.common)
    drawn = _drawings.get(key)
    if drawn is None:
        if _looks_like_ours(slot, reader, own):
            return (fill(slot, names(reader.personal, reader.letterhead, reader.links), html=html),)
        drawn = _draw(slot, reader, own, shape, html=html)
        _drawings[key] = drawn
        while len(_drawings) > KEPT:
            _drawings.popitem(last=False)
    return drawn


def printed(value: str, *, html: bool) -> str:
    """What is carried, as it stands in the text."""
    return str(escape(value)) if html else value


_drawings: OrderedDict[Any, Drawn] = OrderedDict()
_common: dict[Any, int] = {}
_letterheads: dict[int, tuple[Letterhead, int]] = {}
_numbers = count()
_FIRST, _FILL, _END = 0xE010, "\ue00f", "\ue00e"
_STAND_IN = re.compile(f"([{chr(_FIRST)}-{chr(_FIRST + len(CARRIED) - 1)}]){_FILL}*{_END}")
_RESERVED = re.compile(f"[\ue000-{chr(_FIRST + len(CARRIED) - 1)}]")


def _number_of(letterhead: Letterhead) -> int:
    """The same for equal letterheads. Nearly always it is the very same object, which is found without a look at it."""
    found = _letterheads.get(id(letterhead))
    if found is None or found[0] is not letterhead:
        number = _common.setdefault(letterhead, next(_numbers))
        if len(_letterheads) > KEPT:
            _letterheads.clear()
        found = _letterheads[id(letterhead)] = letterhead, number
    return found[1]


def _shape(use: Use, value: str) -> Any:
    """What a drawing depends on: whether there is a value, how long it is, or the value itself."""
    if not value:
        return False
    if use is Use.PRINTS and len(value) > 1 and value.isprintable():
        return True
    if use is Use.WRAPS and len(value) > 1 and value.isascii() and value.isprintable() and " " not in value:
        return len(value)
    return value


def _draw(slot: Slot, reader: Reader, own: Sequence[str], shape: Sequence[Any], *, html: bool) -> Drawn:
    known = list(own)
    for (place, _), how in zip(_uses(slot, html), shape, strict=True):
        if how is True or type(how) is int:
            known[place] = _stand_in(place, own[place])
    name, email, unsubscribe, preferences, view, action = known
    personal = replace(reader.personal, name=name, email=email)
    links = Links(unsubscribe, preferences, view, action, reader.links.subscribe)
    return tuple(_parts(fill(slot, names(personal, reader.letterhead, links), html=html)))


def _looks_like_ours(slot: Slot, reader: Reader, own: Sequence[str]) -> bool:
    """Whether somebody's text could be taken for a stand-in. Then nothing is drawn for others as well."""
    personal = reader.personal
    said = (slot.source, *own, *personal.topics, personal.cadence, *map(str, astuple(reader.letterhead)))
    return any(map(_RESERVED.search, said))


def _stand_in(place: int, value: str) -> str:
    return chr(_FIRST + place) + _FILL * (len(value) - 2) + _END


def _parts(text: str) -> Iterator[str | int]:
    """The text cut at its stand-ins."""
    for number, part in enumerate(_STAND_IN.split(text)):
        if number % 2:
            yield ord(part) - _FIRST
        elif part:
            yield part


# What a block does with what could be carried


@lru_cache(maxsize=1024)
def _uses(slot: Slot, html: bool) -> tuple[tuple[int, Use], ...]:
    """Which of CARRIED a block reads, by their places, and how."""
    found = dict.fromkeys(CARRIED, Use.NOTHING)
    for path, use in _used(jinja.environment().parse(slot.source), Use.PRINTS, html):
        for one in CARRIED:
            if one == path or one.startswith(f"{path}."):
                found[one] = max(found[one], use)
    return tuple((place, use) for place, use in enumerate(found.values()) if use is not Use.NOTHING)


def _used(node: nodes.Node, use: Use, html: bool) -> Iterator[tuple[str, Use]]:
    """Every mention of `subscriber` and `links`, or of something of theirs, with what is done with it.

    `use` is what becomes of what stands in `node`: within a filter, or a block that is put into a name, nobody knows.
    """
    match node:
        case nodes.Template() | nodes.Output():
            for child in node.iter_child_nodes():
                yield from _used(child, use, html)
        case nodes.If():
            yield from _tested(node.test, html)
            for branch in (*node.body, *node.elif_, *node.else_):
                yield from _used(branch, use, html)
        case nodes.Getattr(node=nodes.Name(name="subscriber" | "links" as owner), attr=attr):
            yield f"{owner}.{attr}", use
        case nodes.Name(name="subscriber" | "links" as owner):
            yield owner, Use.WORKS
        case nodes.Call(node=nodes.Name(name="_")) if use is not Use.WORKS:
            yield from _said(node, use, html)
        case nodes.Filter(name="wrap", args=[], kwargs=[]) if use is not Use.WORKS and not html:
            assert node.node is not None
            yield from _used(node.node, Use.WRAPS, html)
        case _:
            for child in node.iter_child_nodes():
                yield from _used(child, Use.WORKS, html)


def _tested(node: nodes.Node, html: bool) -> Iterator[tuple[str, Use]]:
    """A bare name in a test is asked only whether it is there."""
    match node:
        case nodes.Getattr(node=nodes.Name(name="subscriber" | "links")):
            yield from _used(node, Use.PRINTS, html)
        case nodes.Not() | nodes.And() | nodes.Or():
            for child in node.iter_child_nodes():
                yield from _tested(child, html)
        case _:
            yield from _used(node, Use.WORKS, html)


def _said(call: nodes.Call, use: Use, html: bool) -> Iterator[tuple[str, Use]]:
    """A translated sentence prints what is put into it."""
    for argument in call.args:
        yield from _used(argument, Use.WORKS, html)
    for keyword in call.kwargs:
        yield from _used(keyword.value, use, html)
    for rest in (call.dyn_args, call.dyn_kwargs):
        if rest is not None:
            yield from _used(rest, Use.WORKS, html)
