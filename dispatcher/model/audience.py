"""Who reads: subscribers, their endpoints and subscriptions, and the schedules that share a digest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, later, words
from dispatcher.model.values import Channel, Origin, PausedBy, SubscriberStatus, SubscriptionStatus


class Subscriber(SQLModel, table=True):
    """A person. `chosen` names the fields the reader chose, which config never overwrites.

    `email` is the normalised address and unique; an erased person's is empty. `consent` is the proof we hold:
    how, when and by whom it was given. `cadence` is the default of subscriptions that name none.

    `layout` is empty for the publisher's. `quiet_from` and `quiet_until` ("22:00", "07:00"; empty: no quiet hours) and
    `allowed_days` ("mon,tue"; empty: all) are wall-clock in the reader's zone. `paused_until` wakes a paused reader.
    """

    __table_args__ = (
        sa.Index("ix_subscriber_email", "email", unique=True, sqlite_where=sa.text("email <> ''"),
                 postgresql_where=sa.text("email <> ''")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    email: str
    name: str = ""
    timezone: str = "UTC"
    locale: str = "en"
    cadence: str = "daily at 07:30"
    status: SubscriberStatus = words(SubscriberStatus, SubscriberStatus.ACTIVE, index=True)
    paused_by: PausedBy | None = words(PausedBy, nullable=True)
    origin: Origin = words(Origin)
    chosen: list[str] = json(list)
    consent: dict[str, Any] = json(dict)
    layout: str = later()
    quiet_from: str = later()
    quiet_until: str = later()
    allowed_days: str = later()
    paused_until: datetime | None = instant(nullable=True, index=True)
    soft_bounces: int = 0
    created_at: datetime = instant()


class Endpoint(SQLModel, table=True):
    """One place where a person is reached on a channel."""

    __table_args__ = (sa.UniqueConstraint("subscriber_id", "channel", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True)
    channel: Channel = words(Channel, Channel.EMAIL)
    address: str
    address_hash: str = Field(index=True, description="keyed, as in Suppression")
    is_active: bool = True
    created_at: datetime = instant()


class Subscription(SQLModel, table=True):
    """Subscriber × topic × channel, with its cadence and the `release` it has read up to.

    `read_at` is when it was last planned. `floor_at`: nothing first seen before it is ever for this subscription
    (an instant one looks back at nothing). `owed_from_at`: after a change of cadence, how far back the unread still
    counts. `look_at`: an instant subscription that must be looked at even if no new match wakes it. `ended_at`: when
    it ended, so that a departure can be taken back.
    """

    __table_args__ = (sa.UniqueConstraint("subscriber_id", "topic_id", "channel"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True)
    topic_id: int = Field(foreign_key="topic.id", index=True)
    channel: Channel = words(Channel, Channel.EMAIL)
    cadence: str
    status: SubscriptionStatus = words(SubscriptionStatus, SubscriptionStatus.ACTIVE)
    paused_by: PausedBy | None = words(PausedBy, nullable=True)
    origin: Origin = words(Origin)
    chosen: list[str] = json(list)
    release: int = 0
    read_at: datetime | None = instant(nullable=True)
    floor_at: datetime | None = instant(nullable=True)
    owed_from_at: datetime | None = instant(nullable=True)
    look_at: datetime | None = instant(nullable=True, index=True)
    ended_at: datetime | None = instant(nullable=True)
    created_at: datetime = instant()


class Schedule(SQLModel, table=True):
    """Subscriber × channel × newsletter × cadence: the subscriptions that share a digest, and when it is next due.

    `next_due_at` is None while nobody needs it; the row stays, because `last_due_at`, the last slot that passed,
    is what keeps a change of cadence from bringing two digests of one `label` at once. `timezone` is the zone that
    both were reckoned in.
    """

    __table_args__ = (sa.UniqueConstraint("subscriber_id", "channel", "newsletter_id", "cadence"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True)
    channel: Channel = words(Channel, Channel.EMAIL)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    cadence: str
    label: str = ""
    timezone: str = "UTC"
    next_due_at: datetime | None = instant(index=True, nullable=True)
    last_due_at: datetime | None = instant(nullable=True)
