"""The URLs of sites, sources and databases: whether they are well formed, and how they are shown.

What checks a URL here returns it, or raises ValueError with a sentence for the person who wrote it.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from dispatcher.config.nearest import nearest

MASK = "******"

_HOST_FIRST = re.compile(r"(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})(:\d+)?(/.*)?")
_POSTGRESQL = "postgresql+psycopg"


def web_url(text: str) -> str:
    """An absolute http or https URL."""
    url = _split(text)
    if url.scheme not in ("http", "https"):
        raise ValueError(f'"{masked(text)}" is not a web address{_web_hint(text, url.scheme)}')
    if not url.hostname or re.search(r"\s", text):
        raise ValueError(f'"{masked(text)}" is not a web address; expected such as "https://news.example/"')
    return text


def source_url(text: str) -> str:
    """Where articles come from: an http(s) URL, a file: URL, or the path of a folder."""
    if text.startswith("file:"):
        return _file_url(text)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) or text.lower().startswith(("http:", "https:", "feed:")):
        return web_url(text)
    if host := _HOST_FIRST.fullmatch(text):
        raise ValueError(f'"{text}" names no scheme; did you mean "https://{text}" (or the folder "./{host[0]}")?')
    return text


def database_url(text: str) -> str:
    """An SQLite file or a PostgreSQL database. One in memory is refused: every connection would see its own."""
    scheme = text.partition(":")[0]
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        return _sqlite_url(text)
    if scheme in ("postgresql", _POSTGRESQL):
        return _postgresql_url(text)
    shown = masked(text)
    if "://" not in text and text.endswith((".db", ".sqlite", ".sqlite3")):
        raise ValueError(f'"{shown}" is not a database URL; did you mean "sqlite:///{text}"?')
    near = nearest(scheme, ("sqlite", "postgresql"))
    hint = f'; did you mean "{near}{shown.removeprefix(scheme)}"?' if near else ""
    raise ValueError(f'"{shown}" is neither sqlite:///FILE nor postgresql://USER@HOST/NAME{hint}')


def is_postgresql(url: str) -> bool:
    """Whether a valid database URL is one of PostgreSQL."""
    return url.startswith("postgresql")


def sqlite_path(url: str) -> str:
    """The path, relative or not, in a valid SQLite URL."""
    return url.partition(":///")[2]


def postgresql_driver_url(url: str) -> str:
    """A valid PostgreSQL URL, naming the driver we use."""
    return f"{_POSTGRESQL}:{url.partition(':')[2]}"


def with_password(url: str, password: str) -> str:
    """A PostgreSQL URL without a password, given one. ValueError if the URL is malformed."""
    parts = _split(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def masked(url: str) -> str:
    """A URL, valid or not, without the password that it may carry."""
    url = re.sub(r"(://[^/?#\s@:]*:)[^/?#\s]*(?=@)", rf"\g<1>{MASK}", url)
    # A password with a "/" or "#" that should have been escaped; but "host:port/@name" holds none.
    url = re.sub(r"(://[^/?#\s@:]*:)(?![^/?#\s]*@|[0-9]+[/?#])\S*(?=@)", rf"\g<1>{MASK}", url)
    return re.sub(r"([?&]password=)[^&]*", rf"\g<1>{MASK}", url)


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise ValueError(f'"{masked(text)}" is not a URL: {str(error).lower()}') from None
    try:
        _ = url.port  # checked only when asked for
    except ValueError:
        raise ValueError(f'"{masked(text)}" has a wrong port; expected a number up to 65535') from None
    return url


def _web_hint(text: str, scheme: str) -> str:
    rest = masked(text).removeprefix(f"{scheme}:").lstrip("/").removeprefix("https:").lstrip("/")
    if scheme == "feed" or _HOST_FIRST.fullmatch(text):
        return f'; did you mean "https://{rest}"?'
    near = nearest(scheme, ("https", "http"))
    return f'; did you mean "{near}://{rest}"?' if near else "; expected http:// or https://"


def _file_url(text: str) -> str:
    url = urlsplit(text)
    if url.netloc not in ("", "localhost"):
        raise ValueError(f'"{text}" names another machine; did you mean "file:///{url.netloc}{url.path}"?')
    if not url.path:
        raise ValueError(f'"{text}" names no file; expected such as "file:///srv/feed.xml"')
    return text


def _sqlite_url(text: str) -> str:
    path = sqlite_path(text)
    if not path or path.startswith(":memory:") or "mode=memory" in path:
        if "://" in text and not text.endswith(("://", ":///")) and "memory" not in text:
            raise ValueError(f'"{text}" has two slashes; did you mean "sqlite:///{text.partition("://")[2]}"?')
        raise ValueError(
            f'"{text}" is a database in memory, lost at every end and unseen by other commands; '
            'expected a file, such as "sqlite:///subscribers.db"'
        )
    if "?" in path:
        raise ValueError(
            f'"{text}" has options after "?", which are not taken; did you mean "{text.partition("?")[0]}"?'
        )
    if path.endswith("/"):
        raise ValueError(f'"{text}" is a folder; did you mean "{text}subscribers.db"?')
    return text


def _postgresql_url(text: str) -> str:
    url = _split(text)
    if not url.path.strip("/"):
        raise ValueError(
            f'"{masked(text)}" names no database; expected such as "postgresql://user@localhost/dispatcher"'
        )
    return text
