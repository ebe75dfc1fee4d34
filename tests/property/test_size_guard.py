"""F9: whatever stands in a digest, its HTML is below what Gmail shows whole, for every reader, and has its footer."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Sequence

import pytest
from test_render_templates import NEWSLETTER, SLOT, story

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Told
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.slots import Links
from dispatcher.digest.wire import Door, Draft
from dispatcher.model.content import Story
from dispatcher.model.outbound import Personal
from dispatcher.model.values import DeliveryKind, Layout

CLIP = 100_000
"""Octets of HTML at which Gmail cuts a message off."""

PICTURE = "https://lantern.example/pictures/a-very-long-name-of-a-picture.jpg"
NOTE = "A note that stands nowhere else & goes on. " * 4_700
CONTENTS: dict[str, list[Story]] = {
    "forty huge stories": [story(n, title="Wind & rain " * 25, summary="<Rain> & wind. " * 700) for n in range(40)],
    "forty notes of a page": [story(n, url="", summary=NOTE[:9_000], image_url=PICTURE) for n in range(40)],
    "one note of 200 kB": [story(1, url="", summary=NOTE)],
    "a note of 200 kB before others": [story(1, url="", summary=NOTE), *(story(n) for n in range(2, 9))],
    "a note of 200 kB behind others": [*(story(n) for n in range(2, 9)), story(1, url="", summary=NOTE)],
    "a note without a blank": [story(1, url="", summary="風" * 70_000)],
    "many headlines": [story(n, title="Wörter und Wind " * 18, also_in=("Trains", "Sea")) for n in range(250)],
    "a few": [story(n) for n in range(3)],
}
HUGE = ("forty huge stories", "one note of 200 kB")
CASES = [(name, layout) for name in HUGE for layout in Layout]
CASES += [(name, list(Layout)[number % len(Layout)]) for number, name in enumerate(CONTENTS) if name not in HUGE]
READER = Personal("Wolfeschlegelsteinhausen " * 8, "ada@reader.example", ("Energy & trains",) * 12, "daily at 07:30")
LINKS = Links(*(f"https://letters.lantern.example/{page}/{'x' * 280}" for page in "upva"))
TEMPLATES = Templates([builtin_folder()])


def outline(stories: Sequence[Story], layout: str) -> Outline:
    told = [Told(one) for one in stories]
    sections = [("Energy", told[::2]), ("Weather & sea", told[1::2])]
    filled = [(label, some) for label, some in sections if some]
    return Outline(DeliveryKind.DIGEST, "en", "Europe/London", "daily at 07:30", SLOT, filled, layout=layout)


@pytest.fixture(scope="module")
def composer() -> Composer:
    """A composer that has met every layout, so that it puts together what it can."""
    made = Composer(TEMPLATES, NEWSLETTER, Door("https://letters.lantern.example"))
    for layout in Layout:
        made.compose(outline(CONTENTS["a few"], layout))
    return made


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_no_digest_is_cut_off_and_none_is_without_its_footer(composer: Composer, name: str, layout: Layout) -> None:
    draft = composer.compose(outline(CONTENTS[name], layout))
    octets = html(draft, READER).encode()
    assert 1_000 < len(octets) <= CLIP
    footer = octets.decode()[-9_000:]
    assert LINKS.unsubscribe in footer
    assert "4 Cooper Street, Larkmere" in footer


def html(draft: Draft, reader: Personal) -> str:
    """The HTML of one reader's message, decoded."""
    envelope = Envelope("ada@reader.example", reader, "<1@lantern.example>", SLOT, links=LINKS)
    message = email.message_from_bytes(assemble(draft.wire(), envelope), policy=email.policy.default)
    part = message.get_body(("html",))
    assert part is not None
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode()


def pictures(html: str) -> list[tuple[str, str]]:
    """Of every image its source and width."""
    tags = re.findall("<img [^>]*>", html)
    return [(re.findall(' src="([^"]*)"', tag)[0], re.findall(' width="([0-9]+)"', tag)[0]) for tag in tags]


def test_no_picture_in_any_mail_tells_us_who_has_opened_it() -> None:
    """No tracking pixel: every picture is a story's own, the same for all readers, and none is one pixel small."""
    stories = [story(n, image_url=f"https://lantern.example/{n}.jpg") for n in range(3)]
    composer = Composer(TEMPLATES, NEWSLETTER, Door("https://letters.lantern.example"))
    draft = composer.compose(outline(stories, Layout.CARDS))
    found = [pictures(html(draft, Personal(name, f"{name}@reader.example"))) for name in ("ada", "ben")]
    assert found[0] == found[1]
    assert {source for source, _ in found[0]} == {one.image_url for one in stories}
    assert all(int(width) > 16 for _, width in found[0])
