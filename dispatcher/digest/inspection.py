"""What is not wrong with templates, but not as it should be either: each remark is one sentence for their author."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from jinja2 import TemplateSyntaxError, nodes

from dispatcher.digest import jinja
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.files import FileMap
from dispatcher.digest.fragments import Told
from dispatcher.digest.jinja import PERSONAL_NAMES, SHARED_NAMES
from dispatcher.digest.openings import OCCASIONS, PREHEADERS, SUBJECTS, file_name
from dispatcher.digest.personal import PersonalExtension
from dispatcher.digest.rehearsal import scenario
from dispatcher.digest.render import HTML_LIMIT, Templates
from dispatcher.digest.slots import Letterhead, Links, Pieces, Slot, fill, names
from dispatcher.digest.voice import speaking, voice
from dispatcher.digest.wire import Door
from dispatcher.model.outbound import DigestContent, Newsletter, Personal
from dispatcher.model.values import DeliveryKind, Layout

_LEAVE = "https://leave.invalid/here"
_OF_A_LIST = (DeliveryKind.DIGEST, DeliveryKind.ALERT, DeliveryKind.BREAKING, DeliveryKind.EDITION)
_READER = Personal(name="Ada", email="ada@reader.example", topics=("Local news",), cadence="daily at 07:30")
_DIGESTS = 4


def remarks(templates: Templates, newsletter: Newsletter) -> list[str]:
    """All that is to be said of templates that render. Each thing is said once."""
    said = [
        *_misplaced_names(templates),
        *_idle(templates),
        *_without_way_out(templates, newsletter),
        *_too_large(templates, newsletter),
        *_unsharable(templates, newsletter),
    ]
    return list(dict.fromkeys(said))


def _misplaced_names(templates: Templates) -> Iterator[str]:
    """Names that exist in personal blocks only, where nothing has been rendered that would have shown it."""
    environment = jinja.environment()
    PersonalExtension.join(environment)
    personal = {*PERSONAL_NAMES} - {*SHARED_NAMES}
    for name, (source, file) in templates.collection.theirs.items():
        try:
            tree = environment.parse(source, name, file)
        except TemplateSyntaxError:
            continue  # an error, of which the rehearsal tells, if anything draws on it
        own = {used.name for used in tree.find_all(nodes.Name) if used.ctx != "load"}
        for used in tree.find_all(nodes.Name):
            if used.name in personal - own:
                yield f"{file}:{used.lineno}: {used.name} exists inside {{% personal %}} only"


def _idle(templates: Templates) -> Iterator[str]:
    """Files of which nothing makes use."""
    ours, theirs = templates.collection.ours, templates.collection.theirs
    known = {*ours, *(file_name(table, occasion) for table in (SUBJECTS, PREHEADERS) for occasion in OCCASIONS)}
    for name, (_, file) in theirs.items():
        if name in known or name.startswith("config/") or _is_drawn_on(name, theirs):
            continue
        near = get_close_matches(name, known, n=1)
        yield f"{file}: nothing makes use of it{f'; did you mean {near[0]}?' if near else ''}"
    layout = theirs.get("email/layout.html.j2")
    has_lines = any(PREHEADERS[:-1] in name for name in theirs if name.startswith("config/"))
    if layout and has_lines and "email/preheader.html.j2" not in layout[0]:
        yield f'{layout[1]}: [preheaders] are not shown without {{% include "email/preheader.html.j2" %}}'


def _is_drawn_on(name: str, theirs: FileMap) -> bool:
    return any(name in source for other, (source, _) in theirs.items() if other != name)


def _without_way_out(templates: Templates, newsletter: Newsletter) -> Iterator[str]:
    letterhead, links = Letterhead.of(newsletter), Links(unsubscribe=_LEAVE)
    for content in scenario():
        if content.kind not in _OF_A_LIST:
            continue
        rendered = templates.render(content, newsletter)
        for what, pieces in (("text", rendered.text), ("HTML", rendered.html)):
            if _LEAVE not in _filled(pieces, content, letterhead, links, html=what == "HTML"):
                yield f"the {what} of a mail of the kind {content.kind!s} has no link to leave (links.unsubscribe)"


def _filled(pieces: Pieces, content: DigestContent, letterhead: Letterhead, links: Links, *, html: bool) -> str:
    known = names(_READER, letterhead, links)
    with speaking(voice(content.locale, content.timezone)):
        return "".join(fill(one, known, html=html) if isinstance(one, Slot) else one for one in pieces)


def _too_large(templates: Templates, newsletter: Newsletter) -> Iterator[str]:
    for content in scenario():
        size = templates.render(content, newsletter).html_size
        if size > HTML_LIMIT:
            count = len(content.stories)
            yield (
                f"the HTML of the kind {content.kind!s} has {size:,} bytes with {count} short stories; above "
                f"{HTML_LIMIT:,} mail programs cut it off, so stories are left out"
            )


def _unsharable(templates: Templates, newsletter: Newsletter) -> Iterator[str]:
    """Why digests are rendered in full each time, if they are."""
    reasons: list[str] = []
    composer = Composer(templates, newsletter, Door(), refused=reasons.append)
    plain = next(scenario())
    told = [Told(replace(story, title=f"{story.title} {n}")) for n in range(_DIGESTS) for story in plain.stories]
    for layout in Layout:
        for n in range(_DIGESTS):
            composer.compose(_outline(plain, layout, told[n:] + told[:n]))
    yield from (f"digests are rendered in full each time, which is slow for many readers: {one}" for one in reasons)


def _outline(plain: DigestContent, layout: str, told: list[Told]) -> Outline:
    sections = [("Local news", told[:-1]), ("Sport", told[-1:])]
    return Outline(plain.kind, plain.locale, plain.timezone, plain.cadence, plain.slot_at, sections, 2, layout)
