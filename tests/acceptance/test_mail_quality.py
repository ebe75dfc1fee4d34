"""Every default mail before those who judge mail: Can I email, html-validate, readers' eyes, SpamAssassin.

Node's packages: TEST_NODE_MODULES names a folder in which `.ci/npm` is installed. SpamAssassin: Debian's package.
Without them those tests skip and say so; in CI that is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from browser import Window, window
from conftest import missing
from mail_specimens import Specimen, specimens

CLIENTS = ("gmail.*", "outlook.windows", "apple-mail.*")

IN_TAGS = {
    "Local anchors": "the contents lead nowhere in Gmail on iOS, and are read all the same",
    "border-radius": "corners are square",
    "color-scheme meta tag": "who does not know it makes up dark colours by itself, or shows the light ones",
    "display:none": "the preheader is out of sight by its height and size too",
    "max-height property": "Outlook leaves the preheader out by mso-hide",
    "opacity": "display: none or mso-hide has hidden the preheader already",
    "overflow": "Outlook leaves the preheader out by mso-hide",
    "overflow-wrap": "word-break, which Gmail knows, stands beside it; Outlook breaks long words by itself",
    "white-space": "a date may break over two lines",
}
"""What some of CLIENTS do not know, in the tags: what their readers get instead."""

IN_SHEET = {
    "@media": "one fluid column and light colours stand in the tags",
    "Attribute selector": "where a style sheet is used for dark mode, this is known",
    "Chaining selectors": "where a style sheet is used for dark mode, this is known",
    "Class selector": "every rule is written into the tags too",
    "Descendant combinator": "every rule is written into the tags too",
    "Type selector": "every rule is written into the tags too",
}
"""The same for the style sheet, beside what IN_TAGS has. A program that drops it all shows what is in the tags."""

RULES = {
    "no-inline-style": "some programs read no other style",
    "no-deprecated-attr": "Outlook's Word engine goes by width, align and bgcolor",
    "no-conditional-comment": "they are for Outlook, which has no other way to be given a fixed width",
    "presentation-role-style": "older screen readers know role=presentation and not role=none",
    "prefer-native-element": "mail programs take <article> out, and its role with it",
    "no-trailing-whitespace": "blanks at the ends of lines are encoded, and nobody sees them",
}
"""Rules of html-validate that are off for mail, and why."""

VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "width": 360},
    "without a style sheet": {"color_scheme": "light"},
}
EYES = (Path(__file__).parents[1] / "mail_eyes.js").read_text("utf-8")
WORST_SCORE = 1.0


def test_nothing_is_used_that_gmail_outlook_or_apple_mail_do_not_know_and_that_nothing_replaces() -> None:
    unknown = [
        f"{mail}: {feature} in {client} ({where})"
        for mail, found in _judged()["support"].items()
        for where, feature, client in found
        if feature not in IN_TAGS and (where == "tags" or feature not in IN_SHEET)
    ]
    assert unknown == []


def test_what_is_allowed_for_its_fallback_is_used() -> None:
    found = [tuple(one[:2]) for some in _judged()["support"].values() for one in some]
    assert set(IN_TAGS) <= {feature for where, feature in found if where == "tags"}
    assert set(IN_SHEET) <= {feature for where, feature in found if where == "sheet"}


def test_the_html_is_valid() -> None:
    assert {mail: faults for mail, faults in _judged()["faults"].items() if faults} == {}


@pytest.mark.parametrize("view", VIEWS)
async def test_words_can_be_read_by_their_size_and_contrast(view: str) -> None:
    hard: dict[str, list[str]] = {}
    async with window(**VIEWS[view]) as opened:
        for specimen in specimens():
            await _show(opened, specimen, styled=view != "without a style sheet")
            if found := await opened.page.evaluate(EYES):
                hard[specimen.id] = found
    assert hard == {}


async def test_words_that_cannot_be_read_are_found() -> None:
    async with window() as opened:
        await opened.page.set_content(
            '<body style="background: #fff"><p style="font-size: 13px">small</p><p style="color: #888">pale</p>'
            '<div style="background: #222"><p>dark on dark</p></div><p style="font-size: 24px; color: #888">large</p>'
            '<p style="display: none; font-size: 1px">hidden</p><p>fine</p></body>'
        )
        found = await opened.page.evaluate(EYES)
    assert [one.rpartition("> ")[2] for one in found] == ["small", "pale", "dark on dark"]


async def test_nobody_is_kept_out_and_a_phone_need_not_scroll_sideways() -> None:
    barred: dict[str, list[str]] = {}
    async with window(360) as opened:
        for specimen in specimens(with_plain=False):
            await _show(opened, specimen)
            found = await opened.barriers() + (["too wide"] if await opened.is_too_wide() else [])
            if found:
                barred[specimen.id] = found
    assert barred == {}


def test_spamassassin_takes_none_of_them_for_spam(tmp_path: Path) -> None:
    program = shutil.which("spamassassin")
    if program is None:
        missing("SpamAssassin", "install Debian's package spamassassin, as .ci/run does")
    paths = [tmp_path / f"{specimen.id}.eml" for specimen in specimens()]
    for path, specimen in zip(paths, specimens(), strict=True):
        path.write_bytes(specimen.raw)
    command = [program, "--local", "--test-mode", "--cf=use_bayes 0", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)}, check=True)
    reports = re.findall(r"Content analysis details: +\((-?[\d.]+) points.*?\n\n(.*?)\n\n", done.stdout, re.DOTALL)
    assert len(reports) == len(paths)
    scored = {path.stem: (float(score), why) for path, (score, why) in zip(paths, reports, strict=True)}
    assert {mail: why for mail, (score, why) in scored.items() if score >= WORST_SCORE} == {}


async def _show(opened: Window, specimen: Specimen, *, styled: bool = True) -> None:
    html = specimen.html if styled else re.sub(r"<style\b.*?</style>", "", specimen.html, flags=re.DOTALL)
    await opened.page.set_content(re.sub(r'src="https?:[^"]*"', 'src="data:,"', html))  # nothing is fetched


@cache
def _judged() -> dict[str, Any]:
    """What caniemail and html-validate say of all mails, from one run of node."""
    modules, node = os.environ.get("TEST_NODE_MODULES", ""), shutil.which("node")
    if not modules or node is None:
        missing("caniemail", "set TEST_NODE_MODULES to a folder where .ci/npm is installed, as .ci/run does")
    asked = {
        "mails": {specimen.id: specimen.html for specimen in specimens()},
        "clients": CLIENTS,
        "rules": dict.fromkeys(RULES, "off"),
    }
    script = Path(__file__).parents[1] / "mail_checks.mjs"
    done = subprocess.run([node, str(script)], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
