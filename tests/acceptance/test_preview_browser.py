"""The preview page in a real Chromium, over the real command: choices, live changes, mistakes, a copy over SMTP."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from browser import window
from command_line import newsroom, ok

from dispatcher.demo.mailbox import Mailbox

ANN = "ann@reader.example"


@asynccontextmanager
async def page_of(room: Path) -> AsyncIterator[str]:
    """`dispatcher preview --serve` in a folder; gives its address. It ends at Ctrl-C."""
    command = (sys.executable, "-m", "dispatcher", "preview", ANN, "--serve", "--port", "0")
    env = {**os.environ, "HOME": str(room)}
    process = await asyncio.create_subprocess_exec(*command, cwd=room, env=env, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        found = re.search(r"http://\S+\d", line)
        assert found, line
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_the_page_follows_choices_and_files_and_sends_a_copy(tmp_path: Path) -> None:
    mailbox = Mailbox()
    async with mailbox.receiving() as port:
        room = newsroom(tmp_path)
        config = room / "config" / "dispatcher.toml"
        relay = f'port = {port}\nsecurity = "none"\n'
        config.write_text(config.read_text("utf-8").replace("port = 1\n", relay), encoding="utf-8")
        (room / "news" / "ferry.txt").write_text("A new ferry\n\nIt crosses the harbour.", encoding="utf-8")
        await asyncio.to_thread(ok, room, "ingest", "--all")
        async with page_of(room) as url, window(1500, color_scheme="light") as here:
            page = here.page
            await page.goto(url)
            frame = page.frame_locator("iframe.dark")
            assert await frame.locator("h1").first.is_visible()
            dark = await page.frames[3].evaluate("getComputedStyle(document.body).backgroundColor")
            light = await page.frames[2].evaluate("getComputedStyle(document.body).backgroundColor")
            assert dark != light
            assert await here.barriers() == []
            await page.select_option("select[name=mail]", "welcome")
            await page.wait_for_url("**mail=welcome**")
            await page.select_option("select[name=locale]", "de")
            await page.locator(".subject", has_text="Willkommen").wait_for()
            await page.select_option("select[name=mail]", "digest")
            await page.wait_for_url("**mail=digest**")
            template = room / "templates" / "email" / "digest.subject.j2"
            template.parent.mkdir(parents=True)
            template.write_text("{{ storys }}", encoding="utf-8")
            await page.wait_for_selector(".fault")
            assert f"{template}:1:" in await page.inner_text(".fault pre")
            template.write_text("Mended", encoding="utf-8")
            await page.locator(".subject", has_text="Mended").wait_for()
            await page.fill("input[name=to]", "me@desk.example")
            await here.press("#sending button")
            assert "Sent to me@desk.example" in await page.inner_text("#told")
            (mail,) = mailbox.mails
            assert (mail.recipient, mail.subject) == ("me@desk.example", "[Preview] Mended")
            held_back = "img-src 'none'"  # pictures, while they are off
            assert [one for one in here.complaints if held_back not in one] == []
            await page.set_viewport_size({"width": 360, "height": 800})
            assert not await here.is_too_wide()
