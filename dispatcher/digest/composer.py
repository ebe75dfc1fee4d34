"""The composer: from a digest's outline to its draft, nearly always by putting together what is known already.

    outline ▷ its setting (locale, slot, …) ▷ for subject, text and HTML: the skeleton, each story's fragment ▷ draft

The first digest of a setting is rendered in full. From the second one on skeletons and fragments are learnt, and what
the second one comes to is compared with a full rendering before any is trusted. A digest whose template does what
cannot be followed, or that is too large for one mail, is rendered in full.
"""

from __future__ import annotations

import quopri
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from dispatcher.digest.compose import Outline
from dispatcher.digest.fragments import Stock, Stretch, Told
from dispatcher.digest.recorder import UnsharableError
from dispatcher.digest.render import HTML_LIMIT, PartName, Templates, fit, stem_of
from dispatcher.digest.skeleton import Part, Scene, Shape
from dispatcher.digest.slots import Letterhead, Slot
from dispatcher.digest.transfer import QUOTED_PRINTABLE
from dispatcher.digest.voice import speaking, voice
from dispatcher.digest.wire import Door, Draft, Frame, draft
from dispatcher.model.outbound import Newsletter

FRAGMENTS, SKELETONS = 32_000_000, 8_000_000
"""Octets, roughly, that are remembered of each. When it is more, everything of that kind is forgotten."""

SETTINGS, STRIKES = 200, 3


@dataclass(slots=True)
class _Setting:
    """What is known of the digests of one setting."""

    parts: tuple[Part, ...]
    frames: dict[tuple[str, str], Frame] = field(default_factory=dict)
    is_met: bool = False
    is_trusted: bool = False
    strikes: int = 0
    """Failures one after the other."""


class Composer:
    """Composes the digests of a newsletter with one state of its templates. It remembers what it has composed.

    `refused` is told, once for each reason, why digests are rendered in full each time.
    """

    def __init__(
        self, templates: Templates, newsletter: Newsletter, door: Door, refused: Callable[[str], None] = lambda _: None
    ) -> None:
        self.templates, self.newsletter, self.door = templates, newsletter, door
        self._refused, self._reasons = refused, set[str]()
        self._stock = Stock()
        self._settings: OrderedDict[Hashable, _Setting] = OrderedDict()

    def compose(self, outline: Outline) -> Draft:
        """A digest's draft. TemplateError if the templates are broken."""
        setting = self._setting(outline.setting)
        told = outline.told
        if outline.written is not None:  # of an edition there are as many as there are languages and zones
            return self.render(outline)
        if not setting.is_met or not told or setting.strikes >= STRIKES:
            setting.is_met = True
            return self.render(outline)
        try:
            made = self._put_together(setting, outline, told)
        except Exception as error:  # what a stand-in cannot do; or the template is broken, and so it is in full
            self._strike(setting, error)
            return self.render(outline)
        setting.strikes = 0
        if sum([stretch.size for stretch in made.html]) > HTML_LIMIT:
            return self.render(outline)
        return made if setting.is_trusted else self._compared(setting, made, self.render(outline))

    def render(self, outline: Outline) -> Draft:
        """The same, rendered in full."""
        content = outline.content
        return draft(fit(content, self.newsletter, self.templates), self.newsletter, content, self.door)

    def _setting(self, key: Hashable) -> _Setting:
        """The setting, met or not; when too much is remembered, something is forgotten first."""
        stock = self._stock
        if stock.fragments > FRAGMENTS:
            self._settings.clear()
            stock.clear()
        elif stock.skeletons > SKELETONS:
            for known in self._settings.values():
                for part in known.parts:
                    part.skeletons.clear()
            stock.skeletons = 0
        setting = self._settings.get(key)
        if setting is None:
            setting = self._settings[key] = _Setting(tuple(Part(name, stock) for name in PartName))
            if len(self._settings) > SETTINGS:
                self._settings.popitem(last=False)
        self._settings.move_to_end(key)
        return setting

    def _put_together(self, setting: _Setting, outline: Outline, told: Sequence[Told]) -> Draft:
        """The draft from what is known, and what has to be learnt for it. UnsharableError if that cannot be."""
        shape = outline.shape
        subject, text, html = (self._part(part, outline, shape, told) for part in setting.parts)
        encodings = setting.parts[1].encoding, setting.parts[2].encoding
        frame = setting.frames.get(encodings)
        if frame is None:
            frame = Frame.of(self.newsletter, outline.content, encodings, self.door)
            setting.frames[encodings] = frame
        return Draft(frame, tuple([stretch.content for stretch in subject]), text, html)

    def _part(self, part: Part, outline: Outline, shape: Shape, told: Sequence[Told]) -> list[Stretch]:
        filled = _known(part, shape, told)
        if filled is None:
            self._learn(part, outline, shape, told)
            filled = _known(part, shape, told)
        if filled is None:
            raise UnsharableError("what was learnt from a digest does not make it")
        return filled

    def _learn(self, part: Part, outline: Outline, shape: Shape, told: Sequence[Told]) -> None:
        speaker = voice(outline.locale, outline.timezone)
        stem = stem_of(outline.kind, outline.letter)
        scene = Scene(outline.content, told, shape, Letterhead.of(self.newsletter), speaker, stem)
        with speaking(speaker):
            part.learn(self.templates.marked, scene)

    def _compared(self, setting: _Setting, made: Draft, full: Draft) -> Draft:
        """The full one; the other has shown whether it can be trusted."""
        if _said(made) == _said(full):
            setting.is_trusted = True
        else:
            setting.strikes = STRIKES
            self._refuse("put together it reads otherwise than in full")
        return full

    def _strike(self, setting: _Setting, error: Exception) -> None:
        setting.strikes += 1
        if setting.strikes == STRIKES:
            self._refuse(str(error) if isinstance(error, UnsharableError) else f"{type(error).__name__}: {error}")

    def _refuse(self, reason: str) -> None:
        if reason not in self._reasons:
            self._reasons.add(reason)
            self._refused(reason)


def _known(part: Part, shape: Shape, told: Sequence[Told]) -> list[Stretch] | None:
    skeleton = part.find(shape, told)
    return skeleton.fill(told) if skeleton is not None else None


def _said(made: Draft) -> list[list[bytes | Slot]]:
    """What all readers read, and the slots between, however it was cut."""
    subject = [Stretch(piece, 0) for piece in made.subject]
    parts = (("", subject), (made.frame.text, made.text), (made.frame.html, made.html))
    return [list(_merged(stretches, encoding)) for encoding, stretches in parts]


def _merged(stretches: Sequence[Stretch], encoding: str) -> Iterator[bytes | Slot]:
    octets = b""
    for stretch in stretches:
        if isinstance(stretch.content, Slot):
            yield octets
            yield stretch.content
            octets = b""
        else:
            text = stretch.content.encode()
            octets += quopri.decodestring(text) if encoding == QUOTED_PRINTABLE else text.replace(b"\n", b"\r\n")
    yield octets
