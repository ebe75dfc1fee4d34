"""Operators by command: added, listed, given passwords and links, removed; every change is in the log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import dispatcher, newsroom

PASSWORD = "a horse in the harbour"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text(f"{PASSWORD}\r\nnot this\n", encoding="utf-8")
    return newsroom(tmp_path)


def test_an_operator_is_added_listed_linked_and_removed(room: Path) -> None:
    said = dispatcher(room, "operators", "add", "Ann", "--role", "owner", "--password-file", "password")
    assert (said.code, said.out) == (0, "added ann, owner\n")
    assert "dispatcher operators link ann" in said.err
    assert dispatcher(room, "operators", "add", "bob", "--no-password").code == 0
    listed = dispatcher(room, "operators", "--json").json
    assert [(one["name"], one["role"], one["has_password"], one["is_active"]) for one in listed] == [
        ("ann", "owner", True, True),
        ("bob", "viewer", False, True),
    ]
    assert "scrypt" not in dispatcher(room, "operators", "--json").out, "hashes stay where they are"
    link = dispatcher(room, "operators", "link", "ann")
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/s/[A-Za-z0-9_-]+\n", link.out)
    assert "good once, for ten minutes" in link.err
    assert dispatcher(room, "operators", "password", "bob", "--password-file", "password").code == 0
    assert dispatcher(room, "operators", "remove", "bob").code == 2, "nobody is here to answer"
    assert dispatcher(room, "operators", "remove", "bob", "--yes").out == "removed bob\n"
    assert [one["name"] for one in dispatcher(room, "operators", "list", "--json").json] == ["ann"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("operators add ann", 2, "nobody is here to type a password"),
        ("operators add ann --role god --no-password", 2, "no role"),
        ("operators add a|b --no-password", 1, "cannot be an operator's name"),
        ("operators add ann --password-file short", 1, "10 to 200 characters"),
        ("operators add ann --password-file missing", 1, "missing"),
        ("operators link ann", 1, "no operator is named 'ann'"),
        ("operators password ann --no-password", 1, "no operator is named"),
        ("operators remove ann --yes", 1, "no operator is named"),
    ],
)
def test_what_cannot_be_done_says_why(room: Path, arguments: str, code: int, words: str) -> None:
    (room / "short").write_text("short\n", encoding="utf-8")
    said = dispatcher(room, *arguments.split())
    assert said.code == code
    assert words in said.err
    assert dispatcher(room, "operators", "--json").json == []


def test_a_name_is_given_once(room: Path) -> None:
    assert dispatcher(room, "operators", "add", "ann", "--no-password").code == 0
    again = dispatcher(room, "operators", "add", "ANN", "--no-password")
    assert (again.code, "is there already" in again.err) == (1, True)


def test_an_empty_list_says_how_to_begin(room: Path) -> None:
    assert "dispatcher operators add NAME --role owner" in dispatcher(room, "operators").out
