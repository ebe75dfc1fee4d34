"""Tokens: the words of a text, folded, with the place where each stands in the original.

A word is a run of letters, digits and their marks. Everything else separates: `e-mail`, `O'Neill`, `jane@news.example`
and `3.5` are sequences of words, and a query written the same way is the same sequence. The exceptions: the possessive
's belongs to its word and is left out, `C++` and `C#` are words, a URL's http(s):// is nothing. Scripts written without
blanks (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) give one token a character, `glued` to the one before it;
a query's 東京 looks for 京 glued to 東, which is what indexes of character bigrams find.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from dispatcher.text.folding import fold

_UNSPACED = (
    "\u0e00-\u0e4f\u0e5a-\u0ecf\u0eda-\u0eff\u1000-\u103f\u1050-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9ff\uaa60-\uaa7f"
    "\u1780-\u17df\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff\u3005-\u3007\u3021-\u3029\u3031-\u303c\u3041-\u30ff\u3105-\u318f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uffdc"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_APOSTROPHES = "'\u2018\u2019\u201b\uff07\u02bc"
_LETTER = rf"[^\W_\u02b9-\u02bf{_UNSPACED}]"
_NO_JAMO = r"(?![\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff])"
_JAMO = r"[\u1100-\u115f\ua960-\ua97c][\u1160-\u11a7\ud7b0-\ud7c6]+[\u11a8-\u11ff\ud7cb-\ud7fb]*"
# The most of Chinese, Japanese and Korean: letters that are their own folded form, so that a run needs no look at each.
_PLAIN_UNITS = "\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3"
_MEMORABLE = 100  # characters; longer "words" are rubbish that would only fill the memory


class Token(NamedTuple):
    """One word: folded, and text[start:end] as it was written."""

    word: str
    start: int
    end: int
    glued: bool = False


def tokenise(text: str) -> list[Token]:
    """The words of `text`, in order."""
    if text.isascii():
        if text.isalnum():
            return [Token(text.lower(), 0, len(text))]
        if text.replace(" ", "").isalnum():
            return list(_plain(text))
    tokens: list[Token] = []
    end_of_run = -1  # where a character must start to be glued to the one before it
    for found in _pattern().finditer(text):
        if not found.lastgroup:
            continue
        start, end = found.span(found.lastgroup)
        if found.lastgroup == "run":
            letters = found["run"]
            tokens.append(Token(letters[0], start, start + 1, start == end_of_run))
            tokens += [Token(letters[at], start + at, start + at + 1, True) for at in range(1, len(letters))]
            end_of_run = end
            continue
        is_unit = found.lastgroup == "unit"
        is_glued = is_unit and start == end_of_run
        forms = _forms(found[found.lastgroup])
        tokens += [Token(form.word, start, end, form.glued or is_glued) for form in forms]
        end_of_run = end if forms and is_unit else -1
    return tokens


def _plain(text: str) -> Iterator[Token]:
    """The words of a text in which there is nothing but words and blanks: most of what queries look for."""
    at = 0
    for word in text.lower().split(" "):
        if word:
            yield Token(word, at, at + len(word))
        at += len(word) + 1


def joined(tokens: Iterable[Token], by: str = "-") -> str:
    """The words written as one: tokenise(joined(t)) gives the words of t again. Also the key by which names compare."""
    parts: list[str] = []
    for token in tokens:
        parts += (token.word,) if token.glued or not parts else (by, token.word)
    return "".join(parts)


def pieces(tokens: Iterable[Token]) -> list[list[Token]]:
    """The tokens in groups, each with those that are glued to it."""
    groups: list[list[Token]] = []
    for token in tokens:
        if token.glued and groups:
            groups[-1].append(token)
        else:
            groups.append([token])
    return groups


def _analyse(written: str) -> tuple[Token, ...]:
    """The word folded: usually one, but a character such as ½ holds two, and one that is only marks holds none."""
    folded = fold(written)
    if folded == written or (folded.isascii() and folded.isalnum()):
        return (Token(folded, 0, len(folded)),)
    return tuple(tokenise(folded))


_remembered = lru_cache(maxsize=65536)(_analyse)


def _forms(written: str) -> tuple[Token, ...]:
    return _remembered(written) if len(written) <= _MEMORABLE else _analyse(written)


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled on first use: asking Unicode for its marks takes time that `dispatcher --help` need not wait for."""
    marks = "".join(_marks())
    letters = rf"{_LETTER}+(?:(?:[{marks}]+|(?<=[lL])[·‧](?=[lL])){_LETTER}*)*"
    sharps = r"(?<![^\W_])(?:[A-Za-z]#|[A-Za-z]{1,2}\+\+)(?![^\W\d_])"
    return re.compile(
        rf"[hH][tT][tT][pP][sS]?://"
        rf"|(?P<word>{sharps}|{letters})(?:[{_APOSTROPHES}][sS](?![^\W_]))?"
        rf"|(?P<run>[{_PLAIN_UNITS}]+(?![{marks}\uff9e\uff9f]))"
        rf"|(?P<unit>{_JAMO}|(?=\w){_NO_JAMO}[{_UNSPACED}][{marks}\uff9e\uff9f]*)"
    )


def _marks() -> Iterator[str]:
    """The ranges of all combining marks and invisible characters, which may stand inside a word."""
    yield "\xad"
    wanted = ("Mn", "Mc", "Me", "Cf")
    first = 0
    for code in (*range(0x300, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)):
        is_wanted = unicodedata.category(chr(code)) in wanted
        if is_wanted and not first:
            first = code
        elif not is_wanted and first:
            yield f"{chr(first)}-{chr(code - 1)}"
            first = 0
