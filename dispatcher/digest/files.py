"""Template files, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import BaseLoader, Environment, TemplateNotFound

from dispatcher.digest.jinja import nearest
from dispatcher.digest.voice import WORDS
from dispatcher.errors import TemplateError

FileMap = dict[str, tuple[str, str]]
"""Template name → its source, and the file it came from."""


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
    """Name → source and file, of every template in the folders: those of mails, or those of web pages (`web/`)."""
    files: FileMap = {}
    for folder in reversed(folders):
        for path in sorted(folder.rglob("*.j2")):
            name = path.relative_to(folder).as_posix()
            if name.startswith("web/") != of_pages:
                continue
            try:
                files[name] = path.read_text("utf-8-sig"), str(path)
            except UnicodeDecodeError as error:
                raise TemplateError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8") from error
            except OSError as error:
                raise TemplateError(f"{path}: cannot be read: {error.strerror}") from error
    return files


def version(files: FileMap) -> str:
    """A short hash of everything that shows and is not content: templates and catalogues."""
    digest = hashlib.sha256()
    for name, (source, _) in sorted(files.items()):
        digest.update(f"{name}\0{source}\0".encode())
    for path in sorted(WORDS.glob("*.po")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
