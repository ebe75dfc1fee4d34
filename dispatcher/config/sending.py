"""What can be set of sending: relays, and how the outbox is worked through."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from dispatcher.config.fields import (
    DayOrBlank,
    Destination,
    DomainPattern,
    Duration,
    EmailOrBlank,
    FilledLine,
    Host,
    Line,
    MailDomainOrBlank,
    RateOrBlank,
    Selector,
    SenderPattern,
    at_least,
    at_most,
    type_of_list,
)
from dispatcher.config.section import Section


class RelaySettings(Section):
    """[[smtp]]: one server that takes our mail. With "auto", port decides: 465 tls, 587 starttls, else if offered."""

    name: Line = ""
    host: Host = "localhost"
    port: int = Field(25, ge=1, le=65535)
    security: Literal["auto", "none", "starttls", "tls"] = "auto"
    username: Line = ""
    password: SecretStr = SecretStr("")
    password_file: Line = ""
    ca_file: Line = ""
    max_connections: int = Field(8, ge=1, le=1000)
    messages_per_connection: int = Field(100, ge=1, le=100_000)
    timeout: Annotated[Duration, at_least("1s")] = timedelta(seconds=60)
    priority: int = Field(1, ge=1, le=1000)
    weight: int = Field(1, ge=1, le=1000)
    only_to: Annotated[tuple[DomainPattern, ...], type_of_list] = ()
    only_from: Annotated[tuple[SenderPattern, ...], type_of_list] = ()
    rate: RateOrBlank = ""
    warm_up: DayOrBlank = ""
    warm_up_until: int = Field(100_000, ge=50, le=1_000_000_000)
    delivery_reports: bool = False


class SendSettings(Section):
    """[send]: how the outbox is worked through."""

    on_uncertain: Literal["resend", "hold"] = "resend"
    batch: int = Field(500, ge=1, le=10_000)
    per_day: int = Field(0, ge=0, le=1_000_000_000)
    workers: int = Field(0, ge=0, le=64)
    presign: Annotated[Duration, at_most("30m")] = timedelta(0)
    rate: RateOrBlank = ""
    concurrency: int = Field(0, ge=0, le=100_000)
    look_up_mx: bool = False


class LimitSettings(Section):
    """[[limits]]: how fast mail leaves to one provider, to one domain, or, with "*", to each of the others."""

    to: Destination
    rate: RateOrBlank = ""
    concurrency: int = Field(0, ge=0, le=100_000)


class SafetySettings(Section):
    """[safety]: when bulk mail is kept back until a person has looked. 0 is no limit."""

    bounce_limit: float = Field(0.05, ge=0, le=1)
    complaint_limit: float = Field(0.003, ge=0, le=1)
    batch: int = Field(500, ge=1, le=1_000_000)
    volume_factor: float = Field(5, ge=0, le=1000)
    volume_over: int = Field(10_000, ge=0, le=1_000_000_000)


class AlertsSettings(Section):
    """[alerts]: who is told when something needs a person."""

    to: EmailOrBlank = ""


class DkimSettings(Section):
    """[[dkim]]: a key that signs our mail, published under its selector. Without `domain`, the sender's."""

    domain: MailDomainOrBlank = ""
    selector: Selector
    key_file: FilledLine
    active: bool = True
