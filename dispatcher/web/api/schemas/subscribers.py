"""People, and what they follow, as programs send and see them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, IPvAnyAddress, model_validator

from dispatcher.config.fields import refused
from dispatcher.config.settings import SubscriberEntry
from dispatcher.model.audience import Subscriber, Subscription
from dispatcher.model.values import SubscriberStatus
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.web.api.fields import At, Cadence, Email, FilledLine, Flag, Language, Line, Sent, Slug, Zone
from dispatcher.web.api.paging import Paging

USUAL_CADENCE = "daily at 07:30"


class Following(Sent):
    """A topic to follow."""

    topic: Slug
    cadence: Annotated[Cadence | None, Field(description="The person's own by default.")] = None


class NewSubscriber(Sent):
    """Somebody who wants to read: either you say how they consented, or they are asked to confirm by mail."""

    email: Email
    name: Annotated[Line, Field(description="How mails greet them.")] = ""
    timezone: Annotated[Zone | None, Field(description="The site's by default.")] = None
    locale: Annotated[Language | None, Field(description="The site's by default.")] = None
    cadence: Annotated[Cadence, Field(description="Of topics that name none of their own.")] = USUAL_CADENCE
    topics: Annotated[tuple[Following, ...], Field(max_length=200)] = ()
    consent: Annotated[
        Line, Field(description="How they agreed; you vouch for it. With `confirm`: the words they were shown.")
    ] = ""
    confirm: Annotated[Flag, Field(description="Ask them by mail; until they confirm, nobody is enrolled.")] = False
    ip: Annotated[
        IPvAnyAddress | None, Field(description="With `confirm`: where they asked from; the limits count networks.")
    ] = None

    @model_validator(mode="after")
    def _has_grounds(self) -> Self:
        if not (self.consent or self.confirm):
            raise refused("has no grounds: say in `consent` how they agreed, or have them asked with `confirm`")
        if self.confirm and any(one.cadence for one in self.topics):
            raise refused("with `confirm` all topics have the cadence of the person; leave theirs out")
        return self

    def entry(self) -> SubscriberEntry:
        """As config would name them."""
        return subscriber_entry(
            email=self.email,
            name=self.name,
            timezone=self.timezone or "",
            locale=self.locale or "",
            cadence=self.cadence,
            topics=[{"topic": one.topic, "cadence": one.cadence or ""} for one in self.topics],
        )


class SubscriberChange(Sent):
    """What is to be different about a person; what is left out stays."""

    name: FilledLine | None = None
    timezone: Zone | None = None
    locale: Language | None = None
    cadence: Annotated[Cadence | None, Field(description="Topics that had the old one follow it.")] = None

    def said(self) -> dict[str, str]:
        """Only what is to change."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class SubscriberListing(Paging):
    """Which people."""

    email: Annotated[Email | None, Field(description="With this address, however it is written.")] = None
    status: Annotated[SubscriberStatus | None, Field(description="Of this status.")] = None
    topic: Annotated[Slug | None, Field(description="Who follow this topic now.")] = None


class Departure(Sent):
    """How somebody goes."""

    erase: Annotated[bool, Field(description="Forget who they were, too; only a keyed hash stays.")] = False
    newsletter: Annotated[str, Field(description="Only this newsletter, by its slug; else all of them.")] = ""


class SubscriptionChange(Sent):
    """How often a topic is to be sent."""

    cadence: Annotated[Cadence | None, Field(description="The person's own by default.")] = None


class SubscriptionShown(BaseModel):
    """One topic that a person follows, or has followed."""

    topic: str
    cadence: str
    status: str
    paused_by: str | None
    origin: str
    created_at: At

    @classmethod
    def of(cls, subscription: Subscription, slug: str) -> Self:
        """From the row."""
        values: dict[str, Any] = subscription.model_dump(include=set(cls.model_fields) - {"topic"})
        return cls(**values, topic=slug)


class SubscriptionsShown(BaseModel):
    """All that a person follows. There is no second page."""

    items: list[SubscriptionShown]
    next_cursor: None = None


class SubscriberShown(BaseModel):
    """A person. `suppressed` says why nothing may be sent to them, if so; `chosen` what they decided themselves."""

    id: int
    email: str
    name: str
    timezone: str
    locale: str
    cadence: str
    status: str
    paused_by: str | None
    paused_until: At | None
    suppressed: str | None
    origin: str
    chosen: list[str]
    topics: list[SubscriptionShown]
    created_at: At

    @classmethod
    def of(cls, person: Subscriber, suppressed: str | None, topics: list[SubscriptionShown]) -> Self:
        """From the row. Topics that a reader made for themselves are not among those shown."""
        values: dict[str, Any] = person.model_dump(include=set(cls.model_fields) - {"suppressed", "topics"})
        return cls(**values, suppressed=suppressed, topics=topics)


class Asked(BaseModel):
    """A mail that asks for a confirmation is on its way, if the limits allow one: what becomes of it is not told."""

    status: str = "asked"
