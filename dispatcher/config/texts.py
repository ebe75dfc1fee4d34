"""Plain text, names of zones and languages, slugs and hosts: whether they are well formed.

Every function here returns the value in normal form, or raises ValueError with a sentence for the person who wrote it.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

from dispatcher.config.nearest import did_you_mean


def line(text: str) -> str:
    """One line of text, without control characters, such as could add a header to a mail."""
    return _without_control_characters(text, allowed="").strip()


def filled_line(text: str) -> str:
    """One line of text that is not blank."""
    if not text.strip():
        raise ValueError("is empty; expected some text")
    return line(text)


def paragraph(text: str) -> str:
    """Text of any number of lines."""
    return _without_control_characters(text, allowed="\n\r\t")


def zone(text: str) -> str:
    """A time zone of the tz database."""
    try:
        if text in ("localtime", "Factory"):
            raise ValueError  # known to the library, yet names no place
        ZoneInfo(text)
    except (OSError, ValueError, LookupError):  # a folder, a path, no such zone: all of them mean "no"
        expected = 'expected a name of the tz database, such as "Europe/London"'
        raise ValueError(f'"{text[:60]}" is not a time zone{did_you_mean(text, _zones(), expected)}') from None
    return text


def locale(text: str) -> str:
    """A language, or a language as it is written somewhere, that CLDR knows: a BCP 47 tag ("_" is taken for "-")."""
    tag = text.replace("_", "-")
    try:
        if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag):
            raise ValueError
        return str(Locale.parse(tag, sep="-")).replace("_", "-")
    except (ValueError, UnknownLocaleError):
        raise ValueError(f'"{text[:60]}" is not a language or locale{_locale_hint(text)}') from None


def slug(text: str) -> str:
    """A name that can stand in a link: small letters, digits, hyphens; at most 64 characters."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) or len(text) > 64:
        cleaned = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:64].strip("-")
        hint = f'; did you mean "{cleaned}"?' if cleaned else ""
        raise ValueError(f'"{text[:60]}" is not a slug; expected small letters, digits and hyphens{hint}')
    return text


def selector(text: str) -> str:
    """A DKIM selector: one or more DNS labels (RFC 6376 §3.1)."""
    if not re.fullmatch(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.|$))+", text) or text.endswith("."):
        raise ValueError(f'"{text[:60]}" is not a selector; expected letters, digits and hyphens, such as "s202603"')
    return text.lower()


def day(text: str) -> str:
    """A day of the calendar, such as "2026-03-01"."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f'"{text[:60]}" is not a day; expected such as "2026-03-01"') from None


def host(text: str) -> str:
    """A host name or IP address, and nothing else."""
    host = filled_line(text)
    if "://" in host:
        raise ValueError(f'"{host}" is a URL; did you mean "{host.partition("://")[2].strip("/")}"?')
    if re.fullmatch(r"[^:]+:[0-9]+", host):
        name, _, port = host.partition(":")
        raise ValueError(f'"{host}" holds a port; did you mean host = "{name}" and port = {port}?')
    if re.search(r"[\s/@]", host):
        raise ValueError(f'"{host}" is not a host name; expected such as "smtp.news.example"')
    return host


def header_text(text: str) -> str:
    """What can stand in an HTTP header (RFC 9110 §5.5)."""
    if not text.isascii():
        raise ValueError(f'"{text[:60]}" cannot stand in an HTTP header; expected ASCII only')
    return line(text)


def _without_control_characters(text: str, allowed: str) -> str:
    for character in text:
        if (character < " " or "\x7f" <= character <= "\x9f") and character not in allowed:
            raise ValueError(f"{text[:60]!r} holds the control character {character!r}; expected plain text")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _locale_hint(text: str) -> str:
    names = {name.casefold(): code for code, name in Locale("en").languages.items()}
    if code := names.get(text.casefold()):
        return f'; did you mean "{code.replace("_", "-")}"?'
    tags = [identifier.replace("_", "-") for identifier in locale_identifiers()]
    return did_you_mean(text.replace("_", "-"), tags, 'expected a BCP 47 tag, such as "en" or "pt-BR"')
