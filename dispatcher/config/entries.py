"""What entries must not do to one another: stand twice, follow a topic that is not there; and what a relay must not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from dispatcher.config import offers
from dispatcher.config.draft import Draft
from dispatcher.config.nearest import did_you_mean
from dispatcher.config.secrets import is_given

_SHORTEST_SECRET = 24
_UNIQUE = {
    "smtp": "name", "sources": "name", "topics": "slug", "subscribers": "email", "webhooks": "name", "limits": "to",
    "newsletters": "slug",
}  # fmt: skip


def check(draft: Draft) -> None:
    """Note in the draft every entry that is at odds with another or with itself."""
    for name, key in _UNIQUE.items():
        _check_unique(draft, name, key)
    slugs = {topic["slug"]: None for _, topic in draft.entries("topics") if isinstance(topic.get("slug"), str)}
    offers.check(draft)
    slugs |= dict.fromkeys(offers.slugs(draft))
    for number, subscriber in draft.entries("subscribers"):
        _check_follows(draft, number, subscriber.get("topics"), slugs)
    for number, relay in draft.entries("smtp"):
        _check_relay(draft, number, relay)
    for number, webhook in draft.entries("webhooks"):
        _check_webhook(draft, number, webhook)
    _check_relays(draft)


def _check_unique(draft: Draft, name: str, key: str) -> None:
    first: dict[str, int] = {}
    for number, entry in draft.entries(name):
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            continue
        earlier = first.setdefault(value.strip().casefold(), number)
        if earlier != number:
            place = draft.place((name, earlier, key))
            draft.complain(
                (name, number, key), f'"{value}" stands already in {place.file} as {place.key}; keep one of the two'
            )


def _check_follows(draft: Draft, number: int, follows: Any, slugs: Mapping[str, None]) -> None:
    seen: set[str] = set()
    for position, follow in enumerate(follows if isinstance(follows, list) else []):
        slug = follow.get("topic") if isinstance(follow, dict) else follow
        if not isinstance(slug, str):
            continue
        keys = ("subscribers", number, "topics", position)
        if slug in seen:
            draft.complain(keys, f'"{slug}" is followed twice; keep one of the two')
        elif slug not in slugs and draft.is_whole:
            known = f"expected one of {_listed(slugs)}" if slugs else "there are no [[topics]] yet"
            draft.complain(keys, f'"{slug}" is not a topic{did_you_mean(slug, slugs, known)}')
        seen.add(slug)


def _check_relays(draft: Draft) -> None:
    """That there is one at least for every mail, and that those without a name can be told apart."""
    relays = draft.entries("smtp")
    if draft.tree.get("smtp") == []:
        draft.complain(("smtp",), "is empty; expected at least one [[smtp]], or none at all for the one on localhost")
    elif relays and all(relay.get("only_to") or relay.get("only_from") for _, relay in relays):
        draft.complain(("smtp",), "has no relay for all other mail; expected one without only_to and only_from")
    first: dict[tuple[Any, Any], int] = {}
    for number, relay in relays:
        if not relay.get("name"):
            server = (relay.get("host", "localhost"), relay.get("port", 25))
            earlier = first.setdefault(server, number)
            if earlier != number:
                draft.complain(("smtp", number, "name"), f"is empty, and smtp[{earlier}] is the same server; name them")


def _check_relay(draft: Draft, number: int, relay: dict[str, Any]) -> None:
    has_password = is_given(relay, "password")
    if has_password and relay.get("security") == "none":
        sentence = '"none" would send the password in clear; expected "auto", "starttls" or "tls"'
        draft.complain(("smtp", number, "security"), sentence)
    if has_password and not relay.get("username"):
        draft.complain(("smtp", number, "username"), "is missing, though a password is given; give both or neither")
    if relay.get("username") and not has_password:
        draft.complain(
            ("smtp", number, "username"), "is given without a password; give password or password_file as well"
        )


def _check_webhook(draft: Draft, number: int, webhook: dict[str, Any]) -> None:
    secret = webhook.get("secret")
    if not is_given(webhook, "secret"):
        draft.complain(
            ("webhooks", number, "secret"), "is missing; give secret or secret_file, which signs what is sent"
        )
    elif isinstance(secret, str) and 0 < len(secret) < _SHORTEST_SECRET:
        draft.complain(("webhooks", number, "secret"), f"is too short; expected at least {_SHORTEST_SECRET} characters")


def _listed(slugs: Mapping[str, None]) -> str:
    return ", ".join(f'"{slug}"' for slug in islice(slugs, 8)) + (" …" if len(slugs) > 8 else "")
