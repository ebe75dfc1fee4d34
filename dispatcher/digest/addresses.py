"""Mail addresses as they go over the wire: ASCII, domains in A-labels, or refused with the right status."""

from __future__ import annotations

import re

import idna

from dispatcher.errors import DispatcherError


class AddressError(DispatcherError):
    """An address cannot be written to. `enhanced` is the status to give it up with (RFC 3463): 5.1.3 is bad syntax,
    5.1.2 a bad domain, 5.6.7 a local part that only SMTPUTF8 could carry (RFC 6531 §3.4)."""

    def __init__(self, message: str, *, enhanced: str) -> None:
        super().__init__(message)
        self.enhanced = enhanced


def split_mailbox(value: str) -> tuple[str, str]:
    """Display name and address of `Name <local@domain>` or `local@domain`, as a person writes it in a setting."""
    found = _MAILBOX.fullmatch(value.strip())
    if not found:
        return "", value.strip()
    name = found["name"].strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name, found["address"].strip()


def addr_spec(address: str, *, beyond_ascii: bool = False) -> str:
    """An address as it goes over the wire, its domain in A-labels. AddressError if there is no such form.

    `beyond_ascii`: its local part may be what only SMTPUTF8 can carry (RFC 6532 §3.2); else all of it is ASCII. A local
    part that is no dot-atom (`a..b@docomo.example`) is quoted. RFC 5321 §4.1.2, RFC 6531 §3.2
    """
    local, at, domain = address.strip(" ").rpartition("@")
    if not at or not local or not domain or _UNSAFE.search(address):
        raise AddressError(f"{address!r} is no address: it should look like name@example.org", enhanced="5.1.3")
    if beyond_ascii and not local.isascii():
        return _international(local, domain)
    if not local.isascii():
        raise AddressError(
            f"{address!r} needs a mail server with SMTPUTF8: its part before the @ is not ASCII", enhanced="5.6.7"
        )
    if len(local) > 64 or not (_DOTTED.fullmatch(local) or _QUOTED_LOCAL.fullmatch(local)):
        raise AddressError(f"{address!r} is no address: {local!r} cannot stand before an @", enhanced="5.1.3")
    is_ready = _DOT_ATOM.fullmatch(local) or local.startswith('"')
    return (local if is_ready else f'"{local}"') + f"@{a_labels(domain)}"


def _international(local: str, domain: str) -> str:
    """A local part beyond ASCII as it stands, which is as RCPT has it: atoms, and dots between them."""
    if len(local.encode()) > 64 or not _INTERNATIONAL.fullmatch(local) or not local.replace(".", "").isprintable():
        raise AddressError(f"{local!r} cannot stand before an @", enhanced="5.1.3")
    return f"{local}@{a_labels(domain)}"


def a_labels(domain: str) -> str:
    """A domain in A-labels, or an address literal. RFC 5890; UTS 46 maps case and width as browsers do."""
    try:
        ascii_form = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise AddressError(f"{domain!r} is no domain: {error}", enhanced="5.1.2") from error
    is_literal = bool(_LITERAL.fullmatch(ascii_form))
    if len(ascii_form) > 253 or not (is_literal or _HOST.fullmatch(ascii_form)):
        raise AddressError(f"{domain!r} is no domain", enhanced="5.1.2")
    return ascii_form


_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>]")
_MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOTTED = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_INTERNATIONAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+)*"
)
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_LITERAL = re.compile(r"\[[0-9A-Za-z.:]+\]")
