"""The demo's mail server and inbox pages, over real SMTP and HTTP."""

from __future__ import annotations

import asyncio
import smtplib
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from dispatcher.demo.inbox import Inbox
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.serving import serving
from dispatcher.errors import DispatcherError
from dispatcher.web.viewer.panes import View

MAIL = (
    b"From: Lantern <l@larkmere.example>\r\nTo: ada@reader.example\r\nSubject: <script>alert(1)</script>\r\n"
    b'X-Odd: "><img src=x onerror=alert(3)>\r\n'
    b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<html><head></head><body><p>Hello</p><script>alert(2)</script></body></html>\r\n"
)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(port: int, *recipients: str) -> None:
    """Send the mail as any program would."""

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as relay:
            relay.sendmail("l@larkmere.example", recipients, MAIL)

    await asyncio.to_thread(send)


async def test_a_mail_is_shown_in_every_view_and_nothing_in_it_runs(client: aiohttp.ClientSession) -> None:
    mailbox = Mailbox()
    async with mailbox.receiving() as port:
        await post(port, "ada@reader.example")
    async with serving(Inbox(mailbox, "hint").app()) as url:
        for path in ("/", "/?to=ada%40reader.example", *(f"/mails/1?view={view}" for view in View)):
            async with client.get(url + path) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "<script>" not in page
                assert "<img" not in page
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'")
                assert "script-src 'self'" in policy
        async with client.get(url + "/mails/1/body") as body:
            assert "sandbox" in body.headers["Content-Security-Policy"]
            assert "script-src" not in body.headers["Content-Security-Policy"]
            assert '<head><base target="_blank">' in await body.text()
        async with client.get(url + "/mails/1.eml") as source:
            assert await source.read() == MAIL
        for path in ("/mails/99", "/mails/1?view=nonsense", "/mails/x", "/inbox.py"):
            async with client.get(url + path) as missing:
                assert missing.status == 404


async def test_a_mail_to_two_is_two_mails_and_each_reader_has_a_list(client: aiohttp.ClientSession) -> None:
    mailbox = Mailbox()
    async with mailbox.receiving() as port, serving(Inbox(mailbox).app()) as url:
        await post(port, "ada@reader.example", "b&b@reader.example")
        async with client.get(url) as page:
            assert "2 mails" in await page.text()
        async with client.get(url, params={"to": "b&b@reader.example"}) as page:
            text = await page.text()
            assert "1 mail for b&amp;b<" in text
            assert '<a href="/mails/2?to=b%26b%40reader.example"' in text


async def test_a_waiting_page_is_told_of_new_mail_at_once(client: aiohttp.ClientSession) -> None:
    mailbox = Mailbox()
    async with mailbox.receiving() as port, serving(Inbox(mailbox).app()) as url, client.get(url + "/events") as events:
        assert await events.content.readline() == b"data: 0\n"
        await post(port, "ada@reader.example")
        await events.content.readline()
        assert await asyncio.wait_for(events.content.readline(), 10) == b"data: 1\n"


async def test_without_scripts_the_list_refreshes_itself_but_never_a_mail_that_is_being_read(
    client: aiohttp.ClientSession,
) -> None:
    mailbox = Mailbox()
    async with mailbox.receiving() as port, serving(Inbox(mailbox).app()) as url:
        await post(port, "ada@reader.example")
        async with client.get(url) as page:
            assert 'http-equiv="refresh"' in await page.text()
        async with client.get(url + "/mails/1") as page:
            assert 'http-equiv="refresh"' not in await page.text()


async def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    async with serving(Inbox(Mailbox()).app()) as first:
        taken = int(first.rsplit(":", 1)[1])
        async with serving(Inbox(Mailbox()).app(), taken) as second:
            assert second != first


async def test_without_its_extra_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd.smtp", None)
    with pytest.raises(DispatcherError, match=r"dispatcher\[demo\]"):
        async with Mailbox().receiving():
            pass
