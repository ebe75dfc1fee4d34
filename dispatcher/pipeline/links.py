"""The links in a mail: made from the delivery alone, so that a repeat has the same ones.

/u/TOKEN  leave (also the List-Unsubscribe of RFC 8058)     /c/TOKEN  confirm a subscription
/p/TOKEN  what I get                                        /v/TOKEN  export, erase, change of address
/d/TOKEN  the same mail as a page, for anybody              /a/TOKEN  confirm a new address
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dispatcher.digest.slots import Links
from dispatcher.digest.wire import Door
from dispatcher.model.outbound import Claimed, Delivery
from dispatcher.model.values import DeliveryKind
from dispatcher.tokens import Keyring, Purpose

VIEWABLE = (DeliveryKind.DIGEST, DeliveryKind.ALERT, DeliveryKind.BREAKING, DeliveryKind.EDITION)
"""What has a page of its own."""

PERSONAL_LETTERS = (DeliveryKind.CONFIRMATION, DeliveryKind.OWNER)


@dataclass(frozen=True, slots=True)
class Action:
    """What the link of a letter is good for: kept with the delivery as claims, never as a signed token."""

    purpose: Purpose
    claims: tuple[int | str, ...]
    expires_at: datetime | None = None

    def stored(self) -> list[Any]:
        """As JSON."""
        return [self.purpose, list(self.claims), self.expires_at.timestamp() if self.expires_at else None]

    @classmethod
    def loaded(cls, stored: list[Any]) -> Action:
        """What `stored` gave."""
        purpose, claims, expiry = stored
        return cls(Purpose(purpose), tuple(claims), datetime.fromtimestamp(expiry, UTC) if expiry else None)


def url_of(door: Door, keyring: Keyring, action: Action) -> str:
    """The address that a token of this action opens; empty where our pages have no public address."""
    if not door.url:
        return ""
    token = keyring.sign(action.purpose, *action.claims, expires_at=action.expires_at, key_id=door.key_id)
    return f"{door.url}/{action.purpose}/{token}"


def leaving(subscriber_id: int, newsletter_id: int) -> Action:
    """To leave a newsletter, or (0) all of them. It never lapses (L8)."""
    return Action(Purpose.UNSUBSCRIBE, (subscriber_id, newsletter_id))


def preferring(subscriber_id: int, endpoint_id: int) -> Action:
    """To see and change what one gets at one address."""
    return Action(Purpose.PREFERENCES, (subscriber_id, endpoint_id))


def viewing(digest_id: int) -> Action:
    """To see a digest as a page. It says nothing about a reader: people forward it."""
    return Action(Purpose.VIEW, (digest_id,))


def links_of(delivery: Claimed | Delivery, door: Door, keyring: Keyring) -> Links:
    """The links of one message."""
    stored = delivery.personal.get("action")
    action = url_of(door, keyring, Action.loaded(stored)) if stored else ""
    if delivery.subscriber_id is None or delivery.kind in PERSONAL_LETTERS:
        return Links(action=action, subscribe=f"{door.url}/subscribe" if _may_return(delivery, door) else "")
    return Links(
        unsubscribe=url_of(door, keyring, leaving(delivery.subscriber_id, delivery.newsletter_id)),
        preferences=url_of(door, keyring, preferring(delivery.subscriber_id, delivery.endpoint_id or 0)),
        view=_view(door, keyring, delivery.digest_id) if delivery.digest_id and delivery.kind in VIEWABLE else "",
        action=action,
    )


def _may_return(delivery: Claimed | Delivery, door: Door) -> bool:
    """Whether a letter shows its reader the way back."""
    return bool(delivery.personal.get("may_return")) and bool(door.url)


def list_headers(links: Links) -> Mapping[str, str]:
    """How a mail program offers to leave (L2, L3). RFC 8058 §3.1 asks for https; without it there are none."""
    if not links.unsubscribe.startswith("https://"):
        return {}
    return {"List-Unsubscribe": f"<{links.unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


_views: OrderedDict[tuple[int, str, str, str], str] = OrderedDict()
_MOST_VIEWS = 1024


def _view(door: Door, keyring: Keyring, digest_id: int) -> str:
    """The same for all readers of a digest, so it is signed once."""
    key = digest_id, door.url, door.key_id, keyring.signing
    found = _views.get(key)
    if found is None:
        found = _views[key] = url_of(door, keyring, viewing(digest_id))
        if len(_views) > _MOST_VIEWS:
            _views.popitem(last=False)
    return found
