"""Every visible English sentence has its translation, and every translation its sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes
from jinja2.ext import Extension, extract_from_ast
from jinja2.parser import Parser

from dispatcher.digest import voice
from dispatcher.digest.render import builtin_folder
from dispatcher.web import words
from dispatcher.web.readers import slips

Sentence = str | tuple[str, str]
"""A message as a catalogue names it: by its English words, or by those for one and for many."""

FOLDERS = {"mails": voice.WORDS, "pages": words.WORDS}
LANGUAGES = sorted({path.stem for folder in FOLDERS.values() for path in folder.glob("*.po")})
CATALOGUES = [(room, language) for room in FOLDERS for language in LANGUAGES]

pytestmark = pytest.mark.parametrize(("room", "language"), CATALOGUES)


def test_every_sentence_is_translated(room: str, language: str) -> None:
    known = {message.id for message in _messages(room, language) if all(_forms(message))}
    if room == "pages":  # what they have no words for they take from the mails'
        known |= {message.id for message in _messages("mails", language)}
    assert sorted(map(str, _asked(room) - known)) == []


def test_every_translation_is_of_a_sentence(room: str, language: str) -> None:
    asked = _asked(room)
    if room == "pages":
        asked -= _asked("mails")  # one sentence, one translation
    assert [message.id for message in _messages(room, language) if message.id not in asked] == []
    assert not _catalogue(room, language).obsolete


def test_no_translation_is_a_guess(room: str, language: str) -> None:
    assert [message.id for message in _messages(room, language) if message.fuzzy] == []


def test_a_translation_has_its_sentences_placeholders(room: str, language: str) -> None:
    for message in _messages(room, language):
        one, many = (message.id, message.id) if isinstance(message.id, str) else message.id
        for number, form in enumerate(_forms(message)):
            assert _placeholders(form) == _placeholders(many if number else one), form


def test_a_translation_has_as_many_forms_as_its_language(room: str, language: str) -> None:
    catalogue = _catalogue(room, language)
    assert str(catalogue.locale) == language
    for message in catalogue:
        if message.pluralizable:
            assert len(_forms(message)) == catalogue.num_plurals, message.id


def _asked(room: str) -> set[Sentence]:
    return _of_mails() if room == "mails" else _of_pages()


@cache
def _of_mails() -> set[Sentence]:
    return set(_in_templates("email/*.j2")) | {message for _, message in voice._CADENCES}


@cache
def _of_pages() -> set[Sentence]:
    """Those of readers: operators are spoken to in English."""
    room = Path(slips.__file__).parent
    in_code = (sentence for path in room.glob("*.py") for sentence in _in_code(path.read_text("utf-8")))
    return {*_in_templates("web/*.j2"), *in_code, slips._CONSENT}


def _in_templates(pattern: str) -> Iterator[Sentence]:
    made = Environment(extensions=[_Personal])
    for path in sorted(builtin_folder().glob(pattern)):
        parsed = made.parse(path.read_text("utf-8"), path.name, str(path))
        for line, function, strings in extract_from_ast(parsed, ("_", "ngettext")):
            yield _sentence(strings, function, f"{path.name}:{line}")


def _in_code(source: str) -> Iterator[Sentence]:
    for node in ast.walk(ast.parse(source)):
        function = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and function in ("_", "gettext", "ngettext"):
            given = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
            if given != [None]:  # a name is looked up where it is defined
                yield _sentence(given, function, ast.unparse(node))


def _sentence(given: object, function: str, place: str) -> Sentence:
    strings = [one for one in (given if isinstance(given, (list, tuple)) else [given]) if isinstance(one, str)]
    assert len(strings) == (2 if function == "ngettext" else 1), f"{place}: words must stand in quotation marks"
    return (strings[0], strings[1]) if function == "ngettext" else strings[0]


class _Personal(Extension):
    """Reads through the tag that our renderer takes apart before Jinja sees it."""

    tags = {"personal"}  # noqa: RUF012 (Jinja's own declaration)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endpersonal",), drop_needle=True)


@cache
def _catalogue(room: str, language: str) -> Catalog:
    with (FOLDERS[room] / f"{language}.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def _messages(room: str, language: str) -> list[Message]:
    return [message for message in _catalogue(room, language) if message.id]


def _forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"%\(\w+\)s|%", text)))
