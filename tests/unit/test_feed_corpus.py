"""Every feed in tests/corpus/feeds, with what we make of it beside it (`NAME.expected.json`)."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import pytest

from dispatcher.errors import SourceError
from dispatcher.model.raw import RawArticle
from dispatcher.sources import feed

CORPUS = Path(__file__).parents[1] / "corpus" / "feeds"
FEEDS = sorted(path for path in CORPUS.iterdir() if not path.name.endswith(".expected.json"))


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.name)
def test_a_feed_of_the_corpus_is_read_as_expected(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text("utf-8"))
    if "error" in expected:
        with pytest.raises(SourceError, match=expected["error"]):
            feed.parse(path.read_bytes(), url="https://feeds.example/feed.xml")
        return
    parsed = feed.parse(path.read_bytes(), url="https://feeds.example/feed.xml")
    shown = {"title": parsed.title, "language": parsed.language, "items": [as_json(item) for item in parsed.items]}
    assert shown == expected


def as_json(item: RawArticle) -> dict[str, object]:
    """The fields that are not at their defaults."""
    given = {f.name: getattr(item, f.name) for f in fields(item) if getattr(item, f.name) != f.default}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
