"""Every mail as Chromium shows it, beside the picture of it that somebody looked at and found good.

    make pictures      then look at those that have changed

The same fonts are drawn otherwise on another machine, so that no picture is ever the same to the pixel. Both are made
so small that a line of text becomes a grey band, and three things are compared: how high the mail is, how far the
colours are apart on average, and where they are farthest apart. What readers would notice moves at least one of them: a
lost dark mode, a column that is too wide, a picture or a section that is missing.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conftest import missing
from mail_scenes import DIGESTS, MAILS, PICTURES
from PIL import Image, ImageChops, ImageFilter, ImageStat
from playwright.async_api import Browser, Page, Route, async_playwright

from dispatcher.demo import pictures

FOLDER = Path(__file__).parents[1] / "golden"
RENEW = os.environ.get("GOLDEN") == "renew"
LARGEST = 3_000_000
"""Octets of all pictures together."""

TALLEST = 2800
"""Pixels of a mail that are compared, from its top."""

HEIGHT, AVERAGE, FARTHEST = 0.03, 1.8, 40.0
"""By how much they may differ: the height, as a part of it; colours on average, and in one spot, of 255."""

FONTS = ("LiberationSerif-Regular", "LiberationSans-Regular", "DejaVuSans")
"""What the pictures are set in. Among other fonts lines break elsewhere, and nothing could be compared."""

SPOT = 32
"""Pixels of the mail that become one when pictures are compared."""


@dataclass(frozen=True, slots=True)
class View:
    """A mail in a window: its width, dark or light, with pictures or without."""

    mail: str
    how: str = "desktop"

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.mail}.{self.how}"

    @property
    def width(self) -> int:
        """Of the window."""
        return 360 if self.how == "phone" else 700


def views() -> Iterator[View]:
    """Every template on a screen, on a phone and in the dark; digests and alerts without pictures as well."""
    for mail in MAILS:
        for how in ("desktop", "phone", "dark"):
            yield View(mail, how)
    for mail in DIGESTS:
        if mail in ("digest-cards", "digest-full", "alert", "digest-themed", "digest-right-to-left"):
            yield View(mail, "no-pictures")


class Camera:
    """One browser, and in it a window for each way of looking at mails."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: dict[str, Page] = {}

    async def take(self, view: View, html: str) -> tuple[Image.Image, bool]:
        """The mail's picture, and whether one would have to scroll sideways to see all of it."""
        page = self._pages.get(view.how) or await self._opened(view)
        await page.set_content(html, wait_until="load")
        wide, high = await page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        clip = {"x": 0, "y": 0, "width": wide, "height": min(high, TALLEST)}
        shot = await page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
        return Image.open(io.BytesIO(shot)).convert("RGB"), wide > view.width

    async def _opened(self, view: View) -> Page:
        scheme: Literal["dark", "light"] = "dark" if view.how == "dark" else "light"
        page = self._pages[view.how] = await self._browser.new_page(
            viewport={"width": view.width, "height": 800}, color_scheme=scheme
        )

        async def answer(route: Route) -> None:
            if view.how == "no-pictures" or not route.request.url.startswith(PICTURES):
                await route.abort()
            else:
                name = route.request.url.removeprefix(PICTURES).removesuffix(".png")
                await route.fulfill(body=drawn(name), content_type="image/png")

        await page.route("**/*", answer)
        return page


@asynccontextmanager
async def camera() -> AsyncIterator[Camera]:
    """A browser for as long as it is needed."""
    program = shutil.which("chromium")
    if program is None:
        missing("Chromium", "install Debian's package chromium, as .ci/run does")
    if not all(any(Path("/usr/share/fonts").rglob(f"{font}.ttf")) for font in FONTS):
        missing("a font", "install Debian's packages fonts-liberation and fonts-dejavu-core, as .ci/run does")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield Camera(browser)
        finally:
            await browser.close()


def drawn(name: str) -> bytes:
    """One of the demo's landscapes, or the logo of a newsletter that has one."""
    if name != "logo":
        return pictures.draw(name, "golden")
    logo, octets = Image.new("RGB", (440, 120), "#0b57d0"), io.BytesIO()
    for step in range(3):
        logo.paste("#ffffff", (40 + 130 * step, 30 + 15 * step, 140 + 130 * step, 90))
    logo.save(octets, "PNG")
    return octets.getvalue()


def kept(image: Image.Image) -> Image.Image:
    """A picture as it is kept: half the size, in few colours."""
    return image.reduce(2).quantize(48, dither=Image.Dither.NONE)


def differences(fresh: Image.Image, golden: Image.Image) -> list[str]:
    """In what two pictures of one mail, as they are kept, differ too much."""
    found = []
    if fresh.width != golden.width:
        return [f"it is {fresh.width} wide and was {golden.width}"]
    if abs(fresh.height - golden.height) > HEIGHT * golden.height:
        found.append(f"it is {fresh.height} high and was {golden.height}")
    small = max(golden.width * 2 // SPOT, 1), max(golden.height * 2 // SPOT, 1)
    pair = [one.convert("RGB").resize(small, Image.Resampling.BOX) for one in (fresh, golden)]
    apart = ImageChops.difference(*[one.filter(ImageFilter.GaussianBlur(1)) for one in pair])
    average = sum(ImageStat.Stat(apart).mean) / 3
    farthest = max(high for _, high in apart.getextrema())
    if average > AVERAGE:
        found.append(f"colours are {average:.1f} apart on average")
    if farthest > FARTHEST:
        found.append(f"in one spot colours are {farthest} apart")
    return found


async def test_every_mail_looks_as_somebody_found_it_good() -> None:
    complaints: list[str] = []
    htmls = {name: make().html for name, make in MAILS.items()}
    async with camera() as standing:
        for view in views():
            image, wide = await standing.take(view, htmls[view.mail])
            path = FOLDER / f"{view.name}.png"
            if wide:
                complaints.append(f"{view.name}: one has to scroll sideways")
            if RENEW:
                FOLDER.mkdir(exist_ok=True)
                kept(image).save(path, optimize=True)
            elif not path.exists():
                complaints.append(f"{view.name}: nobody has looked at it yet: renew the pictures, and look")
            else:
                complaints += [f"{view.name}: {words}" for words in differences(image.reduce(2), Image.open(path))]
    assert complaints == []


def test_there_is_no_picture_of_what_no_longer_is_and_all_are_small() -> None:
    files = list(FOLDER.glob("*.png"))
    assert {file.stem for file in files} == {view.name for view in views()}
    assert sum(file.stat().st_size for file in files) < LARGEST


def test_what_readers_would_notice_is_found() -> None:
    light, dark = (Image.open(FOLDER / f"digest-cards.{how}.png") for how in ("desktop", "dark"))
    whole, without_picture = light.convert("RGB"), light.convert("RGB")
    without_picture.paste("#ffffff", (40, 145, whole.width - 40, 260))
    assert differences(dark, light), "dark mode is lost"
    assert differences(whole.resize((whole.width + 40, whole.height)), light), "a column is too wide"
    assert differences(whole.crop((0, 0, whole.width, whole.height * 4 // 5)), light), "a section is missing"
    assert differences(without_picture, light), "a picture is missing"


def test_what_nobody_would_notice_is_none() -> None:
    for file in FOLDER.glob("*.desktop.png"):
        golden = Image.open(file)
        a_line_lower = golden.convert("RGB").transform(golden.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -1))
        assert differences(a_line_lower, golden) == [], file.name
