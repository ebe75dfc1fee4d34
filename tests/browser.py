"""A real Chromium for tests, and what it found wrong: console errors, breaches of the policy, axe's findings."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from conftest import missing
from playwright.async_api import ConsoleMessage, Page, async_playwright

SERIOUS = ("serious", "critical")
AT_HOME = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""The pictures of invented newspapers are nowhere, and nobody outside is asked for them."""


@dataclass
class Window:
    """A page in a window of its own. `complaints` is what the browser said in its console that it should not have."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note every error and every breach of the content policy."""

        def heard(message: ConsoleMessage) -> None:
            if "ERR_NAME_NOT_RESOLVED" in message.text:
                return
            if message.type == "error" or "Content Security Policy" in message.text:
                self.complaints.append(message.text)

        self.page.on("console", heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def press(self, selector: str) -> None:
        """Click something that leads to another page, and wait for that."""
        async with self.page.expect_navigation(wait_until="load"):
            await self.page.click(selector)

    async def heading(self) -> str:
        """The page's one h1."""
        return (await self.page.locator("h1").inner_text()).strip()

    async def is_too_wide(self) -> bool:
        """Whether one would have to scroll sideways."""
        wide: bool = await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return wide

    async def barriers(self) -> list[str]:
        """What axe finds that keeps people out, serious or worse."""
        found = await Axe().run(self.page)
        return [
            f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in found.response["violations"]
            if one["impact"] in SERIOUS
        ]


@asynccontextmanager
async def window(width: int = 1100, **options: Any) -> AsyncIterator[Window]:
    """A window of Chromium; `options` are those of a Playwright context, such as `color_scheme`."""
    program = shutil.which("chromium")
    if program is None:
        missing("Chromium", "install Debian's package chromium, as .ci/run does")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", AT_HOME])
        try:
            context = await browser.new_context(viewport={"width": width, "height": 900}, **options)
            context.set_default_timeout(10_000)
            made = Window(await context.new_page())
            made.listen()
            yield made
        finally:
            await browser.close()
