"""The preview page's studio and server: any mail for any wish, mistakes shown, one copy sent, nothing kept."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from builders import atom, settings, subscriber, topic, world

from dispatcher.config import Settings
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.errors import ConfigError, Problem, TokenError
from dispatcher.model.audience import Subscriber
from dispatcher.model.outbound import Delivery, Digest
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.ingest import ingest
from dispatcher.pipeline.preview import Wish
from dispatcher.pipeline.specimens import NAMES
from dispatcher.pipeline.studio import Asked, Studio
from dispatcher.store.engine import many
from dispatcher.tokens import Purpose
from dispatcher.web.preview.app import Pages
from dispatcher.web.server import listening
from dispatcher.web.viewer.mail import read

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ANN = "ann@reader.example"


class Desk:
    """A newsletter with one story and one reader, and a studio over it. `settings` is what it reads next."""

    def __init__(self, ctx: Context, transport: MemoryTransport) -> None:
        self.ctx, self.transport, self.settings = ctx, transport, ctx.settings
        self.studio = Studio(ctx, self._load)

    def _load(self) -> Settings:
        if isinstance(self.settings, Exception):
            raise self.settings
        return self.settings

    async def kept(self) -> tuple[int, int, list[str]]:
        """What looking must not change."""
        async with self.ctx.store.read() as tx:
            people = [found.locale for found in await many(tx, Subscriber)]
            return len(await many(tx, Digest)), len(await many(tx, Delivery)), people


@asynccontextmanager
async def desk(folder: Path, *, stories: int = 1, readers: int = 1) -> AsyncIterator[Desk]:
    transport = MemoryTransport()
    rows = [("one", "Badger seen in market square", NOW)][:stories]
    feed = atom(folder / "feed.xml", *rows)
    chosen = settings(
        folder, sources=[{"name": "Gazette", "url": feed.as_uri()}], topics=[topic("all", "*")],
        subscribers=[subscriber(ANN, "all", name="Ann")][:readers], web={"url": "https://news.example"},
    )  # fmt: skip
    async with world(chosen, NOW, transport=transport) as ctx:
        await ingest(ctx, NOW, everything=True)
        yield Desk(ctx, transport)


async def test_a_readers_next_mail_is_shown_as_wished_and_nothing_is_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        before = await here.kept()
        at = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
        plain = await here.studio.show(Asked(ANN, at=at))
        wished = await here.studio.show(Asked(ANN, at=at, wish=Wish(locale="de", layout="headlines")))
        assert plain.preview is not None
        assert wished.preview is not None
        assert (plain.note, "Badger" in plain.preview.text) == ("", True)
        assert 'lang="de"' in wished.preview.html
        assert plain.preview.html != wished.preview.html
        assert await here.kept() == before


async def test_every_mail_can_be_looked_at_without_readers_and_without_stories(tmp_path: Path) -> None:
    async with desk(tmp_path, stories=0, readers=0) as here:
        for name in NAMES:
            shown = await here.studio.show(Asked(mail=name, wish=Wish(locale="ar")))
            assert shown.preview is not None, (name, shown.fault)
            assert 'dir="rtl"' in shown.preview.html or name == "owner"
        assert "invented" in (await here.studio.show(Asked())).note
        assert "Nobody here has the address" in (await here.studio.show(Asked("bob@reader.example"))).note


async def test_where_nothing_would_be_sent_the_latest_stories_stand_in_and_it_is_said(tmp_path: Path) -> None:
    async with desk(tmp_path, stories=0) as here:
        assert "there is nothing new for them" in (await here.studio.show(Asked(ANN))).note


async def test_a_broken_template_and_broken_settings_are_shown_until_they_are_mended(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    async with desk(tmp_path) as here:
        broken = folder / "digest.subject.j2"
        broken.write_text("{{ storys|length }}", encoding="utf-8")
        await here.studio.refresh()
        fault = (await here.studio.show(Asked(mail="digest"))).fault
        assert f"{broken}:1:" in fault
        assert "did you mean 'stories'?" in fault
        broken.write_text("Of badgers", encoding="utf-8")
        await here.studio.refresh()
        shown = await here.studio.show(Asked(mail="digest"))
        assert shown.preview is not None
        assert shown.preview.subject == "Of badgers"
        good, here.settings = (
            here.settings,
            ConfigError([Problem("dispatcher.toml", "theme.accent", "is not a colour")]),
        )  # type: ignore[assignment]
        await here.studio.refresh()
        assert "theme.accent" in (await here.studio.show(Asked())).fault
        here.settings = good.model_copy(update={"theme": type(good.theme)(accent="#123456")})
        await here.studio.refresh()
        shown = await here.studio.show(Asked(mail="digest"))
        assert shown.preview is not None
        assert "#123456" in shown.preview.html


async def test_a_copy_goes_out_marked_with_links_that_open_nothing_and_is_accounted_for_nowhere(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as here:
        before = await here.kept()
        outcome = await here.studio.send(Asked(ANN, mail="digest"), "me@desk.example")
        assert outcome.code == 250
        (kept,) = here.transport.messages
        message = email.message_from_bytes(kept.data, policy=email.policy.default)
        assert kept.recipient == "me@desk.example"
        assert message["Subject"].startswith("[Preview] ")
        assert "me@desk.example" in message["To"]
        assert message["List-Unsubscribe"] is None
        shown = read(kept.data, number=1, recipient=kept.recipient, at=NOW)
        token = next(to for to, _ in shown.links if to.startswith("https://news.example/u/")).rpartition("/")[2]
        with pytest.raises(TokenError):
            here.ctx.keyring.read(token, Purpose.UNSUBSCRIBE, NOW)
        assert await here.kept() == before


async def test_the_page_is_for_this_machine_only_and_sends_only_for_its_own_form(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as here,
        listening(Pages(here.studio, "me@desk.example").app(), "127.0.0.1:0") as url,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(url, headers={"Host": "evil.example"}) as refused:
            assert refused.status == 421
        async with client.get(url) as page:
            text = await page.text()
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        found = re.search(r'name="token" value="([^"]+)"', text)
        assert found
        form = {"token": found[1], "to": "me@desk.example", "mail": "digest"}
        for headers, changed in (
            ({}, {}),
            ({"Origin": "https://evil.example"}, {}),
            ({"Origin": "null"}, {}),
            ({"Origin": url}, {"token": "guessed"}),
        ):
            async with client.post(f"{url}/send", data={**form, **changed}, headers=headers) as refused:
                assert refused.status == 403
        assert here.transport.messages == []
        async with client.post(f"{url}/send", data=form, headers={"Origin": url}) as done:
            assert "Sent to me@desk.example" in await done.text()
        async with client.post(f"{url}/send", data={**form, "to": "nobody"}, headers={"Origin": url}) as done:
            assert "Not sent: " in await done.text()
        assert len(here.transport.messages) == 1
        async with client.get(f"{url}/readers", params={"start": "AN"}) as answer:
            assert await answer.json() == [ANN]
        async with client.get(f"{url}/body", params={"view": "plain"}) as body:
            assert "img-src 'none'" in body.headers["Content-Security-Policy"]
