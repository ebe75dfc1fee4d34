"""The demo, whole: one cycle, and the inbox pages over real HTTP and real SMTP."""

from __future__ import annotations

import email
import email.policy
import smtplib
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from dispatcher.demo.articles import archive as earlier
from dispatcher.demo.feed import Press
from dispatcher.demo.inbox import Inbox
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.readers import READERS
from dispatcher.demo.run import run
from dispatcher.demo.serving import serving

MAIL = (
    b"From: Lantern <l@larkmere.example>\r\nTo: ada@reader.example\r\nSubject: <script>alert(1)</script>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p><script>alert(2)</script>\r\n"
)


async def test_one_cycle_leaves_every_readers_mail_as_files_and_repeats_none(tmp_path: Path) -> None:
    said: list[str] = []
    await run(once=True, out=tmp_path / "out", say=said.append)
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in sorted(tmp_path.glob("out/*.eml"))
    ]
    digests = {reader.email for reader in READERS if reader.cadence != "instant"}
    assert digests <= {str(mail["To"].addresses[0].addr_spec) for mail in mails}
    assert all(not part.defects for mail in mails for part in mail.walk())
    assert len(list(tmp_path.glob("out/*.html"))) == len(mails) + 1
    assert any("again    0 mails" in line for line in said)


async def test_the_paper_answers_304_to_who_has_its_feed() -> None:
    press = Press(earlier(datetime.now(UTC)))
    async with serving(press.app()) as url, aiohttp.ClientSession() as client:
        press.url = url
        for path in ("/feed.xml", "/twins.json"):
            async with client.get(url + path) as first:
                assert first.status == 200
            async with client.get(url + path, headers={"If-None-Match": first.headers["ETag"]}) as second:
                assert second.status == 304
        async with client.get(url + "/articles/nothing") as missing:
            assert missing.status == 404


async def test_the_inbox_shows_a_mail_in_every_view_and_runs_nothing_of_it() -> None:
    mailbox = Mailbox()
    with mailbox.receiving() as port, smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("l@larkmere.example", ["ada@reader.example"], MAIL)
    async with serving(Inbox(mailbox, "hint").app()) as url, aiohttp.ClientSession() as client:
        for path in (
            "/",
            "/?to=ada%40reader.example",
            *(f"/mails/1?view={v}" for v in ("html", "text", "headers", "raw")),
        ):
            async with client.get(url + path) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "<script>" not in page
                assert "script-src" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        async with client.get(url + "/mails/1/body") as body:
            assert "sandbox" in body.headers["Content-Security-Policy"]
        async with client.get(url + "/mails/1.eml") as source:
            assert await source.read() == MAIL
        for path in ("/mails/99", "/mails/1?view=nonsense", "/mails/x"):
            async with client.get(url + path) as missing:
                assert missing.status == 404


async def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    mailbox = Mailbox()
    async with serving(Inbox(mailbox).app()) as first:
        taken = int(first.rsplit(":", 1)[1])
        async with serving(Inbox(mailbox).app(), taken) as second:
            assert second != first


async def test_an_empty_inbox_says_that_mail_will_come() -> None:
    async with serving(Inbox(Mailbox()).app()) as url, aiohttp.ClientSession() as client, client.get(url) as page:
        assert "No mail yet" in await page.text()
