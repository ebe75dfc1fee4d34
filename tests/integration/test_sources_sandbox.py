"""The child process in which documents are parsed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import SourceError
from dispatcher.sources import document, feed, sandbox
from dispatcher.sources.sandbox import Sandbox


@pytest.fixture
def box() -> Iterator[Sandbox]:
    made = Sandbox(limit=0.5)
    yield made
    made.close()


async def test_a_feed_is_parsed_in_another_process() -> None:
    parsed = await sandbox.run(feed.parse, b"<rss version='2.0'><channel><title>T</title></channel></rss>", url="u")
    assert parsed == feed.Feed("T")
    assert await sandbox.run(os.getpid) != os.getpid()


async def test_what_the_parser_says_is_wrong_is_said_here() -> None:
    with pytest.raises(SourceError, match="web page"):
        await sandbox.run(feed.parse, b"<html>", url="u")


async def test_a_crash_in_the_parser_is_the_documents_failure() -> None:
    with pytest.raises(SourceError, match="KeyError"):
        await sandbox.run(document.parse, b"text", path="a.unknown", modified_at=None)  # type: ignore[arg-type]


def test_a_call_that_takes_too_long_is_stopped_and_the_next_one_works(box: Sandbox) -> None:
    child = box.call(os.getpid)
    with pytest.raises(SourceError, match=r"more than 0\.5 seconds"):
        box.call(time.sleep, 60)
    assert box.call(os.getpid) != child
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_call_that_eats_the_memory_fails_alone(box: Sandbox) -> None:
    with pytest.raises(SourceError):
        box.call(bytes, 1 << 40)
    assert box.call(os.getpid) != os.getpid()


def test_a_child_that_dies_is_replaced(box: Sandbox) -> None:
    with pytest.raises(SourceError, match="broke down"):
        box.call(os._exit, 3)
    assert box.call(abs, -1) == 1


def test_what_a_library_prints_is_not_taken_for_an_answer(box: Sandbox) -> None:
    assert box.call(print, "hello") is None
    assert box.call(os.system, "echo hello") == 0
    assert box.call(abs, -2) == 2


def test_modules_in_the_working_folder_are_not_taken_for_pythons_own(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "html.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert box.call(abs, -3) == 3


def test_threads_may_call_at_once() -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(sandbox.call(abs, -n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(8))
