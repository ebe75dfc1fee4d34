"""Editions: newsletters that a person writes, and what of them templates see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, words


class EditionStatus(StrEnum):
    """Where an edition stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


S = EditionStatus
EDITION_MOVES = MappingProxyType(
    {
        S.DRAFT: frozenset({S.SCHEDULED, S.CANCELLED}),
        S.SCHEDULED: frozenset({S.DRAFT, S.SENDING, S.PAUSED, S.CANCELLED}),
        S.SENDING: frozenset({S.SENT, S.PAUSED, S.CANCELLED}),
        S.PAUSED: frozenset({S.SCHEDULED, S.SENDING, S.SENT, S.CANCELLED}),
        S.SENT: frozenset({S.PAUSED, S.CANCELLED}),
        S.CANCELLED: frozenset[EditionStatus](),
    }
)
"""The moves an edition may make. One that is sent is all in the outbox: what of it still waits there can be stopped."""


class Edition(SQLModel, table=True):
    """A newsletter that a person wrote: `source` is the whole file, `body` its Markdown below the front matter.

    `audience` narrows the newsletter's readers down, by what is asked when it is sent: Audience, stored. `send_at` is
    an instant; with `in_reader_zone` it is the hour on the wall in each reader's zone, written as if it were UTC.
    `items` are the stories that stood in its blocks when it began to be sent, as in a digest; `progress` is how far the
    readers of each zone have been served. `version` grows whenever any of what shows changes.
    """

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    subject: str
    preheader: str = ""
    source: str
    body: str
    audience: dict[str, Any] = json(dict)
    status: EditionStatus = words(EditionStatus, EditionStatus.DRAFT, index=True)
    send_at: datetime | None = instant(nullable=True)
    in_reader_zone: bool = False
    items: list[list[Any]] = json(list)
    progress: dict[str, int] = json(dict)
    version: int = 1
    created_by: str = ""
    created_at: datetime = instant()
    released_at: datetime | None = instant(nullable=True)


@dataclass(frozen=True, slots=True)
class Audience:
    """Which of a newsletter's readers get an edition: those to whom all that is given here applies.

    `topics`: they follow one of these, by slug. `locale`, `timezone`, `cadence`, `origin`: theirs is one of these; "de"
    is every German, "weekly" every weekly cadence. `since`, `before`: when they became readers, ISO dates.
    """

    topics: tuple[str, ...] = ()
    locale: tuple[str, ...] = ()
    timezone: tuple[str, ...] = ()
    cadence: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    since: str = ""
    before: str = ""

    def stored(self) -> dict[str, Any]:
        """As JSON: what is given."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}

    @classmethod
    def loaded(cls, stored: dict[str, Any]) -> Audience:
        """What `stored` gave."""
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of an edition: what was written, as HTML and as text; or the label of the section put in its place."""

    html: str = ""
    text: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, as templates see it."""

    subject: str
    preheader: str
    blocks: tuple[Block, ...]
