"""Pages: templates under `web/`, the operator's over ours, spoken in the visitor's language."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import HTMLResponse

from dispatcher.digest import jinja
from dispatcher.digest.faults import blaming
from dispatcher.digest.files import FileMap, Files, read, version
from dispatcher.digest.render import builtin_folder
from dispatcher.digest.slots import Letterhead
from dispatcher.digest.voice import speaking, voice
from dispatcher.pipeline.context import Context
from dispatcher.web.asking import context_of, visitor_of

STATIC = Path(__file__).parent / "static"


async def page(
    request: Request, name: str, *, status: int = 200, locale: str = "", timezone: str = "",
    headers: dict[str, str] | None = None, **known: Any,
) -> HTMLResponse:  # fmt: skip
    """A page from a template. It speaks the visitor's language where no `locale` is given.

    TemplateError, which names file and line, if the operator's template is broken.
    """
    locale = locale or visitor_of(request).locale
    html = written(context_of(request), name, locale=locale, timezone=timezone, **known)
    spoken = voice(locale, timezone or "UTC").lang
    return HTMLResponse(html, status_code=status, headers={"Content-Language": spoken, **(headers or {})})


def written(ctx: Context, name: str, *, locale: str, timezone: str = "", **known: Any) -> str:
    """What a template says in a language. TemplateError as above."""
    speaker = voice(locale, timezone or ctx.settings.site.timezone)
    shared = {
        "site": Letterhead.of(ctx.newsletter),
        "lang": speaker.lang,
        "dir": speaker.dir,
        "at": lambda path: at(ctx, path),
        "asset": lambda file: at(ctx, f"/static/{file}?v={_version(file)}"),
    }
    files, environment = _environment(ctx)
    source = files[name][1] if name in files else name
    with speaking(speaker), blaming(source, [file for _, file in files.values()]):
        text: str = environment.get_template(name).render({**shared, **known})
    return text


def at(ctx: Context, path: str) -> str:
    """A path of ours as a browser must ask for it: under the prefix that `[web] url` may have."""
    return urlsplit(ctx.settings.web.public_url).path.rstrip("/") + path


def version_of_pages(ctx: Context) -> str:
    """Another one whenever what all pages have in common has changed."""
    if ctx.templates not in _versions:
        _versions[ctx.templates] = version(_environment(ctx)[0])
    return _versions[ctx.templates]


_made: WeakKeyDictionary[Any, tuple[FileMap, Any]] = WeakKeyDictionary()
_versions: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def _environment(ctx: Context) -> tuple[FileMap, Any]:
    """The templates as they were when the settings were read: SIGHUP makes new settings, and so reads them again."""
    found = _made.get(ctx.templates)
    if found is None:
        files = read([ctx.settings.resolve(ctx.settings.templates.folder), builtin_folder()], of_pages=True)
        found = _made[ctx.templates] = (files, jinja.environment(Files(files)))
    return found


@lru_cache(maxsize=64)
def _version(file: str) -> str:
    return hashlib.sha256((STATIC / file).read_bytes()).hexdigest()[:12]
