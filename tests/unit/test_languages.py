"""Languages: what each says of the same things, and how one more is added."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel import Locale
from test_render_templates import NEWSLETTER, content, filled, story

from dispatcher.digest import voice
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.voice import Voice
from dispatcher.web.words import best_language, languages

MONDAY = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)

SAID = {  # a cadence, a day, a number, a list
    "en": ("every week on Monday and Thursday at 6:05 PM", "Monday, March 2, 2026", "1,234.5", "A, B, and C"),
    "ar": ("كل أسبوع: الاثنين والخميس، الساعة 6:05 م", "الاثنين، 2 مارس 2026", "1,234.5", "A وB وC"),
    "de": ("wöchentlich am Montag und Donnerstag um 18:05", "Montag, 2. März 2026", "1.234,5", "A, B und C"),
    "es": ("cada semana, lunes y jueves, a las 18:05", "lunes, 2 de marzo de 2026", "1.234,5", "A, B y C"),
    "fr": ("chaque semaine, lundi et jeudi, à 18:05", "lundi 2 mars 2026", "1 234,5", "A, B et C"),
    "it": ("ogni settimana, lunedì e giovedì, alle 18:05", "lunedì 2 marzo 2026", "1.234,5", "A, B e C"),
    "nl": ("elke week op maandag en donderdag om 18:05", "maandag 2 maart 2026", "1.234,5", "A, B en C"),
    "pl": ("co tydzień: poniedziałek i czwartek, o 18:05", "poniedziałek, 2 marca 2026", "1 234,5", "A, B i C"),
    "pt": ("todas as semanas, segunda-feira e quinta-feira, às 18:05", "segunda-feira, 2 de março de 2026", "1.234,5",
           "A, B e C"),
    "uk": ("щотижня: понеділок і четвер, о 18:05", "понеділок, 2 березня 2026 р.", "1 234,5", "A, B і C"),
}  # fmt: skip

COUNTED = {
    "en": {1: "1 story", 2: "2 stories", 21: "21 stories"},
    "ar": {
        1: "مقال واحد",
        2: "مقالان",
        3: "3 مقالات",
        10: "10 مقالات",
        11: "11 مقالًا",
        100: "100 مقال",
        103: "103 مقالات",
    },
    "de": {1: "1 Beitrag", 2: "2 Beiträge"},
    "es": {1: "1 noticia", 2: "2 noticias"},
    "fr": {0: "0 article", 1: "1 article", 2: "2 articles"},
    "it": {1: "1 articolo", 2: "2 articoli"},
    "nl": {1: "1 artikel", 2: "2 artikelen"},
    "pl": {
        1: "1 artykuł",
        2: "2 artykuły",
        5: "5 artykułów",
        12: "12 artykułów",
        21: "21 artykułów",
        22: "22 artykuły",
    },
    "pt": {1: "1 artigo", 2: "2 artigos"},
    "uk": {1: "1 стаття", 2: "2 статті", 5: "5 статей", 11: "11 статей", 21: "21 стаття", 112: "112 статей"},
}


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in which catalogues are looked for."""
    monkeypatch.setattr(voice, "WORDS", tmp_path)
    _forget()
    yield tmp_path
    monkeypatch.undo()
    _forget()


@pytest.mark.parametrize("language", SAID)
def test_cadences_days_numbers_and_lists_are_said_as_in_that_language(language: str) -> None:
    speaker = voice.voice(language, "Europe/London")
    said = (speaker.cadence("weekly on mon,thu at 18:05"), speaker.date(MONDAY), speaker.number(1234.5),
            speaker.listed("ABC"))  # fmt: skip
    assert tuple(map(_plain, said)) == SAID[language]


@pytest.mark.parametrize("language", COUNTED)
def test_what_is_counted_has_the_form_of_its_count(language: str) -> None:
    speaker = voice.voice(language, "UTC")
    assert {count: _counted(speaker, count) for count in COUNTED[language]} == COUNTED[language]


def test_every_language_is_in_these_tables() -> None:
    assert set(SAID) == set(COUNTED) == set(voice.languages())


def test_only_arabic_of_ours_is_written_from_right_to_left() -> None:
    assert [language for language in voice.languages() if voice.direction(language) == "rtl"] == ["ar"]


@pytest.mark.parametrize("locale", ["pt-BR", "pt-PT", "pt_AO"])
def test_portuguese_serves_every_country_that_speaks_it(locale: str) -> None:
    assert _counted(voice.voice(locale, "UTC"), 2) == "2 artigos"


def test_a_language_is_added_by_its_file_alone(fresh: Path) -> None:
    plural = '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"'
    words = 'msgid "%(n)s story"\nmsgid_plural "%(n)s stories"\nmsgstr[0] "%(n)s artikolo"\nmsgstr[1] "%(n)s artikoloj"'
    fresh.joinpath("eo.po").write_text(f'msgid ""\nmsgstr ""\n"Language: eo\\n"\n{plural}\n\n{words}\n', "utf-8")
    made = content(("Energio", [story(1), story(2)]), locale="eo")
    _, text, html = filled(Templates([builtin_folder()]).render(made, NEWSLETTER), locale="eo")
    assert "2 artikoloj" in text
    assert '<html lang="eo" dir="ltr">' in html
    assert languages() == {"en": "English", "eo": "Esperanto"}
    assert best_language("eo, en;q=0.5", "en") == "eo"


def test_a_country_may_have_words_of_its_own(fresh: Path) -> None:
    for name, said in (("pt", "Cancelar"), ("pt_BR", "Descadastrar")):
        head = f'msgid ""\nmsgstr ""\n"Language: {name}\\n"\n'
        fresh.joinpath(f"{name}.po").write_text(f'{head}\nmsgid "Unsubscribe"\nmsgstr "{said}"\n', "utf-8")
    assert voice.voice("pt-PT", "UTC").gettext("Unsubscribe") == "Cancelar"
    assert voice.voice("pt-BR", "UTC").gettext("Unsubscribe") == "Descadastrar"
    assert best_language("pt-BR", "en") == "pt-BR"
    assert voice.catalogue(Locale("fr")).gettext("Unsubscribe") == "Unsubscribe"


def _counted(speaker: Voice, count: int) -> str:
    return speaker.ngettext("%(n)s story", "%(n)s stories", count) % {"n": count}


def _plain(text: str) -> str:
    """With blanks that are all alike: CLDR changes them now and then."""
    return " ".join(text.split())


def _forget() -> None:
    for remembers in (voice.voice, voice.catalogue, languages):
        remembers.cache_clear()
