"""Slots: the personal parts of a rendering, and filling them for one reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Template

from dispatcher.digest import jinja
from dispatcher.digest.bounds import BoundedEnvironment
from dispatcher.digest.faults import blaming
from dispatcher.model.outbound import Newsletter, Personal
from dispatcher.model.theme import OURS, Theme


@dataclass(frozen=True, slots=True)
class Slot:
    """A personal block: its Jinja source, and where it was written."""

    source: str
    template: str
    line: int


Piece = str | Slot
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Letterhead:
    """A newsletter as templates see it. `contact` is the address that readers' replies go to."""

    name: str
    slug: str
    sender: str
    contact: str
    url: str
    language: str
    postal_address: str
    theme: Theme = OURS

    @classmethod
    def of(cls, newsletter: Newsletter) -> Letterhead:
        """What templates may know of a newsletter's row."""
        contact = (newsletter.reply_to or newsletter.sender).rpartition("<")[2].rstrip("> ")
        return cls(
            name=newsletter.name,
            slug=newsletter.slug,
            sender=newsletter.sender,
            contact=contact.strip(),
            url=newsletter.url,
            language=newsletter.language,
            postal_address=newsletter.postal_address,
            theme=Theme.of(newsletter.theme or {}),
        )

    @classmethod
    def loads(cls, stored: Mapping[str, Any]) -> Letterhead:
        """The letterhead that was kept as JSON."""
        return cls(**{**stored, "theme": Theme.of(stored.get("theme", {}))})


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses that are a reader's own; empty is "there is none".

    `action` is what a letter asks them to open; `subscribe` is the form: for who has left, and for
    whoever sees a digest as a page.
    """

    unsubscribe: str = ""
    preferences: str = ""
    view: str = ""
    action: str = ""
    subscribe: str = ""


def names(personal: Personal, letterhead: Letterhead, links: Links) -> dict[str, Any]:
    """What a personal block knows: PERSONAL_NAMES, with their values for one reader."""
    return {
        "subscriber": personal,
        "topics": personal.topics,
        "cadence": personal.cadence,
        "newsletter": letterhead,
        "theme": letterhead.theme,
        "links": links,
    }


def fill(slot: Slot, known: dict[str, Any], *, html: bool) -> str:
    """A slot's text for one reader, in the current voice. TemplateError if it cannot be rendered."""
    with blaming(slot.template, first_line=slot.line):
        _environment(html).begin()
        return _compiled(slot, html).render(known)


@lru_cache(maxsize=1024)
def _compiled(slot: Slot, html: bool) -> Template:
    """The comments at both ends keep Jinja from trimming blanks that were trimmed in their own place already."""
    environment = _environment(html)
    code = environment.compile(f"{{#+ +#}}{slot.source}{{#+ +#}}", None, slot.template or "<personal>")
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


@lru_cache(maxsize=2)
def _environment(html: bool) -> BoundedEnvironment:
    return jinja.environment(html=html)
