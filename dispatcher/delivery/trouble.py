"""Words for what breaks on the way to a relay: what happened, where, and what to do where something can be done."""

from __future__ import annotations

import socket
import ssl

from aiosmtplib import SMTPException

from dispatcher.delivery.outcomes import Stage, clean
from dispatcher.delivery.relay import Relay

FAILURES = (SMTPException, OSError, UnicodeError)
"""All that the outside world can do to a conversation. UnicodeError is a host name that no resolver would take."""


def words_for(error: BaseException, stage: Stage, relay: Relay) -> str:
    """One line about an error at a stage of the conversation with a relay."""
    cause = _innermost(error)
    where = f"cannot connect to {relay.host}:{relay.port}" if stage is Stage.CONNECT else f"lost at {stage.value}"
    return clean(f"{where}: {_what(cause, stage, relay)}")


def _innermost(error: BaseException) -> BaseException:
    """The library wraps what happened, sometimes twice. Below a timeout lies a CancelledError, which says nothing."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _what(cause: BaseException, stage: Stage, relay: Relay) -> str:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {cause.reason or cause}"
        case TimeoutError():
            seconds = relay.end_of_data_timeout if stage is Stage.CONTENT else relay.timeout
            return f"no answer within {seconds:g} s"
        case socket.gaierror() | UnicodeError():
            return f"the name cannot be resolved: {cause}"
        case OSError() if cause.errno:
            return cause.strerror or str(cause)
        case _:
            return "the connection was closed"
