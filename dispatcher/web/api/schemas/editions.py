"""Editions as programs send and see them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from dispatcher.model.edition import Edition
from dispatcher.pipeline.circulation import Circulation
from dispatcher.pipeline.preview import Preview
from dispatcher.web.api.fields import At, Email, Instant, Line, Sent, Text


class ManuscriptSent(Sent):
    """An edition as it was written: Markdown below its front matter."""

    source: Annotated[Text, Field(min_length=1, description="The whole file.")]
    newsletter: Annotated[Line, Field(description="The slug of its newsletter, whatever the file says.")] = ""


class ScheduleAsked(Sent):
    """When an edition is to leave."""

    send_at: Annotated[Instant | None, Field(description="Then; the time that it names itself without.")] = None


class ProofAsked(Sent):
    """Who gets a proof."""

    to: Email


class EditionShown(BaseModel):
    """An edition. With `in_reader_zone`, `send_at` is the hour in each reader's zone, written as if it were UTC."""

    slug: str
    newsletter: str
    subject: str
    preheader: str
    audience: dict[str, Any]
    status: str
    send_at: At | None
    in_reader_zone: bool
    version: int
    created_by: str
    created_at: At
    released_at: At | None

    @classmethod
    def of(cls, edition: Edition, newsletter: str, **more: Any) -> Self:
        """From the row, with its newsletter's slug."""
        values = edition.model_dump(include=set(EditionShown.model_fields) - {"newsletter"})
        return cls(**values, newsletter=newsletter, **more)


class ReasonShown(BaseModel):
    """Why mails were not sent."""

    status: str
    reason: str
    mails: int


class EditionRead(EditionShown):
    """An edition with its `source`: `readers` get it, or would if it left now; `mails` counts them by their status."""

    source: str
    readers: int
    mails: dict[str, int]
    reasons: list[ReasonShown]

    @classmethod
    def whole(cls, edition: Edition, newsletter: str, came: Circulation) -> Self:
        """From the row, with how far it has come."""
        reasons = [ReasonShown(status=status, reason=words, mails=number) for status, words, number in came.reasons]
        counted = {"readers": came.readers, "mails": came.mails, "reasons": reasons}
        return cls.of(edition, newsletter, source=edition.source, **counted)


class ProofShown(BaseModel):
    """An edition as a reader would get it now; its links lead nowhere."""

    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, seen: Preview) -> Self:
        """From the preview."""
        return cls(subject=seen.subject, text=seen.text, html=seen.html)
