"""Pictures inside a message: which are, how they are encoded, and that digests with them are shared as others are."""

from __future__ import annotations

import base64
import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import rekept
from test_render_templates import NEWSLETTER

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Told
from dispatcher.digest.pictures import Limits, Picture, attached, picture, placed, wanted
from dispatcher.digest.render import Templates, builtin_folder
from dispatcher.digest.wire import Door
from dispatcher.model.content import Story
from dispatcher.model.outbound import Personal
from dispatcher.model.values import DeliveryKind

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"
AMPLE = Limits(8, 200_000, 1_000_000)
TOLD = [
    Told(Story(f"Story {n}", f"https://g.example/{n}", "It blows.", "Gazette", image_url=f"https://g.example/{n}.png"))
    for n in range(8)
]


def drawn(number: int, size: int = 400) -> Picture:
    made = picture(PNG + bytes([number]) * size, "News.Example")
    assert made is not None
    return made


KNOWN: dict[str, Picture | None] = {f"https://g.example/{n}.png": drawn(n) for n in range(8)}
BY_CID = {one.cid: one for one in KNOWN.values() if one}
INSIDE: dict[tuple[Told, Picture], Told] = {}


def inside(told: Told, one: Picture) -> Told:
    return INSIDE.setdefault((told, one), Told(replace(told.story, image_url=f"cid:{one.cid}")))


def outline(first: int = 0, layout: str = "cards") -> Outline:
    some = TOLD[first : first + 4]
    sections = [("Wind", some[:2]), ("Sea", some[2:])]
    return Outline(DeliveryKind.DIGEST, "en", "UTC", "daily at 07:30", NOW, sections, layout=layout)


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"\xff\xd8\xff\xe0..", "jpeg"),
        (PNG, "png"),
        (b"GIF87a", "gif"),
        (b"RIFF....WEBP", None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_a_picture_is_what_its_first_octets_say(octets: bytes, kind: str | None) -> None:
    made = picture(octets, "news.example")
    assert (made is not None) == (kind is not None)
    if made is not None:
        assert str(made.part.content).startswith(f"Content-Type: image/{kind}\r\n")


def test_its_part_is_base64_in_lines_of_76_and_named_by_what_is_in_it() -> None:
    made = drawn(1, 5_000)
    head, _, body = str(made.part.content).partition("\r\n\r\n")
    assert base64.b64decode(body) == PNG + b"\x01" * 5_000
    assert {len(line) for line in body.split("\r\n")[:-2]} == {76}
    assert f"Content-ID: <{made.cid}>" in head
    assert made.cid.endswith("@news.example")
    assert drawn(1, 5_000).cid == made.cid != drawn(2, 5_000).cid


@pytest.mark.parametrize(
    ("limits", "count"),
    [(AMPLE, 4), (Limits(3, 999, 9_999), 3), (Limits(8, 100, 9_999), 0), (Limits(8, 999, 1_000), 2)],
)
def test_the_first_ones_go_in_as_far_as_the_limits_allow(limits: Limits, count: int) -> None:
    shown = wanted(placed(outline(), KNOWN, limits, inside))
    assert [url.startswith("cid:") for url in shown] == [True] * count + [False] * (4 - count)


def test_layouts_without_pictures_want_none() -> None:
    assert wanted(outline(layout="headlines")) == []
    assert len(wanted(replace(outline(layout="list"), layouts={"Sea": "cards"}))) == 2


def test_only_what_the_html_names_is_attached_and_digests_are_still_put_together() -> None:
    complaints: list[str] = []
    composer = Composer(Templates([builtin_folder()]), NEWSLETTER, Door("https://g.example"), complaints.append)
    for first in (0, 1, 2, 3, 4, 0, 1):
        one = placed(outline(first), KNOWN, AMPLE, inside)
        made, full = (attached(draft, BY_CID) for draft in (composer.compose(one), composer.render(one)))
        assert [part.hash for part in made.pictures] == [drawn(n).part.hash for n in range(first, first + 4)]
        assert octets(made) == octets(full)
        assert rekept(made) == made.wire()
    assert complaints == []
    plain = attached(composer.compose(outline()), BY_CID)
    assert plain.pictures == ()
    assert len(octets(plain)) == 2


def octets(draft: object) -> list[object]:
    """The leaves of a message, decoded."""
    envelope = Envelope("ada@reader.example", Personal("Ada"), "<1@g.example>", NOW)
    made = assemble(draft.wire(), envelope)  # type: ignore[attr-defined]
    message = email.message_from_bytes(made, policy=email.policy.default)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    assert not [defect for part in message.walk() for defect in part.defects]
    return [part.get_content() for part in leaves]


def test_the_boundaries_cannot_be_taken_for_each_other() -> None:
    composer = Composer(Templates([builtin_folder()]), NEWSLETTER, Door("https://g.example"))
    draft = attached(composer.compose(placed(outline(), KNOWN, AMPLE, inside)), BY_CID)
    message = assemble(draft.wire(), Envelope("ada@reader.example", Personal("Ada"), "<1@g.example>", NOW)).decode()
    outer, inner = draft.boundary, f"=_r{draft.boundary[2:]}"
    assert not inner.startswith(outer)
    assert not outer.startswith(inner)
    assert message.count(f"--{outer}\r\n") == 2
    assert message.count(f"--{inner}\r\n") == 1 + 4
    assert message.endswith(f"--{inner}--\r\n\r\n--{outer}--\r\n")
