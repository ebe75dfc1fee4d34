"""A reader's whole life in a real browser: subscribe, confirm from the mail, prefer, read, leave with one click.

With and without JavaScript, on a phone, in the dark, in German, and by the keyboard alone.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from browser import Window, window
from builders import atom, settings, topic, world
from smtp_server import SmtpServer
from web_app import Client, serving

from dispatcher import clock
from dispatcher.config.settings import SourceEntry
from dispatcher.delivery.relay import Relay, Security
from dispatcher.delivery.smtp import SmtpTransport
from dispatcher.model.audience import Subscriber
from dispatcher.model.values import SubscriberStatus
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.plan import plan
from dispatcher.pipeline.send import send
from dispatcher.store import planning, subscribers

PUBLIC = "https://letters.gazette.example"
ADA = "ada@reader.example"
NOW = clock.now()


@dataclass
class Paper:
    """A small paper with its pages served and its mail arriving at a real SMTP server."""

    ctx: Context
    client: Client
    server: SmtpServer
    feed: Path

    async def when_due(self) -> datetime:
        """Right after the next digest is due, whatever the hour and the zone of this machine are."""
        now = clock.now()
        async with self.ctx.store.read() as tx:
            slot = await planning.next_slot(tx, after=now, until=now + timedelta(days=2))
        assert slot is not None
        return slot + timedelta(minutes=1)

    async def mail(self, now: datetime | None = None) -> EmailMessage:
        """Everything that is due is sent; the newest mail."""
        before = len(self.server.messages)
        await send(self.ctx, now or clock.now())
        assert len(self.server.messages) > before, "no mail came"
        found = email.message_from_bytes(self.server.messages[-1].data, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def link(self, message: EmailMessage, path: str) -> str:
        """The link of a mail that begins with a path, as the browser here reaches it."""
        part = message.get_body(("html",))
        assert part is not None
        found = re.search(rf'href="{PUBLIC}({path}[^"]+)"', part.get_content())
        assert found, f"no link to {path}"
        return self.client.url + found[1]

    async def reader(self) -> Subscriber | None:
        """Ada, if we know her."""
        async with self.ctx.store.read() as tx:
            return await subscribers.by_email(tx, ADA)

    async def publish(self, *titles: str) -> None:
        """New articles come out now."""
        atom(self.feed, *((title, title, clock.now()) for title in titles))
        await ingest(self.ctx, clock.now(), everything=True)


@asynccontextmanager
async def paper(tmp_path: Path) -> AsyncIterator[Paper]:
    feed = atom(tmp_path / "feed.xml", ("old", "The old windmill", NOW - timedelta(hours=3)))
    chosen = settings(
        tmp_path, f"sqlite:///{tmp_path}/subscribers.db", web={"url": PUBLIC}, subscribe={"min_time": "0s"},
        site={"name": "The Gazette", "url": "https://gazette.example", "postal_address": "1 Mill Lane"},
        sources=[SourceEntry(name="Gazette", url=feed.as_uri())],
        topics=[topic("energy", "windmill OR energy", name="Energy"), topic("trains", "train*", name="Trains")],
    )  # fmt: skip
    async with SmtpServer() as server:
        relay = Relay(host=server.host, port=server.port, security=Security.NONE)
        async with world(chosen, NOW, transport=SmtpTransport(relay)) as ctx, serving(ctx) as client:  # type: ignore[arg-type]
            await ingest(ctx, NOW, everything=True)
            yield Paper(ctx, client, server, feed)


async def looks_right(shown: Window, *, has_script: bool = True) -> None:
    """Nothing to scroll sideways, nobody kept out, nothing in the console."""
    assert shown.complaints == []
    if has_script:
        assert not await shown.is_too_wide()
        assert await shown.barriers() == []


MODES: dict[str, dict[str, Any]] = {
    "at a desk": {},
    "without JavaScript": {"java_script_enabled": False},
    "on a phone": {"width": 360, "has_touch": True},
    "in the dark": {"color_scheme": "dark"},
    "in German": {"locale": "de-DE"},
}
WORDS = {
    "at a desk": ("Get the news you choose", "One click and you are subscribed"),
    "in German": ("Lesen Sie, was Sie interessiert", "Ein Klick, und Sie haben abonniert"),
}


@pytest.mark.parametrize("mode", MODES)
async def test_a_reader_subscribes_confirms_prefers_reads_and_leaves(mode: str, tmp_path: Path) -> None:
    has_script = MODES[mode].get("java_script_enabled", True)
    first, second = WORDS.get(mode, WORDS["at a desk"])
    async with paper(tmp_path) as gazette, window(**MODES[mode]) as shown:
        page, url = shown.page, gazette.client.url
        await page.goto(f"{url}/subscribe")
        assert await shown.heading() == first
        await looks_right(shown, has_script=has_script)
        await page.check("#topic-energy")
        await page.fill("#query-1", "lighthouse")
        await page.fill("#email", ADA)
        await page.fill("#name", "Ada")
        await page.check("#consent")
        await shown.press("button[value=subscribe]")
        await looks_right(shown, has_script=has_script)
        assert await gazette.reader() is None, "nothing before it is confirmed"

        asked = await gazette.mail()
        assert asked["List-Unsubscribe"] is None
        await page.goto(gazette.link(asked, "/c/"))
        assert await shown.heading() == second
        await looks_right(shown, has_script=has_script)
        assert await gazette.reader() is None, "looking confirms nothing"
        await shown.press("main form button")
        await looks_right(shown, has_script=has_script)
        ada = await gazette.reader()
        assert ada is not None
        assert (ada.status, ada.name) == (SubscriberStatus.ACTIVE, "Ada")

        await shown.press("main a[href*='/p/']")
        await looks_right(shown, has_script=has_script)
        assert ADA not in await page.content(), "the page does not tell the whole address"
        await page.select_option("select[name=layout]", "headlines")
        await shown.press("main form button.button:not(.quiet)")
        await looks_right(shown, has_script=has_script)
        changed = await gazette.reader()
        assert changed is not None
        assert changed.layout == "headlines"

        await gazette.publish("A new windmill", "A lighthouse is for sale")
        tomorrow = await gazette.when_due()
        await plan(gazette.ctx, tomorrow)
        digest = await gazette.mail(tomorrow)
        text = digest.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "A new windmill" in text
        assert "A lighthouse is for sale" in text

        await page.goto(gazette.link(digest, "/u/"))
        await looks_right(shown, has_script=has_script)
        await shown.press("main form button >> nth=0")
        await looks_right(shown, has_script=has_script)
        gone = await gazette.reader()
        assert gone is not None
        assert gone.status == SubscriberStatus.UNSUBSCRIBED
        await gazette.publish("A third windmill")
        later = tomorrow + timedelta(days=1)
        assert (await plan(gazette.ctx, later)).deliveries == 0
        assert (await send(gazette.ctx, later)).sent == 0


async def test_the_keyboard_alone_is_enough(tmp_path: Path) -> None:
    async def reach(shown: Window, name: str) -> None:
        """Press Tab until the focus is where it should be, and can be seen there."""
        for _ in range(60):
            await shown.page.keyboard.press("Tab")
            where = await shown.page.evaluate(
                "() => { const e = document.activeElement; return [e.id, e.value || e.textContent, "
                "getComputedStyle(e).outlineStyle] }"
            )
            if name in where[:2]:
                assert where[2] != "none", f"nobody sees that {name} has the focus"
                return
        raise AssertionError(f"{name} cannot be reached")

    async with paper(tmp_path) as gazette, window() as shown:
        keyboard = shown.page.keyboard
        await shown.page.goto(f"{gazette.client.url}/subscribe")
        await keyboard.press("Tab")
        assert await shown.page.evaluate("document.activeElement.className") == "skip"
        await reach(shown, "topic-energy")
        await keyboard.press("Space")
        await reach(shown, "email")
        await keyboard.type(ADA)
        await reach(shown, "consent")
        await keyboard.press("Space")
        await reach(shown, "subscribe")
        await keyboard.press("Enter")
        await shown.page.wait_for_selector("h1:not(:has-text('choose'))")
        await shown.page.goto(gazette.link(await gazette.mail(), "/c/"))
        await reach(shown, "Yes, subscribe me")
        await keyboard.press("Enter")
        await shown.page.wait_for_selector("main a[href*='/p/']")
        ada = await gazette.reader()
        assert ada is not None
        assert ada.status == SubscriberStatus.ACTIVE


async def test_one_click_as_a_mail_provider_does_it(tmp_path: Path) -> None:
    """RFC 8058 §3.2: a POST of a form to the header's address, and nothing else: no cookie, no redirect, no page."""
    async with paper(tmp_path) as gazette, window(java_script_enabled=False) as shown:
        page = shown.page
        await page.goto(f"{gazette.client.url}/subscribe")
        await page.check("#topic-energy")
        await page.fill("#email", ADA)
        await page.check("#consent")
        await shown.press("button[value=subscribe]")
        await page.goto(gazette.link(await gazette.mail(), "/c/"))
        await shown.press("main form button")
        await gazette.publish("A new windmill")
        tomorrow = await gazette.when_due()
        await plan(gazette.ctx, tomorrow)
        digest = await gazette.mail(tomorrow)
        assert digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        path = str(digest["List-Unsubscribe"]).strip("<> ").removeprefix(PUBLIC)
        for _ in range(2):
            answer = await gazette.client.post(path, {"List-Unsubscribe": "One-Click"})
            assert answer.status == 200
            assert "set-cookie" not in answer.headers
            assert "location" not in answer.headers
        gone = await gazette.reader()
        assert gone is not None
        assert gone.status == SubscriberStatus.UNSUBSCRIBED
