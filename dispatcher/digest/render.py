"""Rendering: a digest's content and a newsletter's templates, made into subject, text and HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import css_inline

from dispatcher.digest import jinja
from dispatcher.digest.body import mailed
from dispatcher.digest.bounds import BoundedEnvironment
from dispatcher.digest.collection import Collection
from dispatcher.digest.faults import blaming
from dispatcher.digest.files import FileMap, Files, read, version
from dispatcher.digest.fragments import size_of
from dispatcher.digest.marking import MarkingEnvironment
from dispatcher.digest.personal import PersonalExtension
from dispatcher.digest.plain import cut_at_word
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.voice import Voice, speaking, voice
from dispatcher.model.content import Story
from dispatcher.model.edition import Written
from dispatcher.model.outbound import DigestContent, Newsletter, Personal
from dispatcher.model.values import DeliveryKind

HTML_LIMIT = 95_000
"""Bytes of decoded HTML. Gmail cuts a mail off at about 100,000 (F9)."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A digest as its readers share it: text, with slots where they differ."""

    subject: Pieces
    text: Pieces
    html: Pieces

    @property
    def html_size(self) -> int:
        """Bytes of the HTML, with an allowance for what will be put into the slots."""
        return sum(map(size_of, self.html))


def builtin_folder() -> Path:
    """Our own templates: inside the package once it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "_templates"
    return packaged if packaged.is_dir() else package.parent / "templates"


class Templates:
    """The templates of some folders as they are now; a file in an earlier folder hides its namesake in a later one.

    TemplateError if a file cannot be read.
    """

    def __init__(self, folders: Sequence[Path] = (), *, collection: Collection | None = None) -> None:
        self.collection = collection or Collection(read(folders), {})
        self._files = self.collection.files
        self._press = Press(self._files, jinja.environment(Files(self._files)))
        self.version = version(self._files)

    @cached_property
    def marked(self) -> Press:
        """The same templates, marked for a recorder."""
        return Press(self._files, jinja.environment(Files(self._files), kind=MarkingEnvironment))

    def render(self, content: DigestContent, newsletter: Newsletter) -> Rendered:
        """What all readers of this digest share. TemplateError names file, line, and what was probably meant."""
        stem = stem_of(content.kind, content.letter)
        speaker = voice(content.locale, content.timezone)
        letterhead = Letterhead.of(newsletter)
        known = shared_names(content, letterhead, speaker)
        with speaking(speaker):
            subject, text, html = (self._press.pieces(part, stem, known) for part in PartName)
            for part, pieces in zip(PartName, (subject, text, html), strict=True):
                try_out(pieces, part, letterhead)
        return Rendered(subject, text, html)


class PartName(StrEnum):
    """What a message is made of; each has a template."""

    SUBJECT = "subject"
    TEXT = "txt"
    HTML = "html"


class Press:
    """One Jinja over template files, and what becomes of what it renders."""

    def __init__(self, files: FileMap, environment: BoundedEnvironment) -> None:
        self._files, self.environment = files, environment
        self._personal = PersonalExtension.join(environment)
        self._inliner = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)

    def pieces(self, part: PartName, stem: str, known: Mapping[str, Any]) -> Pieces:
        """A part as its readers share it. TemplateError if the template is broken."""
        name = template_of(stem, part)
        path = self._files[name][1] if name in self._files else name
        with blaming(path, [file for _, file in self._files.values()]):
            return self.split(self.finish(part, self.render(name, known)))

    def render(self, name: str, known: Mapping[str, Any]) -> str:
        """What a template says."""
        self.environment.begin()
        return self.environment.get_template(name).render(known)

    def finish(self, part: PartName, text: str) -> str:
        """The text as it may go out; HTML with its style sheet written into its tags."""
        text = tidy(text)
        if part is PartName.SUBJECT:
            return text
        if part is PartName.HTML:
            text = self._inliner.inline(self._personal.shield(text))
        return text.strip("\n") + "\n"

    def split(self, text: str) -> Pieces:
        """The text cut at its personal blocks. ValueError if one was damaged."""
        return self._personal.split(text)


def stem_of(kind: DeliveryKind, letter: str = "") -> str:
    """What the templates of a digest are called."""
    return letter or _STEMS.get(kind, "alert")


def template_of(stem: str, part: PartName) -> str:
    """The template of one part."""
    return f"email/{stem}.{part}.j2"


def fit(content: DigestContent, newsletter: Newsletter, templates: Templates, limit: int = HTML_LIMIT) -> Rendered:
    """Render as many stories as fit into `limit` octets of HTML; the rest counts as `more`, and the footer stays (F9).

    A single story that is too long is cut, and so is what was written by a person.
    """
    rendered = templates.render(content, newsletter)
    if rendered.html_size <= limit:
        return rendered

    def is_small(smaller: DigestContent) -> bool:
        return templates.render(smaller, newsletter).html_size <= limit

    kept = _most(len(content.stories) - 1, lambda count: is_small(_first(content, count)))
    if kept:
        return templates.render(_first(content, kept), newsletter)
    single = _first(content, 1)
    steps = _most(limit // _CUT_STEP, lambda steps: is_small(_cut(single, steps * _CUT_STEP)))
    return templates.render(_cut(single, steps * _CUT_STEP), newsletter)


def tidy(text: str) -> str:
    """Text without the control characters that no mail may hold, one kind of line end, and nothing unencodable."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode()


_STEMS = {DeliveryKind.DIGEST: "digest", DeliveryKind.EDITION: "edition"}
_CUT_STEP = 512  # characters
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SAMPLE = Personal(name="Ada", email="ada@example.org", topics=("One", "Two"), cadence="daily at 07:30")
_NO_LINKS = Links()


def shared_names(content: Any, letterhead: Letterhead, speaker: Voice) -> dict[str, Any]:
    """What a template knows outside `{% personal %}`: jinja.SHARED_NAMES."""
    return {
        "newsletter": letterhead,
        "theme": letterhead.theme,
        "digest": content,
        "sections": content.sections,
        "stories": content.stories,
        "more": content.more,
        "lang": speaker.lang,
        "dir": speaker.dir,
    }


def try_out(
    pieces: Pieces, part: PartName, letterhead: Letterhead, reader: Personal = _SAMPLE, links: Links = _NO_LINKS
) -> None:
    """Fill every slot once for an invented reader: a mistake in one shows now, not in the middle of a sending."""
    known = names(reader, letterhead, links)
    for piece in pieces:
        if isinstance(piece, Slot):
            fill(piece, known, html=part is PartName.HTML)


def _most(limit: int, is_possible: Callable[[int], bool]) -> int:
    """The largest number up to `limit` that is possible; 0 if none is."""
    low, high = 0, max(limit, 0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_possible(middle) else (low, middle - 1)
    return low


def _first(content: DigestContent, count: int) -> DigestContent:
    """The digest with its first stories only; the others are counted."""
    stories = iter(content.stories[:count])
    sections = [replace(s, stories=tuple(islice(stories, len(s.stories)))) for s in content.sections]
    left_out = len(content.stories) - count
    return replace(content, sections=tuple(s for s in sections if s.stories), more=content.more + max(left_out, 0))


def _cut(content: DigestContent, length: int) -> DigestContent:
    """The digest with every text cut to `length` characters."""

    def cut(story: Story) -> Story:
        body, html = cut_at_word(story.body, length), mailed(story.body_html, longest=length) if length else ""
        return replace(story, summary=cut_at_word(story.summary, length), body=body, body_html=html)

    sections = tuple(replace(s, stories=tuple(map(cut, s.stories))) for s in content.sections)
    return replace(content, sections=sections, written=_cut_written(content.written, length))


def _cut_written(written: Written | None, length: int) -> Written | None:
    if written is None:
        return None
    shorter = [replace(one, html=mailed(one.html, longest=length)) if one.html else one for one in written.blocks]
    return replace(written, blocks=tuple(shorter))
