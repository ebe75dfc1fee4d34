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
        broken = (error.filename,) if error.filename else ()
        message = f"{where}: {_hinted(error.message or '')}"
        raise TemplateError(message, subject=template, files=(*broken, *_passed(error, {template, *files}))) from error
    except Exception as error:
        passed = _passed(error, {template, *files})
        file, line = next(iter(passed.items()), (template, 1))
        message = f"{file}:{line + first_line - 1}: {_reason(error)}"
        raise TemplateError(message, subject=template, files=tuple(passed)) from error


def _passed(error: Exception, files: set[str]) -> dict[str, int]:
    """The templates that an error passed through, the innermost first, with the innermost line of each.

    Jinja puts templates into the traceback.
    """
    passed: dict[str, int] = {}
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_code.co_filename in files:
            passed.setdefault(frame.f_code.co_filename, line)
    return passed


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "a template or macro includes itself without end, or brackets are nested too deep"
    return str(error) or type(error).__name__


def _hinted(message: str) -> str:
    """Jinja's message on an unknown filter or test, with the nearest one that exists."""
    found = re.fullmatch(r"No (filter|test) named '(.+)'\.?", message)
    if not found:
        return message.rstrip(".")
    known = environment().filters if found[1] == "filter" else environment().tests
    hint = nearest(found[2], known)
    return f"there is no {found[1]} {found[2]!r}" + (hint if hint.endswith("?") else "")
