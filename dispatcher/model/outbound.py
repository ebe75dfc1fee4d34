"""What leaves: newsletters, digests, deliveries (the outbox), the attempts made at them, and what holds them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, json_later, later, words
from dispatcher.model.content import Story
from dispatcher.model.edition import Written
from dispatcher.model.values import (
    Channel,
    DeliveryKind,
    DeliveryStatus,
    Layout,
    OutcomeKind,
    PauseCause,
    PauseScope,
)

WAITS, DONE, CLAIMED = (
    sa.text("status IN ('queued', 'deferred')"), sa.text("finished_at IS NOT NULL"), sa.text("claimed_by IS NOT NULL"),
)  # fmt: skip
"""What indexes of deliveries leave out the rest of: a row moves twice, and each index it is in costs as much as itself.
A query says it in the same words, because a database does not see it in bound values."""


class Newsletter(SQLModel, table=True):
    """One publication: sender, List-Id, language, theme. The default one is made of `[site]`, `[mail]`, `[theme]`.

    One that config no longer names is kept, for mail that is on its way and for links to leave it, and `is_paused`.
    """

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    sender: str = Field(description="RFC 5322 mailbox")
    reply_to: str = ""
    list_id: str = Field(description="the label of RFC 2919, without brackets")
    url: str = ""
    language: str = "en"
    postal_address: str = ""
    theme: dict[str, Any] = json_later()
    digest: dict[str, Any] = json_later()
    is_paused: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class Digest(SQLModel, table=True):
    """Composed content, shared by every reader whose mail would show exactly the same.

    `key` is a hash of everything that shows. `items` is a list of [article id, version, cluster id, topic label,
    other labels]; `more` counts what the caps left out, and `rest` is as much of it as the digest's own page shows.
    `layout` is a Layout or empty. `styles` are stored Styles by label, of the sections that are told otherwise. A
    letter names its LetterName and has no items; `notice` is what a letter to the owner says, paragraphs apart by blank
    lines. `edition_id` names the Edition that a person wrote. `wire` says which pieces the message is made of, from the
    first send until the last delivery is done.
    """

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    kind: DeliveryKind = words(DeliveryKind)
    locale: str = "en"
    timezone: str = "UTC"
    cadence: str = ""
    slot_at: datetime = instant()
    items: list[list[Any]] = json(list)
    more: int = 0
    layout: str = later()
    styles: dict[str, Any] = json_later()
    rest: list[list[Any]] = json_later(list)
    letter: str = later()
    notice: str = later()
    edition_id: int | None = Field(default=None, index=True, nullable=True)
    wire: str | None = Field(default=None, nullable=True)
    created_at: datetime = instant()


class Piece(SQLModel, table=True):
    """An encoded stretch of mail that several digests may share, kept once for as long as one of them needs it."""

    id: int | None = Field(default=None, primary_key=True)
    hash: str = Field(unique=True, description="SHA-256 of the body, hexadecimal")
    body: str


class Delivery(SQLModel, table=True):
    """The outbox row: one message to one endpoint. Only `store/outbox.py` writes `status`.

    `key` makes it unique: what it is, never when it was tried. `due_at` is when it may next be claimed.
    `recipient`, `personal`, `message_id` and `dated_at` are fixed at the latest with the first claim, so that a
    repeat is byte-identical. `handed_over_at` marks a message given to the wire whose outcome is not yet known.
    `signature` holds the DKIM fields of a message that was signed ahead of its time.
    """

    __table_args__ = (
        sa.Index("ix_delivery_claim", "status", "priority", "due_at"),
        sa.Index("ix_delivery_expiry", "status", "expires_at", sqlite_where=WAITS, postgresql_where=WAITS),
        sa.Index("ix_delivery_had", "subscriber_id", "channel", "created_at"),
        sa.Index("ix_delivery_finished", "status", "finished_at", sqlite_where=DONE, postgresql_where=DONE),
        sa.Index("ix_delivery_claimed_by", "claimed_by", sqlite_where=CLAIMED, postgresql_where=CLAIMED),
        sa.Index("ix_delivery_webhook", "recipient", "status", "due_at", sqlite_where=sa.text("channel = 'webhook'"),
                 postgresql_where=sa.text("channel = 'webhook'")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: DeliveryKind = words(DeliveryKind)
    priority: int
    status: DeliveryStatus = words(DeliveryStatus, DeliveryStatus.QUEUED)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", nullable=True)
    endpoint_id: int | None = Field(default=None, foreign_key="endpoint.id", nullable=True)
    digest_id: int | None = Field(default=None, foreign_key="digest.id", index=True, nullable=True)
    channel: Channel = words(Channel, Channel.EMAIL)
    recipient: str = ""
    address_hash: str = ""
    personal: dict[str, Any] = json(dict)
    slot_at: datetime = instant()
    due_at: datetime = instant()
    expires_at: datetime = instant()
    created_at: datetime = instant()
    dated_at: datetime | None = instant(nullable=True)
    message_id: str = ""
    attempts: int = 0
    claimed_by: int | None = Field(default=None, nullable=True)
    lease_until: datetime | None = instant(nullable=True)
    handed_over_at: datetime | None = instant(nullable=True)
    finished_at: datetime | None = instant(nullable=True)
    code: int = 0
    reason: str = ""
    signature: str = later()


class Claimed(NamedTuple):
    """A delivery that is ours to send: of its row, what sending needs, in a shape that costs next to nothing."""

    id: int
    kind: DeliveryKind
    priority: int
    newsletter_id: int
    subscriber_id: int | None
    endpoint_id: int | None
    digest_id: int | None
    channel: Channel
    recipient: str
    address_hash: str
    personal: dict[str, Any]
    slot_at: datetime
    due_at: datetime
    expires_at: datetime
    created_at: datetime
    dated_at: datetime | None
    message_id: str
    attempts: int
    signature: str


class Attempt(SQLModel, table=True):
    """One try at a delivery and what the other side said. `blame` is a Blame: whom that speaks about."""

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    at: datetime = instant()
    outcome: OutcomeKind = words(OutcomeKind)
    code: int = 0
    enhanced: str = ""
    text: str = ""
    relay: str = ""
    blame: str = later()


class Bucket(SQLModel, table=True):
    """A rate that all processes share: how many messages may leave, for one relay, one group of domains, or in all.

    All instants are the database's. The next token comes at `next_at`; `spent` is what a ration has let go of late, a
    list of [slot, messages]; until `booked_until`, tokens are spoken for by mail that was put back. Where the other
    side asked us to slow down, at `changed_at`, only the part `slowed` of `pace`, in messages a second, is in force.
    """

    name: str = Field(primary_key=True)
    next_at: datetime = instant()
    spent: list[list[int]] = json(list)
    booked_until: datetime = instant()
    slowed: float = 1.0
    pace: float = 0.0
    changed_at: datetime | None = instant(nullable=True, index=True)


class Pause(SQLModel, table=True):
    """Mail that is kept back at somebody's word or by a safety: `scope` is a PauseScope, `cause` a PauseCause.

    It is in force until `lifted_at` is set. What is kept back stays queued and may expire. `known` is what was counted
    by the time it was lifted, and does not bring the next one.
    """

    id: int | None = Field(default=None, primary_key=True)
    scope: PauseScope = words(PauseScope)
    cause: PauseCause = words(PauseCause)
    reason: str = ""
    by: str = ""
    since: datetime = instant()
    lifted_at: datetime | None = instant(nullable=True, index=True)
    lifted_by: str = ""
    known: dict[str, Any] = json(dict)


class Tally(SQLModel, table=True):
    """How much mail of one kind came to an end in one hour, and what came back of it, counted as it happens.

    `failed` did not arrive; `bounced` counts the hard bounces, those that came back later too, and `complained` the
    complaints, both in the hour in which their mail had ended. Processes count in several `part`s, so that none waits
    for another's row.
    """

    __table_args__ = (sa.UniqueConstraint("hour_at", "newsletter_id", "kind", "part"),)

    id: int | None = Field(default=None, primary_key=True)
    hour_at: datetime = instant()
    newsletter_id: int = Field(foreign_key="newsletter.id")
    kind: DeliveryKind = words(DeliveryKind)
    part: int = 0
    sent: int = 0
    failed: int = 0
    bounced: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """The stories of a digest that stand under one topic's label. `layout` is a Layout, or empty for the digest's."""

    label: str
    stories: tuple[Story, ...]
    layout: str = ""


@dataclass(frozen=True, slots=True)
class DigestContent:
    """A digest as templates see it: everything that shows, nothing personal, nothing from the database."""

    kind: DeliveryKind
    locale: str
    timezone: str
    cadence: str
    slot_at: datetime
    sections: tuple[Section, ...]
    more: int = 0
    layout: str = Layout.CARDS
    letter: str = ""
    notice: tuple[str, ...] = ()
    preheader: str = ""
    written: Written | None = None

    @property
    def stories(self) -> tuple[Story, ...]:
        """All stories, in reading order."""
        return tuple(story for section in self.sections for story in section.stories)


@dataclass(frozen=True, slots=True)
class Personal:
    """What differs between the readers of one digest: fixed when the delivery is made, kept with it as JSON."""

    name: str = ""
    email: str = ""
    topics: tuple[str, ...] = ()
    cadence: str = ""
    next_at: datetime | None = None
