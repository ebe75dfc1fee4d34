"""What the address of the preview page says: whose mail, which, when, in which language and look, and in which view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from dispatcher import clock
from dispatcher.model.values import Layout
from dispatcher.pipeline.preview import Wish
from dispatcher.pipeline.specimens import NAMES
from dispatcher.pipeline.studio import Asked
from dispatcher.web.viewer.panes import View

LONGEST = 254
EARLIEST, LATEST = 1970, 2199  # years in which every zone can be reckoned with
_VIEWS, _LAYOUTS = frozenset(map(str, View)), frozenset(map(str, Layout))


@dataclass(frozen=True, slots=True)
class Query:
    """The page's choices as text. What is not understood counts as not said."""

    reader: str = ""
    mail: str = ""
    at: str = ""
    locale: str = ""
    layout: str = ""
    newsletter: str = ""
    view: View = View.ALL

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Query:
        """The choices in a query string or a form."""
        said = {
            name: _plain(given.get(name, "")) for name in ("reader", "at", "locale", "newsletter", "mail", "layout")
        }
        view = given.get("view", "")
        query = cls(**said, view=View(view) if view in _VIEWS else View.ALL)
        return replace(
            query,
            mail=query.mail if query.mail in NAMES else "",
            layout=query.layout if query.layout in _LAYOUTS else "",
            at=query.at if query.asked.at else "",
        )

    @classmethod
    def of_asked(cls, asked: Asked) -> Query:
        """The choices that are asked for otherwise than by an address."""
        wish, at = asked.wish, f"{asked.at:%Y-%m-%dT%H:%M}" if asked.at else ""
        return cls(asked.reader, asked.mail, at, wish.locale, wish.layout, wish.newsletter)

    @property
    def asked(self) -> Asked:
        """The same for the studio."""
        wish = Wish(locale=self.locale, layout=self.layout, newsletter=self.newsletter)
        return Asked(reader=self.reader, mail=self.mail, at=_instant(self.at), wish=wish)

    @property
    def said(self) -> dict[str, str]:
        """What differs from the page as it first opens."""
        known = {
            "reader": self.reader, "mail": self.mail, "at": self.at, "locale": self.locale, "layout": self.layout,
            "newsletter": self.newsletter, "view": "" if self.view is View.ALL else self.view,
        }  # fmt: skip
        return {name: value for name, value in known.items() if value}

    def path(self, path: str, **more: str) -> str:
        """A link that keeps the choices, and says `more`."""
        query = {**self.said, **more}
        return f"{path}?{urlencode(query)}" if query else path


def _plain(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())[:LONGEST]


def _instant(text: str) -> datetime | None:
    try:
        moment = clock.parse(text) if text else None
    except (ValueError, OverflowError):
        return None
    return moment if moment and EARLIEST <= moment.year <= LATEST else None
