"""Skeletons: a part of a digest with its stories left out, and how it is learnt from one rendering.

    a rendering    Good morning,  <0> Bridge opens </0>  <1> Tram is late </1>  Yours, the Gazette
    skeleton       Good morning,  [0]                    [1]                    Yours, the Gazette
    families       [0] Bridge opens → …    [1] Tram is late → …

What the body of a loop makes of its story goes into the family of that place, which is shared by all digests in which
the body reads the same besides. What is left is the skeleton, shared by all digests of the same shape that show the
same of those stories it reads by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatcher.digest import markup
from dispatcher.digest.fragments import Body, Family, Stock, Stretch, Stretches, Told, portions
from dispatcher.digest.marking import MarkingEnvironment
from dispatcher.digest.recorder import Recorder, UnsharableError, recording
from dispatcher.digest.render import PartName, Press, shared_names, template_of, try_out
from dispatcher.digest.slots import Letterhead, Pieces, Slot
from dispatcher.digest.transfer import shorter
from dispatcher.digest.voice import Voice
from dispatcher.digest.watch import ContentWatch
from dispatcher.model.outbound import DigestContent

Shape = tuple[Any, ...]
"""What is neither in the stories nor the same for all who share: the sections' labels and lengths, how many more."""

MOST_TOUCHED = 8
"""Fields of stories that a skeleton may depend on. With more of them hardly two digests would share one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One digest, to learn from."""

    content: DigestContent
    told: Sequence[Told]
    shape: Shape
    letterhead: Letterhead
    speaker: Voice
    stem: str


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Stretches with places for stories between them: before each place what stands there, then its family."""

    joints: tuple[tuple[Stretches, Family, int], ...]
    tail: Stretches

    def fill(self, told: Sequence[Told]) -> list[Stretch] | None:
        """The part with these stories. None if one of them was never seen in its place."""
        filled: list[Stretch] = []
        for before, family, place in self.joints:
            if before:
                filled += before
            found = family.get(told[place])
            if found is None:
                return None
            filled += found
        filled += self.tail
        return filled


@dataclass(slots=True)
class Part:
    """What is known of one part of all digests that differ in shape and stories only."""

    name: PartName
    stock: Stock
    encoding: str = ""
    bodies: dict[int, Body] = field(default_factory=dict)
    touched: list[tuple[int, str]] = field(default_factory=list)
    skeletons: dict[Hashable, Skeleton] = field(default_factory=dict)
    slots: set[Slot] = field(default_factory=set)

    def find(self, shape: Shape, told: Sequence[Told]) -> Skeleton | None:
        """A digest's skeleton, if it is known."""
        return self.skeletons.get(self._key(shape, told))

    def learn(self, press: Press, scene: Scene) -> None:
        """Learn from one digest; then it can be filled, and others like it. UnsharableError if that cannot be.

        To be called while speaking in the digest's voice.
        """
        afresh = False
        for _ in range(_PASSES):
            recorder, text = _record(press, self, scene, afresh=afresh)
            if recorder.has_learnt:
                self.skeletons.clear()  # their places are too coarse
            elif self._take(press, scene, recorder, text):
                return
            else:
                afresh = True
        raise UnsharableError("no rendering is like the one before")

    def _take(self, press: Press, scene: Scene, recorder: Recorder, text: str) -> bool:
        """Keep what a rendering shows. False if it lacks what was made, but never in such a place."""
        around, made, places = _cut(press, self.name, recorder, text)
        marks = list(zip(recorder.marks, places, strict=True))
        if any(not m.is_made and m.story._told not in m.grounds.families.get(place, ()) for m, place in marks):
            return False
        shared = [press.split(chunk) for chunk in around]
        fragments = {number: press.split(fragment) for number, fragment in made.items()}
        self._settle(scene.letterhead, [*shared, *fragments.values()])
        joints = []
        for number, (mark, place) in enumerate(marks):
            family = mark.grounds.families.setdefault(place, {})
            if number in fragments:
                family[mark.story._told] = self._stretches(fragments[number])
            joints.append((self._stretches(shared[number]), family, mark.story._place))
        self._touch(recorder.touched)
        self.skeletons[self._key(scene.shape, scene.told)] = Skeleton(tuple(joints), self._stretches(shared[-1]))
        self.stock.count(joints=len(joints) + 1, fragments=len(fragments))
        return True

    def _settle(self, letterhead: Letterhead, all_pieces: Sequence[Pieces]) -> None:
        """Try new slots out, and with the first digest choose how this part is encoded (F6)."""
        for pieces in all_pieces:
            fresh = tuple(piece for piece in pieces if isinstance(piece, Slot) and piece not in self.slots)
            try_out(fresh, self.name, letterhead)
            self.slots.update(fresh)
        if not self.encoding and self.name is not PartName.SUBJECT:
            self.encoding = shorter(piece for pieces in all_pieces for piece in pieces if isinstance(piece, str))

    def _touch(self, touched: Iterable[tuple[int, str]]) -> None:
        """Note what a skeleton depends on. Whatever was kept without is no longer found."""
        if fresh := [one for one in touched if one not in self.touched]:
            self.touched += fresh
            self.skeletons.clear()
        if len(self.touched) > MOST_TOUCHED:
            raise UnsharableError("too much of the stories is read outside of loops over them")

    def _stretches(self, pieces: Pieces) -> Stretches:
        return tuple(self.stock.stretch(piece, self.encoding) for piece in portions(pieces))

    def _key(self, shape: Shape, told: Sequence[Told]) -> Hashable:
        if not self.touched:
            return shape
        return shape, *[getattr(told[place].story, name) if place < len(told) else None for place, name in self.touched]


_PASSES = 8


def _record(press: Press, part: Part, scene: Scene, *, afresh: bool) -> tuple[Recorder, str]:
    """Render a part under the eyes of a recorder."""
    environment = press.environment
    assert isinstance(environment, MarkingEnvironment)
    name = template_of(scene.stem, part.name)
    environment.survey(name)
    recorder = Recorder(scene.shape, part.bodies, environment.globals, afresh=afresh)
    with recording(recorder):
        content = ContentWatch(recorder, scene.content, scene.told)
        text = press.render(name, shared_names(content, scene.letterhead, scene.speaker))
    if recorder.refused:
        raise UnsharableError(recorder.refused)
    return recorder, text


def _cut(
    press: Press, part: PartName, recorder: Recorder, text: str
) -> tuple[list[str], Mapping[int, str], Sequence[Hashable]]:
    """A finished rendering: what is around its marks, what was made between, and where each stands in the page.

    UnsharableError if what stands between them has an effect on what is around.
    """
    if part is PartName.HTML:
        text = recorder.with_table_bodies(text)
    bare = recorder.bare(text)
    sources, made = recorder.cut(text)
    around, _ = recorder.cut(press.finish(part, bare))
    with_all, finished = recorder.cut(press.finish(part, text)) if made else (around, {})
    if around != with_all:
        raise UnsharableError("the body of a loop changes what is around it")
    if recorder.marks and part is not PartName.SUBJECT and not (around[0].strip("\n") and around[-1].strip("\n")):
        raise UnsharableError("a loop over stories begins or ends the text: empty lines there do not count")
    if part is not PartName.HTML:
        return around, finished, [None] * len(recorder.marks)
    markup.check_styles(bare)
    for source in (*sources[:-1], *made.values()):
        markup.check_edge(source)
    for fragment in (*made.values(), *finished.values()):
        markup.check_balance(fragment)
    return around, finished, list(markup.surroundings(around))
