"""Folding: the form in which words are compared, whatever their case, accents, width or typography."""

from __future__ import annotations

import unicodedata

_LETTERS = {
    "Æ": "ae", "æ": "ae", "Œ": "oe", "œ": "oe", "Ø": "o", "ø": "o", "Đ": "d", "đ": "d", "Ð": "d", "ð": "d",
    "Ł": "l", "ł": "l", "Þ": "th", "þ": "th", "Ħ": "h", "ħ": "h", "ı": "i", "ĸ": "k",
    "·": "", "‧": "", "ـ": "",
}  # fmt: skip
# Marks that are accents or vowel points. Those of Indic scripts, Thai and kana are letters in all but name, and stay.
_ACCENTS = ((0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670),
            (0x06D6, 0x06ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))  # fmt: skip
# What decomposition takes apart though nobody would call it an accented letter: й, and the Thai and Lao vowel am.
_WHOLE = (("И\u0306", "Й"), ("и\u0306", "й"), ("\u0e4d\u0e32", "\u0e33"), ("\u0ecd\u0eb2", "\u0eb3"))


class _Letters(dict[int, str]):
    """What each code point becomes, found out when it is first seen."""

    def __missing__(self, code: int) -> str:
        self[code] = value = _letter(chr(code))
        return value


_TABLE = _Letters()


def fold(text: str) -> str:
    """`text` without case, accents, ligatures, width and invisible characters; digits of every script as 0–9.

    fold(fold(x)) == fold(x). Independent of language: Turkish ı, i, I and İ all become i, German ß becomes ss.
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    for apart, whole in _WHOLE:
        decomposed = decomposed.replace(apart, whole)
    return unicodedata.normalize("NFC", decomposed.translate(_TABLE).casefold())


def _letter(char: str) -> str:
    if char in _LETTERS:
        return _LETTERS[char]
    if any(first <= ord(char) <= last for first, last in _ACCENTS) or unicodedata.category(char) == "Cf":
        return ""
    return str(unicodedata.decimal(char, char))
