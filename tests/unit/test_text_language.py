from __future__ import annotations

import pytest

from dispatcher.text.language import primary
from dispatcher.text.stems import algorithm, stem


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"), ("en-GB", "en"), ("EN_us", "en"), ("de_AT.UTF-8", "de"), (" fr-CA ", "fr"), ("zh-Hant-TW", "zh"),
        ("deu", "de"), ("ger", "de"), ("gsw", "gsw"), ("sr-Latn", "sr"), ("nb", "nb"),
    ],
)  # fmt: skip
def test_a_tag_gives_its_primary_subtag(tag: str, code: str) -> None:
    assert primary(tag) == code


@pytest.mark.parametrize(
    "tag", ["", "  ", "und", "mul", "zxx", "C", "POSIX", "english", "x-private", "i-klingon", "1e", "日本"]
)
def test_what_names_no_language_gives_nothing(tag: str) -> None:
    assert primary(tag) == ""


def test_languages_that_share_a_stemmer_name_the_same_one() -> None:
    assert algorithm("nb") == algorithm("no") == algorithm("nn") == "norwegian"


def test_a_language_without_a_stemmer_leaves_words_as_they_are() -> None:
    assert algorithm("ja") == algorithm("xx") == algorithm("") == ""
    assert stem("prices", "") == "prices"


def test_a_word_too_long_for_any_language_is_its_own_stem() -> None:
    assert stem("running" * 50, "english") == "running" * 50


def test_no_word_upsets_a_stemmer() -> None:
    for word in ("", "é", "東京", "c++", "i\u0307", "ı", "123", "\u0000", "𝒳"):
        for language in ("en", "tr", "ar", "el", "hi", "fi", "ru", "yi"):
            assert isinstance(stem(word, algorithm(language)), str)
