"""Every phrase that readers see has its translation in every language, and every translation its phrase."""

from __future__ import annotations

import re
from functools import cache
from gettext import c2py

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from phrases import Id, phrases

from dispatcher.digest import voice

LANGUAGES = sorted(path.stem for path in voice.WORDS.glob("*.po"))
COUNTS = range(1000)

pytestmark = pytest.mark.parametrize("language", LANGUAGES)


def test_every_phrase_is_translated(language: str) -> None:
    known = {message.id for message in _messages(language) if all(_forms(message))}
    assert _missing(known) == [], f"add these to {language}.po"


def test_every_translation_is_of_a_phrase(language: str) -> None:
    assert [message.id for message in _messages(language) if message.id not in phrases()] == []
    assert not _catalogue(language).obsolete


def test_no_translation_is_a_guess(language: str) -> None:
    assert [message.id for message in _messages(language) if message.fuzzy] == []


def test_a_translation_has_its_phrases_placeholders(language: str) -> None:
    assert [wrong for message in _messages(language) for wrong in _misfilled(message, _catalogue(language))] == []


def test_a_translation_has_as_many_forms_as_its_language(language: str) -> None:
    catalogue = _catalogue(language)
    assert str(catalogue.locale) == language
    plural = [message for message in catalogue if message.pluralizable]
    assert [message.id for message in plural if len(_forms(message)) != catalogue.num_plurals] == []


def test_a_form_stands_for_the_counts_that_the_languages_rules_put_together(language: str) -> None:
    chosen, rule = c2py(_catalogue(language).plural_expr), Locale.parse(language).plural_form
    pairs = {(chosen(count), rule(count)) for count in COUNTS}
    assert len(pairs) == len({form for form, _ in pairs}) == len({category for _, category in pairs})


def _missing(known: set[Id]) -> list[str]:
    return [
        f"{phrase.id} in {', '.join(sorted(phrase.places))}" for phrase in phrases().values() if phrase.id not in known
    ]


def _misfilled(message: Message, catalogue: Catalog) -> list[str]:
    """Forms whose placeholders are not their phrase's; a form that stands for one count alone need not say it."""
    if isinstance(message.id, str):
        wrong = _placeholders(message.string) != _placeholders(message.id)
        return [f"{message.id}: {message.string}"] if wrong else []
    needed, found = _placeholders("".join(message.id)), []
    for number, form in enumerate(_forms(message)):
        free = {"%(n)s"} if _is_single(catalogue, number) else set()
        if not needed - free <= _placeholders(form) <= needed:
            found.append(f"{message.id[0]}: {form}")
    return found


@cache
def _catalogue(language: str) -> Catalog:
    with (voice.WORDS / f"{language}.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def _messages(language: str) -> list[Message]:
    return [message for message in _catalogue(language) if message.id]


def _forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _is_single(catalogue: Catalog, form: int) -> bool:
    chosen = c2py(catalogue.plural_expr)
    return sum(chosen(count) == form for count in COUNTS if count) <= 1


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|%", text))
