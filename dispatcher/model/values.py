"""The words of the house: enumerations and small frozen values that several rooms share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


class Channel(StrEnum):
    """A way to reach a person."""

    EMAIL = "email"
    WEBPUSH = "webpush"
    CHAT = "chat"
    WEBHOOK = "webhook"


class Origin(StrEnum):
    """Who brought a row into the database."""

    CONFIG = "config"
    CLI = "cli"
    API = "api"
    WEB = "web"
    IMPORT = "import"


class PausedBy(StrEnum):
    """Who paused a row. What config paused, config may wake again; what a person paused, it may not."""

    CONFIG = "config"
    OPERATOR = "operator"
    READER = "reader"


class SubscriberStatus(StrEnum):
    """Where a person stands with us."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    ERASED = "erased"


class SubscriptionStatus(StrEnum):
    """Where one subscription stands."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class DeliveryKind(StrEnum):
    """What a delivery is; it decides priority and expiry."""

    BREAKING = "breaking"
    ALERT = "alert"
    CONFIRMATION = "confirmation"
    DIGEST = "digest"
    EDITION = "edition"
    OWNER = "owner"
    WEBHOOK = "webhook"
    WELCOME = "welcome"


class Priority(IntEnum):
    """Order in the outbox: the lower number leaves first. Webhooks are a lane of their own, behind all mail."""

    BREAKING = 0
    INSTANT = 10
    CONFIRMATION = 20
    DIGEST = 30
    WEBHOOK = 40


class DeliveryStatus(StrEnum):
    """Where a delivery stands. The allowed moves are data: `dispatcher.outbox.transitions`."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    HELD = "held"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class LetterName(StrEnum):
    """A letter to one person that no article is in: each has its templates, `email/NAME.*.j2`."""

    CONFIRM = "confirm"
    MANAGE = "manage"
    VERIFY = "verify"
    ADDRESS = "address"
    MOVED = "moved"
    OWNER = "owner"
    WELCOME = "welcome"
    GOODBYE = "goodbye"


class PauseScope(StrEnum):
    """What a pause keeps back: every mail, or digests and editions only."""

    ALL = "all"
    BULK = "bulk"


class PauseCause(StrEnum):
    """Why mail is kept back: an operator said so, too much of it came back, or far more is going out than usual."""

    OPERATOR = "operator"
    BOUNCES = "bounces"
    VOLUME = "volume"


class AlarmName(StrEnum):
    """What the owner is told about."""

    BOUNCES = "bounces"
    VOLUME = "volume"
    TEMPLATE = "template"
    SOURCE = "source"


class Layout(StrEnum):
    """How a digest's stories are laid out; a reader may choose."""

    CARDS = "cards"
    LIST = "list"
    HEADLINES = "headlines"
    FULL = "full"


class Order(StrEnum):
    """Which stories of a topic come first."""

    NEWEST = "newest"
    RELEVANT = "relevant"
    RANKED = "ranked"


class ConsentKind(StrEnum):
    """What one piece of consent proof says that somebody did."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    VOUCHED = "vouched"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    """What an operator may do in the admin pages: each may do what the ones after it may."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class OutcomeKind(StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"


class Blame(StrEnum):
    """Whom a refusal speaks about: the address, the message (or our reputation), or the way there."""

    NOBODY = "nobody"
    ADDRESS = "address"
    ADDRESS_SOFT = "address-soft"
    MESSAGE = "message"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, as a value: the reply code, the enhanced code (RFC 3463) and the server's words."""

    kind: OutcomeKind
    code: int = 0
    enhanced: str = ""
    text: str = ""
    blame: Blame = Blame.NOBODY
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """How the stories of a newsletter or of one topic are chosen and shown. None: as for what it is part of."""

    layout: str | None = None
    order: str | None = None
    max_articles: int | None = None
    summary_length: int | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Style:
        """What `stored` gave. Keys of another version of the program are left alone."""
        return cls(**{name: stored[name] for name in cls.__slots__ if name in stored})

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON: only what is not None."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}

    def over(self, rest: Style) -> Style:
        """This one, and where it says nothing the other one."""
        return Style(**rest.stored | self.stored)


PLAIN = Style()


class SuppressionScope(StrEnum):
    """How far a suppression reaches: every mail to the address, or one newsletter."""

    ADDRESS = "address"
    NEWSLETTER = "newsletter"


class SuppressionReason(StrEnum):
    """Why an address is suppressed."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


class EventType(StrEnum):
    """What came back after a message had left."""

    HARD_BOUNCE = "hard-bounce"
    SOFT_BOUNCE = "soft-bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
