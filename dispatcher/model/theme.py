"""The theme: colours, logo, fonts and pictures of a newsletter's mails, and whether its words can be read.

    stored (what the publisher chose) ──▶ Theme.of ──▶ every colour, its twin for dark mode, what follows from both

A colour that is not chosen is ours; the twin of a chosen one is derived from it. What cannot be used is passed over
rather than refused: a row that somebody wrote by hand must not stop the mail. The configuration is checked, with `flaw`
and `faint`, before it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dispatcher.model.colours import contrast, is_grey, legible, mixed, readable_on, toned

AA = 4.5
"""The least contrast of text with what is behind it. WCAG 2.2 §1.4.3"""

IMAGES = ("remote", "inline", "none")


@dataclass(frozen=True, slots=True)
class Theme:
    """How mails look. `accent` is for links, labels and buttons; `paper` is around the `sheet` that news stand on.

    `ink` is for words, `muted` for what stands beside them, `rule` for lines. A `dark_` colour is its twin in dark
    mode. `logo_width` is in CSS pixels. Of fonts the first is used that the reader's device has: none is loaded.
    """

    accent: str = "#a3271b"
    paper: str = "#f4f1ea"
    sheet: str = "#ffffff"
    ink: str = "#1c1a17"
    muted: str = "#5f594f"
    rule: str = "#e2dccf"
    dark_accent: str = "#ff9b85"
    dark_paper: str = "#121110"
    dark_sheet: str = "#1d1b19"
    dark_ink: str = "#f1ede5"
    dark_muted: str = "#b3aca0"
    dark_rule: str = "#3a3732"
    logo: str = ""
    logo_width: int = 200
    logo_alt: str = ""
    heading_font: str = "Georgia, 'Times New Roman', serif"
    body_font: str = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    images: str = "remote"

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Theme:
        """The theme of what was chosen, or of all that `stored` gave."""
        names = [field.name for field in fields(cls) if field.name in stored]
        chosen = {name: cleaned(name, stored[name]) for name in names if not flaw(name, stored[name])}
        return cls(**_twins(chosen) | chosen)

    @property
    def stored(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return asdict(self)

    @property
    def on_accent(self) -> str:
        """Words on a button."""
        return readable_on(self.accent)

    @property
    def dark_on_accent(self) -> str:
        """The same in dark mode."""
        return readable_on(self.dark_accent)

    @property
    def soft(self) -> str:
        """Running text: a little lighter than headlines, where it can still be read."""
        return _softened(self.ink, self.sheet)

    @property
    def dark_soft(self) -> str:
        """The same in dark mode."""
        return _softened(self.dark_ink, self.dark_sheet)

    @property
    def blank(self) -> str:
        """The place of a picture that is not there, or not yet."""
        return mixed(self.rule, self.sheet, 0.6)

    @property
    def dark_blank(self) -> str:
        """The same in dark mode."""
        return mixed(self.dark_rule, self.dark_sheet, 0.8)

    @property
    def has_pictures(self) -> bool:
        """Whether stories are shown with their pictures."""
        return self.images != "none"


OURS = Theme()
"""How mails look where nobody has chosen anything."""


class Faint(NamedTuple):
    """Words that cannot be read well: their colour, what is behind them, the contrast, and a colour that would do."""

    words: str
    behind: str
    ratio: float
    enough: str

    def __str__(self) -> str:
        return (
            f"{self.words} on {self.behind} has a contrast of {self.ratio:.2f}:1, and text needs {AA}:1 (WCAG AA); "
            f'{self.words} = "{self.enough}" would do'
        )


def faint(theme: Theme) -> list[Faint]:
    """The colours of text whose contrast is less than AA, each with what it is least readable on."""
    found = []
    for dark in ("", "dark_"):
        for words, places in _STANDS_ON.items():
            colour = enough = getattr(theme, dark + words)
            backgrounds = {dark + place: getattr(theme, dark + place) for place in places}
            ratio, behind = min((contrast(colour, background), name) for name, background in backgrounds.items())
            for background in backgrounds.values():
                enough = legible(enough, background, AA)
            if ratio < AA:
                found.append(Faint(dark + words, behind, ratio, enough))
    return found


def flaw(name: str, value: Any) -> str:
    """What is wrong with a value of the theme, as a sentence goes on after it; empty if nothing is."""
    if name == "logo_width":
        is_width = isinstance(value, int) and not isinstance(value, bool) and 16 <= value <= 536
        return "" if is_width else "is no width; expected a number of pixels from 16 to 536"
    if not isinstance(value, str):
        return "is no text"
    if name in _COLOURS:
        return "" if _COLOUR.fullmatch(value) else 'is not a colour; expected one such as "#a3271b"'
    if name in _FONTS:
        expected = "expected names with commas between, such as \"Georgia, 'Times New Roman', serif\""
        return "" if _FONT_STACK.fullmatch(value) else f"is not a list of fonts; {expected}"
    if name == "images":
        return "" if value in IMAGES else f"is none of {', '.join(IMAGES)}"
    if name == "logo":
        is_address = not value or _is_address(value)
        return "" if is_address else 'is not an address; expected one such as "https://news.example/logo.png"'
    return "" if value.isprintable() else "has characters that cannot be shown"


def cleaned(name: str, value: Any) -> Any:
    """A value without flaws in the form in which it is kept: six small digits, single quotes."""
    if name in _COLOURS:
        digits = value.lower().lstrip("#")
        return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))
    return " ".join(value.replace('"', "'").split()) if name in _FONTS else value


_DARK = {"paper": (0.07, 0.12), "sheet": (0.11, 0.12), "ink": (0.92, 0.3), "muted": (0.68, 0.2), "rule": (0.22, 0.15)}
"""Of the twins: how light they are, and how colourful at most."""

_COLOURS = frozenset(f"{dark}{name}" for dark in ("", "dark_") for name in ("accent", *_DARK))
_FONTS = ("heading_font", "body_font")
_STANDS_ON = {"ink": ("sheet",), "muted": ("sheet", "paper"), "accent": ("sheet",)}
_COLOUR = re.compile("#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_FONT = r"(?:[A-Za-z-][A-Za-z0-9 -]*|'[A-Za-z0-9 -]+'|\"[A-Za-z0-9 -]+\")"
_FONT_STACK = re.compile(rf"{_FONT}(?:\s*,\s*{_FONT})*")
_TWIN_CONTRAST = 6.5


def _twins(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The dark twins of the colours that were chosen. A white sheet has no hue: its twin is the paper's.

    An accent's can be read on the dark sheet.
    """
    hues = {"sheet": chosen["paper"]} if "paper" in chosen and is_grey(chosen.get("sheet", OURS.sheet)) else {}
    made = {f"dark_{name}": toned(hue, *_DARK[name]) for name, hue in (dict(chosen) | hues).items() if name in _DARK}
    if "accent" in chosen:
        sheet = (made | dict(chosen)).get("dark_sheet", OURS.dark_sheet)
        made["dark_accent"] = legible(chosen["accent"], sheet, _TWIN_CONTRAST)
    return made


def _softened(ink: str, sheet: str) -> str:
    lighter = mixed(ink, sheet, 0.88)
    return lighter if contrast(lighter, sheet) >= max(AA, 7.0) else ink


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and not any(mark in text for mark in " <>\"'\\")
    return is_plain and parts.scheme in ("https", "http") and bool(parts.hostname)
