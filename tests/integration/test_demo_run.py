"""The demo, whole: one cycle that leaves files, and a daemon that is watched and stopped."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dispatcher.demo.readers import READERS
from dispatcher.demo.run import run

LINK = re.compile(r'(?:href|src)="(?!#|mailto:|data:)([^"#]+)')


@pytest.fixture(scope="module")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The files that one cycle leaves, and what it said."""
    out, said = tmp_path_factory.mktemp("demo") / "out", list[str]()
    asyncio.run(run(once=True, out=out, say=said.append))
    return out, said


def test_one_cycle_leaves_every_readers_mail_and_repeats_none(cycle: tuple[Path, list[str]]) -> None:
    out, said = cycle
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in sorted(out.glob("*.eml"))
    ]
    assert {str(mail["To"].addresses[0].addr_spec) for mail in mails} == {reader.email for reader in READERS}
    assert all(not part.defects for mail in mails for part in mail.walk())
    assert len(list(out.glob("*.html"))) == len(mails) + 1
    assert any("again    0 mails" in line for line in said)


def test_every_link_of_the_saved_pages_leads_to_a_saved_file(cycle: tuple[Path, list[str]]) -> None:
    out, _ = cycle
    pages = list(out.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), f"{page.name}: {link}"


async def test_a_second_run_replaces_what_the_first_left(tmp_path: Path, cycle: tuple[Path, list[str]]) -> None:
    (tmp_path / "001-somebody-else.eml").touch()
    (tmp_path / "holiday.eml").touch()
    await run(once=True, out=tmp_path, say=lambda _: None)
    assert not (tmp_path / "001-somebody-else.eml").exists()
    assert (tmp_path / "holiday.eml").exists()


async def test_the_environment_of_a_real_newsletter_is_none_of_the_demos_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPATCHER_DATABASE__URL", f"sqlite:///{tmp_path}/real.db")
    await run(once=True, out=tmp_path / "out", say=lambda _: None)
    assert not (tmp_path / "real.db").exists()


async def test_a_watched_demo_sends_an_alert_for_a_dropped_file_and_ends_on_ctrl_c_leaving_nothing() -> None:
    async with _watched() as (child, stream):
        said = await _until(stream, "Ctrl-C")
        await _until(stream, "New in the paper")  # what is there before the first poll is nobody's news
        folder = Path(re.findall(r"drop a \.txt file into +(\S+)", said)[0])
        (folder / "mine.txt").write_text("A badger in the library\n\nIt asked for crime novels.\n", encoding="utf-8")
        assert "Emi Tanaka" in await _until(stream, ": A badger in the library")
        child.send_signal(signal.SIGINT)
        assert "nothing is left behind" in await _until(stream, "Stopped")
        assert await child.wait() == 0
        assert not folder.exists()


@asynccontextmanager
async def _watched() -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    """A demo in a process of its own, as in a terminal, and what it says; ended at the latest with the block."""
    code = "import asyncio; from dispatcher.demo.run import run; asyncio.run(run(once=False, port=0))"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUTF8": "1"}
    )
    assert child.stdout is not None
    try:
        yield child, child.stdout
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()


async def _until(stream: asyncio.StreamReader, words: str) -> str:
    """What is said up to and including the line that holds the words."""
    said = ""
    while words not in said:
        line = await asyncio.wait_for(stream.readline(), 60)
        assert line, f"it ended without a word about {words!r}: {said}"
        said += line.decode()
    return said
