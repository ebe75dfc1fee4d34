"""The one way to read a source, whatever it is: an HTTP feed, a feed in a file, or a folder of articles.

A broken source is a value: `Reading.failure` says why in words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dispatcher.errors import SourceError
from dispatcher.model.content import Source
from dispatcher.model.raw import RawArticle
from dispatcher.sources import document, feed, folder, sandbox
from dispatcher.sources.http import Failure, Fetcher

MAX_FILE = 20_000_000
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")
_DRIVE = re.compile(r"/?[a-zA-Z]:[\\/]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a poll gave. Validators, hash and fingerprints are to be kept as they stand here, whatever happened.

    `unchanged`: the source has nothing that it had not at the last success; `not_modified`: it said so itself (304).
    """

    items: tuple[RawArticle, ...] = ()
    unchanged: bool = False
    not_modified: bool = False
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    failure: Failure | None = None


async def read(
    source: Source,
    fetcher: Fetcher,
    *,
    now: datetime,
    base: Path,
    known: Mapping[str, str] | None = None,
    steps: list[str] | None = None,
) -> Reading:
    """Read `source` once. Never raises for a broken source.

    Relative paths are relative to `base`. `known` are the fingerprints of a folder's last reading. `steps` is told
    what was done, in words.
    """
    try:
        if source.url.lower().startswith(("http:", "https:")):
            return await _read_web(source, fetcher, [] if steps is None else steps)
        path = local_path(source.url, base)
        if await asyncio.to_thread(path.is_dir):
            return await _read_folder(source, path, now, known or {})
        return await _read_file(source, path)
    except SourceError as error:
        return _failed(source, Failure(str(error)), known)
    except OSError as error:
        return _failed(source, Failure(f"{error.filename or source.url}: {error.strerror or error}"), known)


def local_path(url: str, base: Path) -> Path:
    """The file or folder that a source's url means: a path or a `file:` URL (RFC 8089). SourceError if neither."""
    if _DRIVE.match(url):
        raise SourceError(f"{url!r} is a Windows path; give a POSIX path or a file: URL")
    scheme = _SCHEME.match(url)
    if scheme is None:
        return base.absolute() / Path(url).expanduser()
    if scheme[1].lower() != "file":
        raise SourceError(f"{scheme[1]}: cannot be read; a source is an http(s) feed, a file: URL or a folder")
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost"):
        raise SourceError(f"{url!r} names a machine, {parts.netloc!r}; write file:///path (three slashes) for this one")
    if not path or "\0" in path or _DRIVE.match(path):
        raise SourceError(f"{url!r} is not the address of a file here; write file:///path (three slashes)")
    return base.absolute() / path


async def _read_web(source: Source, fetcher: Fetcher, steps: list[str]) -> Reading:
    answer = await fetcher.get(
        source.url,
        etag=source.etag,
        last_modified=source.last_modified,
        allow_private=source.allow_private,
        steps=steps,
    )
    if isinstance(answer, Failure):
        return _failed(source, answer)
    if answer.status == 304:
        kept = _unchanged(source, answer.etag or source.etag, answer.last_modified or source.last_modified)
        return replace(kept, not_modified=True)
    steps.append(f"took {len(answer.body):,} bytes, unpacked")
    body_hash = sha256(answer.body).hexdigest()
    if body_hash == source.body_hash:
        return _unchanged(source, answer.etag, answer.last_modified)
    parsed = await sandbox.run(
        feed.parse, answer.body, url=answer.url, content_type=answer.headers.get("content-type", "")
    )
    return Reading(parsed.items, etag=answer.etag, last_modified=answer.last_modified, body_hash=body_hash)


async def _read_file(source: Source, path: Path) -> Reading:
    body = await asyncio.to_thread(file_bytes, path)
    body_hash = sha256(body).hexdigest()
    if body_hash == source.body_hash:
        return _unchanged(source)
    parsed = await sandbox.run(feed.parse, body, url=path.as_uri())
    return Reading(parsed.items, body_hash=body_hash)


def file_bytes(path: Path) -> bytes:
    """A feed in a file. SourceError if there is none, or one larger than any feed should be."""
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}; create it, or correct the source's url")
    if not path.is_file():
        raise SourceError(f"{path} is neither a file nor a folder")
    if path.stat().st_size > MAX_FILE:
        raise SourceError(f"{path} is larger than {MAX_FILE:,} bytes, which no feed should be")
    return path.read_bytes()


async def _read_folder(source: Source, path: Path, now: datetime, known: Mapping[str, str]) -> Reading:
    found = await asyncio.to_thread(folder.read, path, now=now, known=known, parse=_parse_document)
    return Reading(
        items=found.items,
        unchanged=found.fingerprints == known and not (found.items or found.pending or found.problems),
        fingerprints=found.fingerprints,
        pending=found.pending,
        problems=found.problems,
    )


def _parse_document(data: bytes, *, path: str, modified_at: datetime) -> RawArticle | None:
    return sandbox.call(document.parse, data, path=path, modified_at=modified_at)


def _unchanged(source: Source, etag: str = "", last_modified: str = "") -> Reading:
    return Reading(unchanged=True, etag=etag, last_modified=last_modified, body_hash=source.body_hash)


def _failed(source: Source, failure: Failure, known: Mapping[str, str] | None = None) -> Reading:
    """A failure leaves everything as it was, so that the next success is compared with the last one."""
    return Reading(
        etag=source.etag,
        last_modified=source.last_modified,
        body_hash=source.body_hash,
        fingerprints=known or {},
        failure=failure,
    )
