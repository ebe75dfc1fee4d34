"""Language tags as feeds, sites and people write them (RFC 5646, POSIX locales, ISO 639-2 codes)."""

from __future__ import annotations

import re

_TAG = re.compile(r"\s*([A-Za-z]{2,3})\s*(?:[-_.@,;]|$)")
_NO_LANGUAGE = frozenset({"und", "mul", "zxx", "mis"})
_SHORT = {
    "ara": "ar", "arm": "hy", "baq": "eu", "cat": "ca", "ces": "cs", "chi": "zh", "cze": "cs", "dan": "da",
    "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "epo": "eo", "est": "et", "eus": "eu", "fas": "fa",
    "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gle": "ga", "gre": "el", "heb": "he", "hin": "hi",
    "hun": "hu", "hye": "hy", "ind": "id", "ita": "it", "jpn": "ja", "kor": "ko", "lit": "lt", "nep": "ne",
    "nld": "nl", "nob": "nb", "nno": "nn", "nor": "no", "per": "fa", "pol": "pl", "por": "pt", "ron": "ro",
    "rum": "ro", "rus": "ru", "spa": "es", "srp": "sr", "swe": "sv", "tam": "ta", "tha": "th", "tur": "tr",
    "ukr": "uk", "vie": "vi", "yid": "yi", "zho": "zh",
}  # fmt: skip


def primary(tag: str) -> str:
    """The primary subtag in lower case: 'en-GB' → 'en', 'de_AT.UTF-8' → 'de', 'deu' → 'de'; '' for nothing sensible."""
    found = _TAG.match(tag)
    if not found:
        return ""
    code = found.group(1).lower()
    return "" if code in _NO_LANGUAGE else _SHORT.get(code, code)
