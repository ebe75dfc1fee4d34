"""Mailboxes, e-mail addresses and list identifiers: whether they are well formed.

What checks one here returns it in normal form, or raises ValueError with a sentence for the person who wrote it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from dispatcher.config.nearest import did_you_mean
from dispatcher.model import providers

LONGEST_BOUNCE_LOCAL = 27
"""Octets before the "@" that leave room for a delivery's name: `delivery.verp` says how much that takes."""

# Reserved (RFC 6761), yet what home networks, containers and tests are really called.
_LOCAL_TOP_LEVELS = ("localhost", "local", "test")
_SPECIAL = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
# What nearly every address looks like: the library accepts all of it as it stands, and takes forty times as long.
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@.{4,180}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?P<top>[a-z]{2,63})\Z"
)
_NAME_AND_ADDRESS = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*"|[^"<>]*)\s*<(?P<address>[^<>]*)>')
_PLAIN_NAME = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LIST_ID = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)+", re.IGNORECASE)


class Mailbox(NamedTuple):
    """A display name, unquoted and perhaps empty, and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        if not self.name:
            return self.address
        plain = _PLAIN_NAME.fullmatch(self.name)
        name = self.name if plain else '"' + re.sub(r'(["\\])', r"\\\1", self.name) + '"'
        return f"{name} <{self.address}>"


@lru_cache(maxsize=64)  # the sender's is asked for with every message
def mailbox(text: str) -> Mailbox:
    """One mailbox, "Name <address>" or a bare address (RFC 5322 §3.4); a name need not be quoted."""
    match = _NAME_AND_ADDRESS.fullmatch(text.strip())
    if match is None and text.count("@") < 2 and not any(mark in text for mark in '<>"'):
        return Mailbox("", email(text))
    if match is None or ("@" in match["name"] and not match["name"].startswith('"')):
        raise ValueError(f'"{text}" is not one mailbox; expected such as "The Daily Example <news@news.example>"')
    return Mailbox(_unquoted(match["name"].strip()), email(match["address"]))


def email(text: str) -> str:
    """One e-mail address, its domain in lower case. Nothing is asked of the DNS."""
    return _checked(text)[0]


def reader_email(text: str) -> str:
    """The address of a person: as `email`, but a domain without a dot, such as "gmail", is a slip unless localhost."""
    plain = _PLAIN.match(text)
    if plain and plain["top"] not in _SPECIAL and max(map(len, text.split("."))) <= 63:
        return text
    if named := _NAME_AND_ADDRESS.fullmatch(text.strip()):
        raise ValueError(f'"{text}" holds a name as well; did you mean "{named["address"].strip()}"?')
    address = email(text)
    domain = address.rpartition("@")[2]
    if "." not in domain and domain != "localhost":
        raise ValueError(f'"{text}" is not complete: its domain "{domain}" has no dot; did you mean "{address}.com"?')
    return address


def mail_domain(text: str) -> str:
    """The domain of mail addresses, in ASCII and lower case."""
    try:
        return _checked(f"postmaster@{text.strip()}")[1].lower()
    except ValueError:
        raise ValueError(f'"{text}" is not a domain; expected such as "news.example"') from None


def domain_pattern(text: str) -> str:
    """A domain of mail addresses, or with "*." before it all domains below that one; in ASCII and lower case."""
    below = "*." if text.strip().startswith("*.") else ""
    try:
        return below + mail_domain(text.strip().removeprefix(below))
    except ValueError:
        raise ValueError(f'"{text}" is not a domain; expected such as "mail.example" or "*.mail.example"') from None


def sender_pattern(text: str) -> str:
    """An address or a domain that mail comes from; as `domain_pattern`, an address in lower case too."""
    if "@" not in text:
        return domain_pattern(text)
    local, _, domain = email(text).lower().rpartition("@")
    return f"{local}@{mail_domain(domain)}"


def destination(text: str) -> str:
    """Where mail goes to: a provider's name, a domain in ASCII, or "*" for each of the others."""
    name = text.strip().lower()
    if name == "*" or name in providers.NAMES:
        return name
    if "." in name:
        return mail_domain(name)
    expected = 'expected a provider such as "gmail", a domain, or "*" for each of the others'
    raise ValueError(f'"{text[:60]}" is not a provider{did_you_mean(text, providers.NAMES, expected)}')


def bounce_address(text: str) -> str:
    """An address that bounces go to, with room for a delivery's name before the "@" (standards S12)."""
    address = email(text)
    local = address.rpartition("@")[0]
    if not _DOT_ATOM.fullmatch(local) or len(local) > LONGEST_BOUNCE_LOCAL:
        raise ValueError(
            f'"{text}" cannot take bounces: before the "@", at most {LONGEST_BOUNCE_LOCAL} plain letters, digits and '
            'marks; expected such as "bounces@news.example"'
        )
    return address


def list_id(text: str) -> str:
    """A list identifier without brackets, such as "daily.news.example" (RFC 2919 §2, at most 255 characters §3)."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not _LIST_ID.fullmatch(bare) or len(bare) > 255:
        raise ValueError(
            f'"{text}" is not a list identifier; expected a name and a domain, such as "daily.news.example"'
        )
    return bare


def derived_list_id(sender: Mailbox) -> str:
    """A list identifier that stays the same as long as the sender does, such as "news.news.example"."""
    local = sender.address.rpartition("@")[0]
    label = re.sub(r"[^a-z0-9-]+", "-", local.lower()).strip("-") or "newsletter"
    return f"{label}.{_checked(sender.address)[1]}"


def _checked(text: str) -> tuple[str, str]:
    """An address in normal form, and its domain in ASCII (RFC 5890)."""
    address, suffix = text.strip(), ""
    if address.lower().rpartition("@")[2].rpartition(".")[2] in _LOCAL_TOP_LEVELS:
        suffix = ".example"  # the library refuses these names; under .example it checks everything else
    try:
        checked = validate_email(address + suffix, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError as error:
        reason = str(error).rstrip(".")
        hint = _repaired(text)
        raise ValueError(f'"{text}" is not an e-mail address: {reason[:1].lower()}{reason[1:]}{hint}') from None
    return checked.normalized.removesuffix(suffix), checked.ascii_domain.removesuffix(suffix)


def _repaired(address: str) -> str:
    """What was probably meant by an address with a comma, blank or mark that slipped in."""
    repaired = re.sub(r"\s|^mailto:", "", address).replace(",", ".").replace("..", ".").strip(".<>")
    try:
        return f'; did you mean "{email(repaired)}"?' if repaired != address else ""
    except ValueError:
        return ""


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name
