"""The fast way to the words of a text: cut it into chunks that a memory of chunks can answer for.

No word, possessive, URL scheme or glued pair reaches over a blank, nor over most ASCII punctuation. So a text may be
cut there by two calls into C, and each chunk read by itself: all words of all chunks are what `tokenise` finds in the
text. Articles repeat their chunks; who remembers what `words_of` said of each reads an article without looking at
letters.
"""

from __future__ import annotations

from dispatcher.text.tokens import Token, tokenise

_KEPT = b"'+#"  # possessives, C++ and C#
_LINK = b"://"  # the scheme of a URL is no word


def _table(kept: bytes) -> bytes:
    """ASCII letters in lower case, digits, what is kept, everything beyond ASCII; blanks for the rest."""
    plain = (chr(code).encode("latin-1").lower() for code in range(256))
    return b"".join(
        byte if byte.isalnum() or byte in kept or code > 127 else b" " for code, byte in enumerate(plain)
    )  # fmt: skip


_PLAIN, _LINKED = _table(_KEPT), _table(_KEPT + _LINK)


def prepared(text: str) -> bytes:
    """The text as UTF-8 whose words stand between blanks, with whatever belongs to them; split() makes the chunks."""
    written = text.encode("utf-8", "surrogatepass")
    return written.translate(_LINKED if _LINK in written else _PLAIN)


def words_of(chunk: bytes) -> list[Token]:
    """The tokens of one chunk: usually one. Their places mean nothing outside it."""
    return tokenise(chunk.decode("utf-8", "surrogatepass"))
