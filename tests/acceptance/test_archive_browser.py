"""The archive and a mail as a page in a real browser: nothing is blocked, nothing is too wide, nobody is kept out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from browser import window
from publishing_house import html_of, open_house, sqlite, view_path

HALF_PAST = timedelta(minutes=31)


@pytest.mark.parametrize(("width", "scheme", "language"), [(1100, "light", "en"), (360, "dark", "ar")])
async def test_each_page_of_the_archive_is_whole(
    tmp_path: Path, now: datetime, width: int, scheme: str, language: str
) -> None:
    site = {"name": "The Gazette", "language": language}
    async with open_house(tmp_path, sqlite(tmp_path), now, site=site) as house, window(width, color_scheme=scheme) as w:
        for day in range(3):
            at = now + timedelta(days=day)
            await house.publish(at, f"Windmill {day}", "Windmillwindmillwindmillwindmillwindmillwindmillwindmill" * 2)
            await house.bring_out(at + HALF_PAST)
        (mail,) = await house.send(now + timedelta(days=2) + HALF_PAST)
        assert "<script" not in html_of(mail)
        for path in ("/archive", "/archive/wind", "/archive/wind/2026-03-03", view_path(mail)):
            await w.page.goto(f"{house.client.url}/mail{path}")
            assert not await w.is_too_wide(), path
            assert await w.barriers() == [], path
        await w.page.goto(f"{house.client.url}/mail/archive/wind/2026-03-03")
        for rel, day in (("next", "2026-03-04"), ("prev", "2026-03-03")):
            await w.press(f".dispatcher-bar a[rel={rel}]")
            assert w.page.url.endswith(day)
        assert w.complaints == []
