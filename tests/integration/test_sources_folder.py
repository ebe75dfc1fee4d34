"""A folder on a real disk: what is taken, what waits, what is none of our business."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatcher.errors import SourceError
from dispatcher.sources import folder
from dispatcher.sources.folder import FolderReading

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def put(path: Path, text: str = "Title\n\nBody\n", *, at: datetime | None = LONG_AGO) -> Path:
    """Write a file, by default one that was left alone long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    if at is not None:
        os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def read(path: Path, known: Mapping[str, str] | None = None) -> FolderReading:
    return folder.read(path, now=datetime.now(UTC), known=known or {})


def test_articles_of_all_kinds_and_folders_are_read(tmp_path: Path) -> None:
    put(tmp_path / "a.md", "# A\n\nBody")
    put(tmp_path / "b.html", "<title>B</title><p>Body")
    put(tmp_path / "deep" / "er" / "c.TXT", "C\n\nBody")
    reading = read(tmp_path)
    assert [(item.guid, item.title) for item in reading.items] == [
        ("a.md", "A"),
        ("b.html", "B"),
        ("deep/er/c.TXT", "C"),
    ]
    assert set(reading.fingerprints) == {"a.md", "b.html", "deep/er/c.TXT"}
    assert (reading.pending, reading.problems) == ((), ())
    assert reading.items[0].published_at == LONG_AGO


def test_files_that_are_known_as_they_are_are_not_read_again(tmp_path: Path) -> None:
    put(tmp_path / "a.txt")
    changed = put(tmp_path / "b.txt")
    first = read(tmp_path)
    put(changed, "Another title\n")
    again = read(tmp_path, first.fingerprints)
    assert [item.title for item in again.items] == ["Another title"]
    assert set(again.fingerprints) == {"a.txt", "b.txt"}
    assert read(tmp_path, again.fingerprints).items == ()


def test_a_file_that_was_just_written_waits(tmp_path: Path) -> None:
    put(tmp_path / "new.txt", at=None)
    reading = read(tmp_path)
    assert (reading.items, reading.pending) == ((), ("new.txt",))
    assert reading.fingerprints == {}
    put(tmp_path / "new.txt")
    assert len(read(tmp_path, reading.fingerprints).items) == 1


def test_a_file_that_changes_while_it_is_read_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "growing.txt")
    whole = Path.read_bytes

    def read_while_it_grows(self: Path) -> bytes:
        data = whole(self)
        put(path, "Title\n\nBody and more\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_while_it_grows)
    assert read(tmp_path).pending == ("growing.txt",)


def test_a_file_dated_in_the_future_is_taken_and_dated_now(tmp_path: Path) -> None:
    put(tmp_path / "ahead.txt", at=datetime(2100, 1, 1, tzinfo=UTC))
    now = datetime.now(UTC)
    item = folder.read(tmp_path, now=now, known={}).items[0]
    assert item.published_at == now


@pytest.mark.parametrize(
    "name",
    [".hidden.md", "a.md~", ".a.md.swp", "a.md.tmp", "a.txt.part", "#a.md#", ".#a.md", "~$a.txt", "a.jpg", "README",
     "a.md.bak", ".git/a.md", "deep/.obsidian/a.md"],
)  # fmt: skip
def test_files_that_are_not_articles_are_left_alone(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert read(tmp_path) == FolderReading()


def test_an_empty_file_is_an_article_to_come(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", "")
    assert read(tmp_path) == FolderReading()


def test_links_inside_the_folder_are_read_and_links_that_leave_it_are_not(tmp_path: Path) -> None:
    inside = tmp_path / "articles"
    real = put(inside / "real.txt")
    secret = put(tmp_path / "secret" / "secret.txt")
    (inside / "link.txt").symlink_to(real)
    (inside / "leaving.txt").symlink_to(secret)
    (inside / "leaving").symlink_to(secret.parent)
    (inside / "broken.txt").symlink_to(inside / "nothing.txt")
    reading = read(inside)
    assert [item.guid for item in reading.items] == ["link.txt", "real.txt"]
    assert reading.problems == ()


def test_pipes_and_folders_named_like_articles_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.md").mkdir()
    put(tmp_path / "folder.md" / "a.txt")
    assert [item.guid for item in read(tmp_path).items] == ["folder.md/a.txt"]


def test_a_file_that_cannot_be_read_is_a_problem_and_stops_no_other(tmp_path: Path) -> None:
    put(tmp_path / "bad.md", "---\nnot a pair\n---\n")
    put(tmp_path / "blank.txt", " \n")
    put(tmp_path / "good.txt")
    put(tmp_path / "huge.txt", "x" * (folder.MAX_FILE + 1))
    reading = read(tmp_path)
    assert [item.guid for item in reading.items] == ["good.txt"]
    assert [problem.partition(":")[0] for problem in reading.problems] == ["bad.md", "blank.txt", "huge.txt"]
    assert "line 2" in reading.problems[0]
    assert set(reading.fingerprints) == {"good.txt"}


def test_names_in_any_script_and_of_any_bytes_are_read(tmp_path: Path) -> None:
    put(tmp_path / "статья é.txt")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("Title")
    os.utime(tmp_path / os.fsdecode(b"\xff.txt"), (0, 0))
    guids = {item.guid for item in read(tmp_path).items}
    assert guids == {"статья é.txt", "\ufffd.txt"}


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder"):
        read(tmp_path / "nowhere")
