from __future__ import annotations

import pytest

from dispatcher.text.tokens import joined, pieces, tokenise


def words(text: str) -> list[str]:
    return [token.word for token in tokenise(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t!?… — ", []),
        ("The energy price.", ["the", "energy", "price"]),
        ("e-mail E–Mail", ["e", "mail", "e", "mail"]),
        ("O'Neill O’Neill O\u02bcNeill", ["o", "neill"] * 3),
        ("l’énergie d'août", ["l", "energie", "d", "aout"]),
        ("Obama’s plan, the dogs' home", ["obama", "plan", "the", "dogs", "home"]),
        ("it's sold's", ["it", "sold"]),
        ("3.5 1,000 50% €5", ["3", "5", "1", "000", "50", "5"]),
        ("2026-03-01T12:30", ["2026", "03", "01t12", "30"]),
        ("https://www.news.example/a-b?c=1", ["www", "news", "example", "a", "b", "c", "1"]),
        ("jane_doe@news.example", ["jane", "doe", "news", "example"]),
        ("@newsdesk #climate", ["newsdesk", "climate"]),
        ("C++ C++20 g++ C# F#, C", ["c++", "c++", "20", "g++", "c#", "f#", "c"]),
        ("a#b no# x+y Notepad++", ["a", "b", "no", "x", "y", "notepad"]),
        ("½ ﷺ", ["1", "2", "صلى", "الله", "عليه", "وسلم"]),
        ("AT&T R&D", ["at", "t", "r", "d"]),
        ("Hawaiʻi Qurʾān", ["hawai", "i", "qur", "an"]),
        ("चुनावों की", ["चुनावों", "की"]),
        ("ـــ \u0301 \u200d", []),
        ("🎉 fête 🎉", ["fete"]),
        ("col·lecció", ["colleccio"]),
        ("x\ud800y", ["x", "y"]),
    ],
)
def test_a_text_gives_its_words_folded(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都の", ["東京都の"]),
        ("東京。京都", ["東京", "京都"]),
        ("iPhone発売", ["iphone", "発売"]),
        ("서울에서 만나", ["서울에서", "만나"]),
        ("กรุงเทพ", ["กรุงเทพ"]),
        ("ｶﾞｽ", ["ガス"]),
        ("ໝາ", ["ຫມາ"]),
    ],
)
def test_scripts_without_blanks_give_one_token_a_character_glued_together(text: str, expected: list[str]) -> None:
    assert ["".join(token.word for token in piece) for piece in pieces(tokenise(text))] == expected


def test_decomposed_korean_is_one_token_a_syllable() -> None:
    assert words("\u1109\u1165\u110b\u116e\u11af") == ["서", "울"]


def test_spans_point_into_the_original_text() -> None:
    text = "„Straße“ – O’Neill’s É\u0301té ﬁn 東京"
    assert [text[token.start : token.end] for token in tokenise(text)] == [
        "Straße", "O", "Neill", "É\u0301té", "ﬁn", "東", "京",
    ]  # fmt: skip


def test_joined_words_read_back_as_the_same_words() -> None:
    for text in ("e-mail", "C++20", "東京都のiPhone", "O’Neill’s", "https://a.example/b", "½"):
        tokens = tokenise(text)
        again = tokenise(joined(tokens))
        assert [(t.word, t.glued) for t in again] == [(t.word, t.glued) for t in tokens]


def test_blanks_and_hyphens_are_the_same_in_a_joined_name() -> None:
    assert joined(tokenise("Daily Express")) == joined(tokenise("daily-express")) == "daily-express"


def test_a_text_of_one_endless_word_is_analysed() -> None:
    assert words("é" * 200_000) == ["e" * 200_000]
