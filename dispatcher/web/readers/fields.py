"""The fields of the subscribe form: as they were filled in, shown again as they were, and read as choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from babel.core import get_global
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request

from dispatcher.errors import QueryError
from dispatcher.pipeline.choices import Choices

LONGEST = 1_000  # characters of a field that are looked at
MOST = 500  # values of one field
EXCERPT = 56  # characters of a query around the place of its mistake


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the form. `website` is for robots only; `origin` is the page of another site it came from."""

    email: str = ""
    name: str = ""
    topics: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    kind: str = "daily"
    time: str = "07:30"
    day: str = "mon"
    zone: str = ""
    lang: str = ""
    consent: str = ""
    website: str = ""
    token: str = ""
    origin: str = ""
    do: str = ""
    newsletter: str = ""

    def choices(self) -> Choices:
        """What is asked for, still unchecked."""
        return Choices(
            address=self.email,
            name=self.name,
            topics=self.topics,
            queries=self.queries,
            cadence=_cadence(self.kind, self.time, self.day),
            timezone=self.zone,
            locale=self.lang,
            newsletter=self.newsletter,
        )


def read(given: FormData | QueryParams, *, zone: str, lang: str) -> Fields:
    """The fields of a form or of a link; `zone` and `lang` where none is given. Topics may have commas between them."""
    first = {name: cleaned(values[0]) for name in _SINGLE if (values := _texts(given, name))}
    topics = [slug.strip() for text in _texts(given, "topics") for slug in cleaned(text).split(",")]
    return Fields(
        **{"zone": zone, "lang": lang} | first,
        topics=tuple(dict.fromkeys(slug for slug in topics if slug)),
        queries=tuple(dict.fromkeys(text for one in _texts(given, "query") if (text := cleaned(one)))),
    )


async def form_of(request: Request) -> FormData:
    """The form that was sent; files are refused (HTTPException 400)."""
    return await request.form(max_files=0, max_fields=MOST)


def caret(error: QueryError) -> str:
    """The place of a mistake: a part of the query, and a caret beneath."""
    line = (error.text.splitlines() or [""])[max(0, error.line - 1) :][:1] or [""]
    place = error.column - 1
    start = max(0, min(place - EXCERPT // 2, len(line[0]) - EXCERPT))
    return f"{line[0][start : start + EXCERPT]}\n{' ' * (place - start)}^"


def cleaned(text: str) -> str:
    """One line, without what no database and no mail can carry."""
    return "".join(char if char.isprintable() else " " for char in text[:LONGEST]).strip()


@cache
def zones() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Region → time zones, each with the words for it; only one name for each."""
    aliases = get_global("zone_aliases")
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _, place = name.partition("/")
        if place and region in _REGIONS and name not in aliases:
            found.setdefault(region, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return found


_SINGLE = ("email", "name", "kind", "time", "day", "zone", "lang", "consent", "website", "token", "origin", "do",
           "newsletter")  # fmt: skip
_REGIONS = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)


def _texts(given: FormData | QueryParams, name: str) -> list[str]:
    return [value for value in given.getlist(name)[:MOST] if isinstance(value, str)]


def _cadence(kind: str, time: str, day: str) -> str:
    match kind:
        case "daily" | "weekdays":
            return f"{kind} at {time}"
        case "weekly":
            return f"weekly on {day} at {time}"
        case _:
            return kind
