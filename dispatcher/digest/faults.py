"""What went wrong in a template, as one line for the person who wrote it: file, line, and the nearest right name."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jinja2 import TemplateSyntaxError

from dispatcher.digest.jinja import environment, nearest
from dispatcher.errors import TemplateError


@contextmanager
def blaming(template: str, files: Iterable[str] = (), *, first_line: int = 1) -> Iterator[None]:
    """Turn whatever a template raises into a TemplateError.

    `template` is the file that is rendered, `files` all the files it may draw on, `first_line` the line that the
    text being rendered has in its file.
    """
    try:
        yield
    except TemplateError:
        raise
    except TemplateSyntaxError as error:
        where = f"{error.filename or template}:{error.lineno + first_line - 1}"
        raise TemplateError(f"{where}: {_hinted(error.message or '')}", subject=template) from error
    except Exception as error:
        place = _place(error, {template, *files}) or (template, 1)
        message = f"{place[0]}:{place[1] + first_line - 1}: {_reason(error, files)}"
        raise TemplateError(message, subject=template) from error


def _place(error: Exception, files: set[str]) -> tuple[str, int] | None:
    """The innermost line of a template that the error passed through. Jinja puts templates into the traceback."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return (frames[-1].filename, frames[-1].lineno or 1) if frames else None


def _reason(error: Exception, files: Iterable[str]) -> str:
    if isinstance(error, RecursionError):
        return "the template includes itself without end"
    return str(error) or type(error).__name__


def _hinted(message: str) -> str:
    """Jinja's message on an unknown filter or test, with the nearest one that exists."""
    found = re.fullmatch(r"No (filter|test) named '(.+)'\.?", message)
    if not found:
        return message.rstrip(".")
    known = environment().filters if found[1] == "filter" else environment().tests
    hint = nearest(found[2], known)
    return f"there is no {found[1]} {found[2]!r}" + (hint if hint.endswith("?") else "")
