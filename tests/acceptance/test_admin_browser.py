"""The desk in a real browser: by keyboard, on a phone, in the dark, without JavaScript; the policy is never broken."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from admin_desk import HOSTILE, PASSWORD, hire, paper
from browser import Window, window

from dispatcher import clock
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryKind, DeliveryStatus, Role
from dispatcher.pipeline import editions
from dispatcher.pipeline import operators as people
from dispatcher.pipeline.context import Context
from dispatcher.store.engine import add

PAGES = (
    "", "/sources", "/sources/1", "/topics", "/topics/1", "/query", "/readers", "/readers/1", "/readers/1/preview",
    "/deliveries?status=failed", "/deliveries/1", "/log", "/sessions", "/operators", "/tables/subscribers",
    "/tables/deliveries", "/tables/articles", "/tables/articles/detail?pk=1", "/editions", "/editions/1",
)  # fmt: skip


async def furnish(ctx: Context) -> None:
    """An owner, and a delivery that failed with hostile words; a draft full of them."""
    now = clock.now()
    await hire(ctx, "ann", Role.OWNER)
    async with ctx.store.write() as tx:
        failed = Delivery(
            key="1", kind=DeliveryKind.DIGEST, priority=30, status=DeliveryStatus.FAILED,
            newsletter_id=ctx.newsletter.id or 0, subscriber_id=1, recipient="ada@reader.example", slot_at=now,
            due_at=now, expires_at=now + timedelta(hours=1), created_at=now, finished_at=now, code=550,
            reason=f"550 5.1.1 {HOSTILE}",
        )  # fmt: skip
        await add(tx, failed)
        await editions.keep(ctx, tx, f"---\nsubject: What {HOSTILE}\n---\n{HOSTILE}\n", now, name="week.md")


async def sign_in(here: Window, url: str) -> None:
    await here.page.goto(f"{url}/admin")
    await here.page.fill("#name", "ann")
    await here.page.fill("#password", PASSWORD)
    await here.page.click("main button")
    await here.page.wait_for_url(re.compile(r"/admin$"))
    await here.page.wait_for_selector(".tiles")


@pytest.mark.parametrize(
    ("width", "options"),
    [(1320, {}), (360, {}), (1320, {"color_scheme": "dark"}), (360, {"java_script_enabled": False})],
    ids=["desk", "phone", "dark", "without-javascript"],
)
async def test_every_page_keeps_the_policy_fits_and_lets_everybody_in(
    tmp_path: Path, width: int, options: dict[str, object]
) -> None:
    async with paper(tmp_path) as (ctx, client):
        await furnish(ctx)
        async with window(width, **options) as here:
            await sign_in(here, client.url)
            for path in PAGES:
                await here.page.goto(f"{client.url}/admin{path}")
                assert await here.page.locator("h1").count() == 1, path
                if options.get("java_script_enabled", True):
                    assert not await here.is_too_wide(), path
                    assert await here.barriers() == [], path
            assert here.complaints == []


async def test_a_table_shows_its_rows_and_finds_one(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await furnish(ctx)
        async with window() as here:
            await sign_in(here, client.url)
            await here.page.click("nav >> text=Tables")
            assert await here.heading() == "Subscribers"
            assert await here.page.locator("tbody tr").count() == 1
            await here.page.fill("#q", "nobody")
            await here.page.click("text=Find")
            assert await here.page.locator("tbody tr").count() == 0
            await here.page.click("main nav >> text=Articles")
            assert await here.page.locator("tbody tr").count() == 1
            await here.page.click("tbody a")
            assert await here.heading() == "Article 1"
            assert here.complaints == []


async def test_the_preview_shows_the_letter_and_its_frame_stays_shut(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await furnish(ctx)
        async with window() as here:
            await sign_in(here, client.url)
            await here.page.goto(f"{client.url}/admin/readers/1/preview")
            letter = here.page.frame_locator("iframe.letter")
            await letter.locator("a:visible", has_text="The harbour gets a crane").first.wait_for()
            frame = next(frame for frame in here.page.frames if frame.url.endswith("/letter"))
            assert await frame.evaluate("window.origin") == "null", "an origin of its own, without our cookies"
            assert here.complaints == []


async def test_by_the_keyboard_alone_a_source_is_paused_and_one_signs_out(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        await furnish(ctx)
        async with window() as here:
            press = here.page.keyboard.press
            await here.page.goto(f"{client.url}/admin/sources/1")
            await here.page.focus("#name")
            await here.page.keyboard.type("ann")
            await press("Tab")
            await here.page.keyboard.type(PASSWORD)
            await press("Enter")
            await here.page.wait_for_selector("text=Next poll")
            await reach(here, "Pause")
            await press("Enter")
            await here.page.wait_for_selector("text=Done: pause source, Gazette.")
            await reach(here, "Sign out")
            await press("Enter")
            await here.page.wait_for_url(re.compile("/admin/sign-in"))
            assert here.complaints == []


async def reach(here: Window, words: str) -> None:
    """Tab until the button with these words has the focus."""
    for _ in range(60):
        await here.page.keyboard.press("Tab")
        if await here.page.evaluate("document.activeElement.textContent.trim()") == words:
            return
    raise AssertionError(f"no way to {words!r} by keyboard")


async def test_a_one_time_link_opens_with_a_button(tmp_path: Path) -> None:
    async with paper(tmp_path) as (ctx, client):
        made = await hire(ctx, "ann", Role.OWNER)
        path = "/s/" + people.link(ctx, made, clock.now()).rpartition("/s/")[2]
        async with window() as here:
            await here.page.goto(client.url + path)
            assert await here.heading() == "Sign in as ann"
            assert await here.barriers() == []
            await here.page.click("main button")
            await here.page.wait_for_url(re.compile(r"/admin$"))
            await here.page.goto(client.url + path)
            assert await here.heading() == "This link does not work"
