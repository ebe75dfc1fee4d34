"""Every phrase that our templates and code ask the catalogues for, found by reading them as Babel and Jinja do.

    for phrase in phrases():
        phrase.id                              # "Unsubscribe", or ("%(n)s story", "%(n)s stories")
        phrase.places                          # {"email/footer.html.j2", …}

Operators are spoken to in English: what only they see is not asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, nodes
from jinja2.ext import Extension, extract_from_ast
from jinja2.parser import Parser

import dispatcher
from dispatcher.digest import voice
from dispatcher.digest.render import builtin_folder
from dispatcher.web.readers import slips

Id = str | tuple[str, str]
"""A phrase as a catalogue names it: by its English words, or by those for one and for many."""

FUNCTIONS = ("_", "gettext", "ngettext")
FOR_OPERATORS = ("web/admin", "web/api")


@dataclass
class Phrase:
    """One phrase, and the files that use it."""

    id: Id
    places: set[str] = field(default_factory=set)


@cache
def phrases() -> dict[Id, Phrase]:
    """All of them by their ids, those of mails first."""
    found: dict[Id, Phrase] = {}
    for given, place in (*_named(), *_in_templates(), *_in_code()):
        found.setdefault(given, Phrase(given)).places.add(place)
    return found


def _named() -> Iterator[tuple[Id, str]]:
    """Those that code looks up by a name of its own."""
    for _, message in voice._CADENCES:
        yield message, "digest/voice.py"
    yield slips._CONSENT, "web/readers/slips.py"


def _in_templates() -> Iterator[tuple[Id, str]]:
    folder, made = builtin_folder(), Environment(extensions=[_Personal])
    for path in sorted(folder.rglob("*.j2")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(FOR_OPERATORS):
            parsed = made.parse(path.read_text("utf-8"), name, str(path))
            for line, function, strings in extract_from_ast(parsed, FUNCTIONS):
                yield _id(function, strings if isinstance(strings, tuple) else (strings,), f"{name}:{line}"), name


def _in_code() -> Iterator[tuple[Id, str]]:
    folder = Path(dispatcher.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(FOR_OPERATORS):
            for line, function, strings in _calls(path.read_text("utf-8")):
                yield _id(function, strings, f"{name}:{line}"), name


def _calls(source: str) -> Iterator[tuple[int, str, Iterable[object]]]:
    """Calls with words in them; a name that is passed on is looked up where it is defined."""
    if "gettext" not in source and "_(" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if function in FUNCTIONS and given:
                yield node.lineno, function, given


def _id(function: str, given: Iterable[object], place: str) -> Id:
    strings = [one for one in given if isinstance(one, str)]
    assert len(strings) == (2 if function == "ngettext" else 1), f"{place}: words must stand in quotation marks"
    return (strings[0], strings[1]) if function == "ngettext" else strings[0]


class _Personal(Extension):
    """Reads through the tag that our renderer takes apart before Jinja sees it."""

    tags = {"personal"}  # noqa: RUF012 (Jinja's own declaration)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endpersonal",), drop_needle=True)
