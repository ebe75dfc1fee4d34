"""Templates as their author sees them: whose each is, a copy of ours to change, and whether all is well with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dispatcher
from dispatcher.config import Settings
from dispatcher.digest import voice
from dispatcher.digest.ejection import ejected, is_outdated
from dispatcher.digest.files import Fault, FileMap, gather
from dispatcher.digest.inspection import remarks
from dispatcher.digest.jinja import nearest
from dispatcher.digest.rehearsal import first_fault
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.understudy import sound
from dispatcher.errors import TemplateError
from dispatcher.model.outbound import Newsletter
from dispatcher.pipeline.context import default_newsletter, open_templates
from dispatcher.pipeline.publications import published

_MAKES = {
    "digest": "digests",
    "alert": "one story, or a few, as it happens",
    "confirm": "the letter that asks for a confirmation",
    "manage": "the letter with the link to what one gets",
    "verify": "the letter with the link to one's data",
    "address": "the letter that confirms a new address",
    "moved": "the letter to the old address",
    "owner": "letters to the owner",
    "welcome": "the letter to new readers",
    "goodbye": "the letter to who has left",
    "layout": "what all mails have around them",
    "letter": "what all letters have around them",
    "style": "the style sheet",
    "story": "one story",
    "footer": "why a mail came, how to leave, who sent it",
    "button": "a button",
    "preheader": "what stands beside the subject",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A template: whose it is ("ours", "yours", "config"), in which file, what it makes, and what there is to say."""

    name: str
    whose: str
    file: str
    makes: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with templates, and what is only worth a remark."""

    faults: Sequence[Fault]
    remarks: Sequence[str]


def listing(settings: Settings) -> list[Entry]:
    """All templates by name, of mails and of pages. TemplateError if the folder is none."""
    collection = open_templates(settings).collection
    pages, faults = gather(settings.resolve(settings.templates.folder), of_pages=True)
    ours = _ours()
    theirs = {**collection.theirs, **pages}
    broken = {fault.name: fault.reason for fault in (*collection.faults, *faults)}
    return [_entry(name, ours, theirs, broken) for name in sorted({*ours, *theirs, *broken})]


def eject(settings: Settings, names: Sequence[str]) -> dict[Path, str]:
    """Copies of these templates of ours, by the file each belongs in; without names of all. TemplateError: no such."""
    ours, folder = _ours(), settings.resolve(settings.templates.folder)
    for name in names:
        if name not in ours:
            raise TemplateError(f"there is no template {name!r}{_near(name, ours)}")
    return {folder / name: ejected(name, ours[name][0], dispatcher.__version__) for name in names or sorted(ours)}


def check(settings: Settings) -> Verdict:
    """Render everything in every language. TemplateError if one of ours is broken."""
    newsletters = published(settings, default_newsletter(settings))
    languages = [settings.site.language, *sorted(path.stem for path in voice.WORDS.glob("*.po"))]

    def fails(templates: Templates) -> TemplateError | None:
        return first_fault(templates, newsletters, languages[:1]) or _elsewhere(templates, newsletters[0], languages)

    templates = sound(open_templates(settings), fails)
    if not templates.collection.faults and (error := fails(templates)):
        raise error
    return Verdict(templates.collection.faults, remarks(templates, newsletters[0]))


def _elsewhere(templates: Templates, newsletter: Newsletter, languages: Sequence[str]) -> TemplateError | None:
    """What goes wrong in another language, where words are longer, and run the other way."""
    return first_fault(templates, [newsletter], list(dict.fromkeys(languages[1:])), in_short=True)


def _ours() -> FileMap:
    found: FileMap = {}
    for of_pages in (False, True):
        found |= gather(builtin_folder(), of_pages=of_pages)[0]
    return found


def _entry(name: str, ours: FileMap, theirs: FileMap, broken: dict[str, str]) -> Entry:
    if name in broken:
        return Entry(name, "yours", "", _makes(name), broken[name])
    if name not in theirs:
        return Entry(name, "ours", ours[name][1], _makes(name))
    source, file = theirs[name]
    whose = "config" if name.startswith("config/") else "yours"
    return Entry(name, whose, file, _makes(name), _remark(source, ours[name][0]) if name in ours else "")


def _remark(source: str, ours: str) -> str:
    match is_outdated(source, ours):
        case True:
            return "ours has changed since you copied it"
        case False:
            return "" if source.partition("\n")[2] != ours else "as ours"
        case _:
            return ""


def _makes(name: str) -> str:
    folder, _, file = name.partition("/")
    if folder == "web":
        return "a page for operators" if file.startswith("admin/") else "a page for readers"
    stem, *rest = file.split(".")
    part = {"subject": "subject", "txt": "text", "html": "HTML"}.get(rest[0] if rest else "", "")
    if rest[:1] == ["preheader"]:
        part = "preheader"
    return ": ".join(filter(None, (part, _MAKES.get(stem, stem))))


def _near(name: str, known: FileMap) -> str:
    """A hint, unless it were a list of everything."""
    hint = nearest(name, known)
    return hint if hint.endswith("?") else "; `dispatcher templates list` has them all"


def lines(verdict: Verdict) -> Iterator[str]:
    """What a verdict says, one line for each thing."""
    yield from (f"error: {fault.reason}" for fault in verdict.faults)
    yield from (f"warning: {remark}" for remark in verdict.remarks)
