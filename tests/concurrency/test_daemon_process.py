"""The running daemon as an operator meets it: news in, signals, a second command beside it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from collections import Counter
from email import message_from_bytes, policy

import pytest
from conftest import LONG
from processes import Site, a_site, address, planned, statuses, until
from smtp_server import Act, Slow, SmtpServer, always

site = pytest.fixture(a_site, name="site")
one_engine = pytest.mark.parametrize("furnished_url", ["sqlite", "postgresql"] if LONG else ["sqlite"], indirect=True)

ANN = """
[[subscribers]]
email = "ann@reader.example"
cadence = "instant"
topics = ["all"]
"""
BEN = ANN.replace("ann@", "ben@")
FOLDER = """
[[sources]]
name = "Folder"
url = "./articles"
"""


def subject(data: bytes) -> str:
    """The subject of a message."""
    return str(message_from_bytes(data, policy=policy.default)["Subject"])


def text(data: bytes) -> str:
    """The plain text of a message."""
    body = message_from_bytes(data, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@one_engine
async def test_a_text_dropped_into_a_folder_is_mailed_within_seconds_even_while_another_source_hangs(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site.folder / "articles"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        hanging = f'[[sources]]\nname = "Silent"\nurl = "http://127.0.0.1:{silent.getsockname()[1]}/feed"\n'
        site.extra = FOLDER + hanging + "allow_private = true\n" + ANN
        async with SmtpServer() as server:
            site.smtp_port = server.port
            site.write()
            daemon = site.start()
            await daemon.says("running")
            await asyncio.sleep(1)
            (folder / "badger.txt").write_text("Badger seen in the square\nIt wore no hat.\n", encoding="utf-8")
            took = await until(lambda: len(server.messages) == 1, 15, daemon)
            with capsys.disabled():
                print(f"\na .txt in a folder was in the mailbox after {took:.1f} s")
            assert subject(server.messages[0].data) == "Badger seen in the square"

            with (folder / "slow.txt").open("w", encoding="utf-8") as file:
                for line in ("Bridge opens\n", "The mayor ", "cut the ribbon ", "to the very end.\n"):
                    file.write(line)
                    file.flush()
                    await asyncio.sleep(0.3)
            await until(lambda: len(server.messages) == 2, 15, daemon)
            await asyncio.sleep(1)
            assert [subject(message.data) for message in server.messages[1:]] == ["Bridge opens"]
            assert "The mayor cut the ribbon to the very end." in text(server.messages[1].data)


@one_engine
async def test_sigterm_finishes_what_is_in_flight_and_nothing_is_repeated_at_the_next_start(site: Site) -> None:
    async with SmtpServer(script=always("CONTENT", Slow(0.7))) as server:
        site.smtp_port, site.connections = server.port, 4
        await planned(site, 20)
        daemon = site.start()
        await server.wait_until(lambda: len(server.commands) > 30 and len(server.messages) in (4, 8), within=30)
        begun = sum(line.startswith("RCPT") for _, line in server.commands)
        daemon.signal(signal.SIGTERM)
        started = time.monotonic()
        assert await daemon.ended(within=40) == 0, daemon.words()
        assert time.monotonic() - started < 30
        in_flight = len(server.messages)
        assert in_flight <= begun + site.connections
        assert await statuses(site) == {"queued": 20 - in_flight, "sent": in_flight}
        assert not list(site.folder.glob("*-lock-*"))
        server.script = None
        daemon = site.start()
        await until(lambda: len(server.messages) >= 20, 30, daemon)
        await asyncio.sleep(1)
        assert Counter(message.recipients[0] for message in server.messages) == Counter(address(n) for n in range(20))


@one_engine
@pytest.mark.skipif(not LONG, reason="takes half a minute: ROUNDS=long")
async def test_sigterm_ends_the_daemon_in_time_though_the_relay_has_fallen_silent(site: Site) -> None:
    async with SmtpServer(script=always("CONTENT", Act.SILENCE)) as server:
        site.smtp_port, site.connections = server.port, 4
        await planned(site, 20)
        daemon = site.start()
        await server.wait_until(lambda: sum(line == "DATA" for _, line in server.commands) == 4, within=30)
        daemon.signal(signal.SIGTERM)
        started = time.monotonic()
        assert await daemon.ended(within=40) == 0, daemon.words()
        assert time.monotonic() - started < 30
        assert await statuses(site) == {"queued": 20}


@one_engine
async def test_sighup_brings_new_readers_pauses_those_removed_and_refuses_a_broken_file(site: Site) -> None:
    folder = site.folder / "articles"
    folder.mkdir()
    async with SmtpServer() as server:
        site.smtp_port, site.extra = server.port, FOLDER + ANN
        site.write()
        daemon = site.start()
        await daemon.says("running")

        site.extra = FOLDER + BEN
        site.write()
        daemon.signal(signal.SIGHUP)
        await daemon.says("configuration read again")
        (folder / "one.txt").write_text("One\nThe first.\n", encoding="utf-8")
        await until(lambda: len(server.messages) >= 1, 15, daemon)

        site.config.write_text(site.config.read_text("utf-8") + '\n[[topics]]\nslug = "x"\nquery = "(("\n', "utf-8")
        daemon.signal(signal.SIGHUP)
        refused = await daemon.says("refused")
        assert "topics[1].query" in refused["reason"]
        (folder / "two.txt").write_text("Two\nThe second.\n", encoding="utf-8")
        await until(lambda: len(server.messages) >= 2, 15, daemon)
        await asyncio.sleep(0.5)
        assert [message.recipients for message in server.messages] == [("ben@reader.example",)] * 2

        site.write()
        once = site.start("run", "--once")
        assert await once.ended() == 1
        assert re.search(rf"a daemon \(pid {daemon.pid} on .*\) is using this database", once.words())
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == 0, daemon.words()
