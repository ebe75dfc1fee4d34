"""Newsletters by command: listed, read, and left one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import dispatcher, in_json, newsroom, ok

BOB = "bob@reader.example"
LETTERS = """
[[newsletters]]
slug = "quay"
name = "The Quay"
from = "The Quay <quay@boats.example>"
topics = ["harbour"]

[[newsletters]]
slug = "letter"
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return newsroom(tmp_path, more=LETTERS)


def active(folder: Path) -> set[str]:
    person = in_json(folder, "subscribers", "show", BOB, "--json")
    return {topic["topic"] for topic in person["topics"] if topic["status"] == "active"}


def test_newsletters_are_listed_read_and_left_one_by_one(room: Path) -> None:
    assert {one["slug"]: one["topics"] for one in in_json(room, "newsletters", "--json")} == {
        "default": ["everything"], "quay": ["harbour"], "letter": ["letter"],
    }  # fmt: skip
    ok(room, "subscribers", "add", BOB, "--newsletter", "letter", "--newsletter", "quay", "--topic", "everything")
    assert active(room) == {"everything", "harbour", "letter"}
    assert "quay@boats.example" in ok(room, "newsletters")
    ok(room, "subscribers", "remove", BOB, "--newsletter", "quay", "--yes")
    assert active(room) == {"everything", "letter"}
    refused = dispatcher(room, "subscribers", "set", BOB, "--topic", "harbour")
    assert (refused.code, "unsubscribed" in refused.err) == (1, True)
    ok(room, "topics", "add", "boats", "boat", "--newsletter", "letter")
    assert {one["slug"]: one["readers"] for one in in_json(room, "newsletters", "--json")}["letter"] == 1
    wrong = dispatcher(room, "subscribers", "remove", BOB, "--newsletter", "lettre", "--yes")
    assert 'did you mean "letter"?' in wrong.err
