"""Consent: what somebody asked for and has yet to confirm, and the proof of what they agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from dispatcher.model.columns import instant, json, words
from dispatcher.model.values import ConsentKind


class OptIn(SQLModel, table=True):
    """One request that waits for its confirmation by mail: a subscription, or (with `subscriber_id`) a new address.

    `mailbox_hash` is keyed and of the mailbox behind the address (no "+tag"), `network` the asker's network: the limits
    count both. `choices` is what was asked for, applied when it is confirmed and not before. Rows that nobody confirms
    are erased.
    """

    id: int | None = Field(default=None, primary_key=True)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", nullable=True)
    address: str
    mailbox_hash: str = Field(index=True)
    network: str = Field(index=True)
    choices: dict[str, Any] = json(dict)
    locale: str = ""
    requested_at: datetime = instant(index=True)
    mailed_at: datetime | None = instant(nullable=True)
    confirmed_at: datetime | None = instant(nullable=True)


class Consent(SQLModel, table=True):
    """One piece of proof (GDPR 7(1)): who did what, when, from where, to which words. Rows are only ever added.

    `opt_in_id` joins a request and its confirmation. `wording` is the digest of the Wording that was shown. `source` is
    the form's URL, or who vouches. After a while `ip` is cut to its network; an erased person's `address` is empty.
    """

    id: int | None = Field(default=None, primary_key=True)
    kind: ConsentKind = words(ConsentKind)
    newsletter_id: int = Field(foreign_key="newsletter.id")
    opt_in_id: int | None = Field(default=None, index=True, nullable=True)
    address: str
    address_hash: str = Field(index=True)
    topics: list[str] = json(list)
    source: str = ""
    wording: str = ""
    ip: str = ""
    user_agent: str = ""
    at: datetime = instant(index=True)


class Wording(SQLModel, table=True):
    """Words that people agreed to, by the SHA-256 of the text; kept as long as a proof names them."""

    digest: str = Field(primary_key=True)
    text: str
    since: datetime = instant()
