"""What can be set of sending: relays, and how the outbox is worked through."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from dispatcher.config.fields import Duration, Host, Line, at_least
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
    max_connections: int = Field(8, ge=1, le=1000)
    timeout: Annotated[Duration, at_least("1s")] = timedelta(seconds=60)


class SendSettings(Section):
    """[send]: how the outbox is worked through."""

    on_uncertain: Literal["resend", "hold"] = "resend"
    batch: int = Field(200, ge=1, le=10_000)
