"""What is known about a relay before the first word: where it is, how it is secured, how patient we are with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.errors import TransportError

SUBMISSIONS = 465
SUBMISSION = 587


class Security(StrEnum):
    """The `security` setting of a relay."""

    AUTO = "auto"
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Encryption(StrEnum):
    """What the setting comes to for one relay."""

    NEVER = "never"
    WHEN_OFFERED = "when offered"
    STARTTLS = "starttls"
    FROM_THE_START = "from the start"


@dataclass(frozen=True, slots=True)
class Relay:
    """One `[[smtp]]` entry. Durations are seconds.

    `timeout` is for connecting and for each command, `end_of_data_timeout` for the answer to a whole message: cut
    short, it turns accepted messages into repeats (RFC 5321 §4.5.3.2.6 asks for ten minutes, standards S4 for five at
    least). `helo` is the name we greet with; empty means this machine's own. `delivery_reports` asks for such
    where they are offered (standards S13). `ca_file` holds the authorities that its certificate must come from, in the
    place of the machine's roots; given one, TLS is required. `tls_context` replaces the one that trusts the roots.

    Raises TransportError when a password would have to go in clear, when only half of a login is given, or when
    `ca_file` holds nothing.
    """

    host: str
    port: int = 25
    security: Security = Security.AUTO
    username: str = ""
    password: str = field(default="", repr=False)
    max_connections: int = 8
    name: str = ""
    helo: str = ""
    timeout: float = 120
    end_of_data_timeout: float = 600
    idle_timeout: float = 30
    messages_per_connection: int = 100
    delivery_reports: bool = False
    ca_file: str = ""
    tls_context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            raise TransportError(f"relay {self.label}: give username and password together; {missing} is empty")
        if self.password and self.security == Security.NONE:
            raise TransportError(
                f'relay {self.label}: a password is never sent in clear; set security = "starttls" or "tls", '
                "or take username and password away",
                subject=self.label,
            )
        if self.ca_file and self.security == Security.NONE:
            raise TransportError(
                f'relay {self.label}: ca_file is for TLS, and security is "none"; take one of them away'
            )
        if self.ca_file:
            self.make_tls_context()

    @property
    def label(self) -> str:
        """What logs and attempts call it."""
        return self.name or f"{self.host}:{self.port}"

    @property
    def encryption(self) -> Encryption:
        """`auto`: TLS on 465, STARTTLS required on 587 and with a password or `ca_file`, else when offered."""
        if self.security == Security.NONE:
            return Encryption.NEVER
        if self.security == Security.TLS or (self.security == Security.AUTO and self.port == SUBMISSIONS):
            return Encryption.FROM_THE_START
        if self.security == Security.STARTTLS or self.port == SUBMISSION or self.password or self.ca_file:
            return Encryption.STARTTLS
        return Encryption.WHEN_OFFERED

    def make_tls_context(self) -> ssl.SSLContext:
        """A context that verifies certificate and host name, but for opportunistic STARTTLS.

        There an unverified channel is better than none, and an attacker who can forge a certificate could as well have
        hidden the offer (RFC 7435 §3).
        """
        if self.encryption is not Encryption.WHEN_OFFERED:
            return self.tls_context or self._verifying()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _verifying(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:  # ssl.SSLError is one: no certificate in it
            reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise TransportError(
                f'relay {self.label}: ca_file "{self.ca_file}": {reason}', subject=self.label
            ) from None
