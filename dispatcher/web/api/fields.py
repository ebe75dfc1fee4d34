"""The kinds of value that requests carry, each checked as config checks it, so that a mistake is told where it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from dispatcher.config import fields as checked
from dispatcher.errors import CadenceError, QueryError
from dispatcher.schedule import cadence as cadences
from dispatcher.topics import parser

LARGEST = 2**31 - 1  # of our numbers: a column of PostgreSQL takes no more
EARLIEST, LATEST = 1970, 2199  # years in which every zone can be reckoned with


class Sent(BaseModel):
    """What a request brings: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


def _instant(value: Any) -> datetime:
    """ISO 8601 with a zone, and text only: pydantic would take a bare number for seconds."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
    except (TypeError, ValueError):
        raise checked.refused("is no instant with its zone; write it like 2026-03-01T07:31:00Z") from None
    if not EARLIEST <= moment.year < LATEST:
        raise checked.refused(f"is not between the years {EARLIEST} and {LATEST}")
    return moment.astimezone(UTC)


def _cadence(text: str) -> str:
    try:
        return str(cadences.parse(text))
    except CadenceError as error:
        raise checked.refused(str(error)) from None


def _query(text: str) -> str:
    try:
        parser.parse(text)
    except QueryError as error:
        raise checked.refused(str(error)) from None
    return text


def _storable(text: str) -> str:
    if "\0" in text:
        raise checked.refused("holds a NUL character, which nothing can store")
    return text


Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
Line = Annotated[checked.Line, Field(max_length=500)]
FilledLine = Annotated[checked.FilledLine, Field(min_length=1, max_length=200)]
Paragraph = Annotated[checked.Paragraph, Field(max_length=2000)]
Text = Annotated[str, Field(max_length=1_000_000), AfterValidator(_storable)]
Zone = Annotated[checked.Zone, Field(min_length=1, max_length=100, examples=["Europe/London"])]
Language = Annotated[checked.Language, Field(min_length=1, max_length=50, examples=["en"])]
LanguageOrBlank = Annotated[checked.LanguageOrBlank, Field(max_length=50)]
Link = Annotated[checked.WebUrlOrBlank, Field(max_length=2000)]
Email = Annotated[checked.ReaderEmail, Field(min_length=3, max_length=254, examples=["ann@reader.example"])]
Slug = Annotated[
    checked.Slug, Field(min_length=1, max_length=64, pattern="^[a-z0-9]+(-[a-z0-9]+)*$", examples=["energy"])
]
Cadence = Annotated[str, Field(min_length=1, max_length=200, examples=["daily at 07:30"]), AfterValidator(_cadence)]
Query = Annotated[
    str,
    Field(min_length=1, max_length=5000, examples=["harbour OR ferry"]),
    AfterValidator(_storable),
    AfterValidator(_query),
]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True)]

Id = Annotated[int, Path(ge=1, le=LARGEST, description="Its number.", examples=[1])]
SlugInPath = Annotated[str, Path(min_length=1, max_length=64, pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
At = Annotated[datetime, PlainSerializer(lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z"))]
