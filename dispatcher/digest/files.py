"""Template files, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import BaseLoader, Environment, TemplateNotFound

from dispatcher.digest import mjml
from dispatcher.digest.jinja import nearest
from dispatcher.digest.voice import WORDS
from dispatcher.errors import TemplateError

FileMap = dict[str, tuple[str, str]]
"""Template name → its source, and the file it came from."""

LARGEST_FILE = 1_000_000
"""Octets. What is larger is no template."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A template of the operator's that cannot be used, by its name, and why."""

    name: str
    reason: str


class Files(BaseLoader):
    """Templates that were read once, so that what `version` stands for cannot change under a running daemon."""

    def __init__(self, files: FileMap) -> None:
        self._files = files

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        if template not in self._files:
            message = f"there is no template {template!r}{nearest(template, self._files)}"
            raise TemplateNotFound(template, message)
        return *self._files[template], None


def read(folders: Sequence[Path], *, of_pages: bool = False) -> FileMap:
    """Name → source and file, of every template in the folders: those of mails, or those of web pages (`web/`).

    One in an earlier folder goes before its namesake in a later one. TemplateError if one cannot be read.
    """
    files: FileMap = {}
    for folder in reversed(folders):
        found, faults = gather(folder, of_pages=of_pages)
        if faults:
            raise TemplateError(faults[0].reason)
        files |= found
    return files


def gather(folder: Path, *, of_pages: bool = False) -> tuple[FileMap, list[Fault]]:
    """The templates of one folder, and what is wrong with those that cannot be read."""
    files: FileMap = {}
    faults = []
    for name, path in _named(folder):
        if name.startswith("web/") != of_pages:
            continue
        try:
            if name in files:
                raise TemplateError(f"{path}: stands beside {files[name][1]}; keep one of the two")
            source = _text(path)
            files[name] = (mjml.compile(source, str(path)) if mjml.is_mjml(path.name) else source), str(path)
        except TemplateError as error:
            faults.append(Fault(name, str(error)))
    return files, faults


def version(files: FileMap) -> str:
    """A short hash of everything that shows and is not content: templates and catalogues."""
    digest = hashlib.sha256()
    for name, (source, _) in sorted(files.items()):
        digest.update(f"{name}\0{source}\0".encode())
    for path in sorted(WORDS.glob("*.po")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    """What looks like a template, under the name that others know it by."""
    for path in sorted((*folder.rglob("*.j2"), *folder.rglob("*.mjml"))):
        yield mjml.name_of(path.relative_to(folder).as_posix()), path


def _text(path: Path) -> str:
    if not path.is_file():
        raise TemplateError(f"{path}: {'leads nowhere' if not path.exists() else 'is no file'}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise TemplateError(f"{path}: larger than {LARGEST_FILE:,} bytes: that is no template")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8") from error
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise TemplateError(f"{path}: holds the byte 0: that is no text")
    return text
