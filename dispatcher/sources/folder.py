"""A folder of articles: which files are new or changed, settled, and ours to read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dispatcher import clock
from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import document

SETTLING = 0.5
MAX_FILE = 5_000_000

Parse = Callable[..., RawArticle | None]


@dataclass(frozen=True, slots=True)
class FolderReading:
    """What a look into a folder gave. `fingerprints` names every file we have read, changed or not, by its path.

    `pending` files are still being written: come back in a moment. `problems` are files nobody can read, each with
    its reason; they are tried again at the next look.
    """

    items: tuple[RawArticle, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read(folder: Path, *, now: datetime, known: Mapping[str, str], parse: Parse = document.parse) -> FolderReading:
    """The articles of files that `known` (path → fingerprint) does not know as they are. SourceError: no such folder.

    A file is half-written until it has been left alone for half a second and looks the same before and after it was
    read. Its own date, where it has no other, is never after `now`.
    """
    if not folder.is_dir():
        raise SourceError(f"there is no folder {folder}; create it, or correct the source's url")
    look = _Look(folder, now, known, parse)
    for path in _files(folder):
        look.take(path)
    return FolderReading(tuple(look.items), look.fingerprints, tuple(look.pending), tuple(look.problems))


class _Look:
    """One look into a folder, file by file."""

    def __init__(self, folder: Path, now: datetime, known: Mapping[str, str], parse: Parse) -> None:
        self._folder, self._now, self._known, self._parse = folder, now, known, parse
        self.items: list[RawArticle] = []
        self.fingerprints: dict[str, str] = {}
        self.pending: list[str] = []
        self.problems: list[str] = []

    def take(self, path: Path) -> None:
        """Read one file, or note why not. A file that vanishes meanwhile was never there."""
        name = _name(path, self._folder)
        try:
            self._take(path, name)
        except FileNotFoundError:
            return
        except SourceError as error:
            self.problems.append(f"{name}: {error}")
        except OSError as error:
            self.problems.append(f"{name}: {error.strerror or error}")

    def _take(self, path: Path, name: str) -> None:
        before = path.stat()
        fingerprint = _fingerprint(before)
        if not stat.S_ISREG(before.st_mode) or before.st_size == 0:
            return
        if self._known.get(name) == fingerprint:
            self.fingerprints[name] = fingerprint
            return
        if before.st_size > MAX_FILE:
            raise SourceError(f"larger than {MAX_FILE:,} bytes, which no article is")
        data = b"" if _is_fresh(before) else path.read_bytes()
        if not data or _fingerprint(path.stat()) != fingerprint:
            self.pending.append(name)
            return
        modified_at = min(datetime.fromtimestamp(before.st_mtime, UTC), self._now)
        item = self._parse(data, path=name, modified_at=modified_at)
        self.fingerprints[name] = fingerprint
        if item is not None:
            self.items.append(item)


def _files(folder: Path) -> Iterator[Path]:
    """Files that may be articles, in a stable order; links that lead out of the folder are not followed."""
    root = folder.resolve()
    for directory, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            if _may_be_article(path) and (not path.is_symlink() or path.resolve().is_relative_to(root)):
                yield path


def _may_be_article(path: Path) -> bool:
    """By its name: a known suffix, not hidden, not an editor's lock or backup (`.x.md.swp`, `x.md~`, `#x.md#`)."""
    return path.suffix.lower() in document.KINDS and not path.name.startswith((".", "#", "~"))


def _is_fresh(status: os.stat_result) -> bool:
    """Written to within the settling time, by the machine's clock: `now` may be any time the operator tries out.

    A modification time well in the future tells nothing; then the two equal looks must do.
    """
    return abs(clock.now().timestamp() - status.st_mtime) < SETTLING


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}:{status.st_size}"


def _name(path: Path, folder: Path) -> str:
    """The path within the folder, in POSIX form; bytes that are no UTF-8 are replaced, as no database keeps them."""
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")
