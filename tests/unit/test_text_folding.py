from __future__ import annotations

import pytest

from dispatcher.text.folding import fold


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("ENERGY", "energy"), ("Élan", "elan"), ("E\u0301lan", "elan"), ("Straße", "strasse"), ("STRASSE", "strasse"),
        ("ẞ", "ss"), ("ﬁnance", "finance"), ("Ærø", "aero"), ("Œuvre", "oeuvre"), ("Łódź", "lodz"), ("Þór", "thor"),
        ("Đặng", "dang"), ("ＷＩＤＥ", "wide"), ("Ⅳ", "iv"), ("m²", "m2"), ("ΣΊΣΥΦΟΣ", "σισυφοσ"), ("ς", "σ"),
        ("Ёлка", "елка"), ("Йод", "йод"), ("И\u0306од", "йод"), ("شَمْس", "شمس"),
        ("שָׁלוֹם", "שלום"), ("٢٠٢٦", "2026"), ("๒๕", "25"),
        ("ｶﾞｽ", "ガス"), ("가", "가"), ("한국", "한국"), ("हिन्दी", "हिन्दी"), ("น้ำ", "น้ำ"),
        ("Donau\u00addampf", "donaudampf"),
        ("coŀlecció", "colleccio"), ("می\u200cخواهم", "میخواهم"),
    ],
)  # fmt: skip
def test_words_that_look_different_fold_to_one_form(written: str, folded: str) -> None:
    assert fold(written) == folded


def test_all_turkish_letters_i_are_one() -> None:
    assert {fold(letter) for letter in "ıIiİ"} == {"i"}


def test_a_lone_surrogate_and_a_nul_pass_through() -> None:
    assert fold("\ud800A\x00") == "\ud800a\x00"
