"""The language a mail or page speaks: words from the catalogues in `words/`, dates and numbers by Babel (CLDR)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_day_names
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

WORDS = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True)
class Voice:
    """One locale and one zone: everything in a mail or page that depends on who reads it and where."""

    locale: Locale
    zone: ZoneInfo
    catalogue: NullTranslations

    @property
    def lang(self) -> str:
        """The language tag for a `lang` attribute (BCP 47)."""
        return str(self.locale).replace("_", "-")

    @property
    def dir(self) -> str:
        """`ltr` or `rtl`."""
        return _direction(self.locale)

    def date(self, moment: datetime, style: str = "full") -> str:
        """The local day, in Babel's style `full`, `long`, `medium` or `short`."""
        return format_date(moment.astimezone(self.zone).date(), style, locale=self.locale)

    def time(self, moment: datetime) -> str:
        """The local time of day."""
        return format_time(moment, "short", tzinfo=self.zone, locale=self.locale)

    def moment(self, moment: datetime, near: datetime) -> str:
        """The shortest form that is clear to one who reads at `near`: a time, else a day, else a day and year."""
        there, here = moment.astimezone(self.zone), near.astimezone(self.zone)
        if there.date() == here.date():
            return self.time(moment)
        skeleton = "MMMd" if there.year == here.year else "yMMMd"
        return format_skeleton(skeleton, there, locale=self.locale)

    def number(self, value: float) -> str:
        """A number with the locale's separators."""
        return format_decimal(value, locale=self.locale)

    def listed(self, words: Iterable[str]) -> str:
        """`A, B and C`."""
        return format_list(list(words), locale=self.locale)

    def gettext(self, message: str) -> str:
        """The catalogue's word for an English one; the English one where there is none."""
        return self.catalogue.gettext(message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The form of the word that goes with `count`."""
        return self.catalogue.ngettext(one, many, count)

    def cadence(self, text: str) -> str:
        """A cadence such as `weekly on mon,thu at 08:00` in words; one we have no words for stays as it is."""
        for pattern, message in _CADENCES:
            if found := pattern.fullmatch(text.strip()):
                return self.gettext(message) % self._spoken(found.groupdict())
        return text

    def _spoken(self, parts: dict[str, str | None]) -> dict[str, str]:
        """A cadence's parts in this language. The time is a wall-clock time: no zone moves it."""
        spoken = {name: part or "" for name, part in parts.items()}
        if clock := parts.get("time"):
            hour, minute = map(int, clock.split(":"))
            wall = datetime(2000, 1, 1, hour % 24, minute % 60, tzinfo=self.zone)
            spoken["time"] = format_time(wall.timetz(), "short", locale=self.locale)
        if days := parts.get("days"):
            names = get_day_names("wide", locale=self.locale)
            spoken["days"] = self.listed(names[_WEEK.index(day)] for day in days.split(","))
        return spoken


@lru_cache(maxsize=256)
def voice(locale: str, timezone: str) -> Voice:
    """The voice of a locale (`de`, `pt-BR`) in a zone; an unknown locale speaks English."""
    known = _locale(locale)
    return Voice(known, ZoneInfo(timezone), catalogue(known))


@contextmanager
def speaking(speaker: Voice) -> Iterator[None]:
    """Within this block `current()` is `speaker`: macros and includes speak as the template that called them."""
    token = _speaker.set(speaker)
    try:
        yield
    finally:
        _speaker.reset(token)


def current() -> Voice:
    """The voice of the mail that is being rendered."""
    return _speaker.get()


def direction(language: str) -> str:
    """`rtl` for a language that is written from right to left, else `ltr`."""
    return _direction(_locale(language))


@lru_cache(maxsize=64)
def catalogue(locale: Locale) -> NullTranslations:
    """The words of a locale, or else of its language (`pt_BR.po`, `pt.po`); where there are none it speaks English."""
    for name in (str(locale), locale.language):
        if (source := WORDS / f"{name}.po").is_file():
            return _compiled(source)
    return NullTranslations()


def languages() -> list[str]:
    """The tags of all languages we have words for, English first."""
    return ["en", *sorted(path.stem.replace("_", "-") for path in WORDS.glob("*.po"))]


_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"(?:{'|'.join(_WEEK)})"
_TIME = r"at (?P<time>\d{1,2}:\d{2})"
_CADENCES = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        ("instant", "as it happens"),
        ("hourly", "every hour"),
        (f"daily {_TIME}", "every day at %(time)s"),
        (f"weekdays {_TIME}", "on weekdays at %(time)s"),
        (rf"weekly on (?P<days>{_DAY}(?:,{_DAY})*) {_TIME}", "every week on %(days)s at %(time)s"),
        (rf"monthly on (?P<day>\d{{1,2}}) {_TIME}", "every month on day %(day)s at %(time)s"),
    )
)
_speaker: ContextVar[Voice] = ContextVar("voice")


def _compiled(source: Path) -> GNUTranslations:
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(maxsize=512)
def _locale(name: str) -> Locale:
    for candidate in (name, re.split("[-_]", name)[0]):
        try:
            return Locale.parse(candidate.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def _direction(locale: Locale) -> str:
    return "rtl" if locale.character_order == "right-to-left" else "ltr"
