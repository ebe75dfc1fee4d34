"""Every message against the standards it owes (F, L and S of the mail standards), each test named after its line."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache

import pytest
from builders import rekept

from dispatcher.digest.addresses import AddressError
from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.headers import HeaderError, message_id
from dispatcher.digest.render import HTML_LIMIT, Templates, builtin_folder, fit
from dispatcher.digest.wire import Wire, compile, draft, html_size
from dispatcher.model.content import Story
from dispatcher.model.outbound import DigestContent, Newsletter, Personal, Section
from dispatcher.model.values import DeliveryKind

NOW = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
SMUGGLED = ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r\n", "\nBcc: x@y.example\n", "\x00", "\u2028")
ENCODED_WORD = re.compile(rb"=\?utf-8\?[bq]\?[^?\s]*\?=", re.IGNORECASE)


@cache
def templates() -> Templates:
    """Our own templates, read once."""
    return Templates([builtin_folder()])


def newsletter(**changes: str) -> Newsletter:
    """The Gazette."""
    values = {
        "slug": "default", "name": "The Gazette", "sender": "The Gazette <news@gazette.example>",
        "reply_to": "desk@gazette.example", "list_id": "news.gazette.example",
    }  # fmt: skip
    return Newsletter(**values | changes)


def content(
    *stories: Story, kind: DeliveryKind = DeliveryKind.DIGEST, locale: str = "en", more: int = 0
) -> DigestContent:
    """A digest of these stories, or of one about a windmill."""
    some = stories or (Story("The town buys a windmill", "https://gazette.example/1", "It turns.", "Gazette"),)
    return DigestContent(kind, locale, "Europe/London", "daily at 07:30", NOW, (Section("Energy", some),))


def wire_of(made: DigestContent, letter: Newsletter | None = None) -> Wire:
    """The fragments of a digest."""
    return compile(fit(made, letter, templates()), letter, made) if letter else _gazettes(made)


@cache
def _gazettes(made: DigestContent) -> Wire:
    return wire_of(made, newsletter())


def envelope(recipient: str = "ann@reader.example", name: str = "Ann", **changes: object) -> Envelope:
    """What is Ann's own."""
    personal = Personal(name=name, email=recipient, topics=("Energy",), cadence="daily at 07:30")
    return Envelope(recipient, personal, "<1@gazette.example>", NOW, **changes)  # type: ignore[arg-type]


def message(made: DigestContent | None = None, **changes: str) -> bytes:
    """The Gazette's mail to Ann."""
    return assemble(wire_of(made or content()), envelope(**changes))


def parsed(raw: bytes) -> EmailMessage:
    """The message as Python's own parser sees it."""
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def every_kind() -> list[DigestContent]:
    """Each template in each language, one story and many, with and without links, and a script that is not Latin."""
    story = Story("Ünïcode – “Überschrift” 東京", "https://gazette.example/ü?a=1&b=2", "Kurz.\n.\n.. Punkt", "Blatt")
    bare = Story("No link", "", "All there is.\n.\nEnd", "Notes")
    return [
        content(*stories, kind=kind, locale=locale)
        for locale in ("en", "de", "fr", "es", "ar", "he")
        for kind, stories in ((DeliveryKind.DIGEST, (story, bare) * 6), (DeliveryKind.ALERT, (story,)))
    ]


def test_f1_lines_end_in_crlf_and_stay_within_998_octets_and_headers_within_78() -> None:
    for made in every_kind():
        raw = message(made, name="Dr. Amélie " * 12)
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78


def test_f2_each_of_the_required_fields_stands_there_exactly_once() -> None:
    found = [name.lower() for name in parsed(message())]
    for name in ("from", "date", "message-id", "subject", "to", "mime-version"):
        assert found.count(name) == 1
    assert "sender" not in found
    assert "bcc" not in found


def test_f3_the_date_has_a_numeric_zone_and_is_the_one_it_was_given() -> None:
    assert b"\r\nDate: Mon, 02 Mar 2026 07:31:00 +0000\r\n" in message()


def test_f4_the_message_id_is_made_of_the_delivery_and_says_nothing_about_the_reader() -> None:
    made = message_id("digest:1:ann@reader.example", b"secret", "gazette.example")
    assert made == message_id("digest:1:ann@reader.example", b"secret", "gazette.example")
    assert made != message_id("digest:2:ann@reader.example", b"secret", "gazette.example")
    assert "ann" not in made
    assert made.endswith("@gazette.example>")


def test_f5_text_comes_first_and_html_last_and_the_boundary_is_in_neither() -> None:
    for made in every_kind():
        raw = message(made)
        found = parsed(raw)
        assert found.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
        assert all(part.get_content_charset() == "utf-8" for part in found.iter_parts())
        boundary = found.get_boundary()
        assert boundary is not None
        assert len(boundary) <= 70
        assert raw.count(boundary.encode()) == 4


def test_f6_only_quoted_printable_or_base64_with_lines_of_76_the_smaller_of_the_two() -> None:
    used = set()
    for made in [*every_kind(), content(*[Story("東京の朝" * 9, "", "朝のニュース。" * 60)] * 6)]:
        raw = message(made)
        assert raw.isascii()
        for part in parsed(raw).iter_parts():
            used.add(part["Content-Transfer-Encoding"])
        body = raw.partition(b"\r\n\r\n")[2]
        assert max(map(len, body.split(b"\r\n"))) <= 76
        assert not re.search(rb"[ \t]\r\n", body)
    assert used == {"quoted-printable", "base64"}


def test_f7_words_that_are_not_ascii_are_encoded_within_75_octets_and_never_in_an_address() -> None:
    raw = message(content(Story("Überraschung im Rathaus – " * 8, "https://g.example/1")), name="Zoë Ångström")
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    words = ENCODED_WORD.findall(head)
    assert words
    assert max(map(len, words)) <= 75
    assert parsed(raw)["To"].addresses[0] == Address("Zoë Ångström", "ann", "reader.example")


def test_f8_an_international_domain_travels_as_a_labels_and_only_a_local_part_that_needs_smtputf8_as_it_is() -> None:
    assert b"<ann@xn--bcher-kva.example>" in message(recipient="ann@bücher.example")
    raw = message(recipient="änn@reader.example")
    assert [line for line in raw.split(b"\r\n") if not line.isascii()] == ["To: Ann <änn@reader.example>".encode()]


def test_f9_the_html_stays_below_gmails_clip_and_keeps_its_footer() -> None:
    long = [Story(f"Story {n}", "", f"Paragraph {n}. " * 800) for n in range(12)]
    made = wire_of(content(*long))
    assert html_size(made) <= HTML_LIMIT
    html = parsed(assemble(made, envelope())).get_body(("html",))
    assert html is not None
    assert "unsubscribe" in html.get_content()
    assert re.search(r"\d+ more", html.get_content())


def test_f11_the_text_part_is_authored_and_has_every_link_of_the_html() -> None:
    stories = [Story(f"Story {n}", f"https://gazette.example/{n}", "Short.") for n in range(5)]
    found = parsed(message(content(*stories)))
    text, html = (found.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for story in stories:
        assert story.url in text.get_content()
        assert story.url in html.get_content()
    assert "<" not in text.get_content().replace("<https", "")


def test_f12_the_html_names_its_language_and_direction_and_carries_nothing_active() -> None:
    for made in every_kind():
        body = parsed(message(made)).get_body(("html",))
        assert body is not None
        html = body.get_content()
        assert f'lang="{made.locale}"' in html
        assert ('dir="rtl"' in html) == (made.locale in ("ar", "he"))
        assert not re.search(r"<(form|script|iframe|object|embed|link)\b", html, re.IGNORECASE)
        assert all("alt=" in tag for tag in re.findall(r"<img\b[^>]*>", html))
        assert "color-scheme" in html


def test_l1_the_list_id_is_a_label_of_a_domain_we_own() -> None:
    assert b"List-Id: The Gazette <news.gazette.example>\r\n" in message()


def test_l10_and_l11_it_says_that_nobody_may_post_and_that_a_machine_wrote_it() -> None:
    found = parsed(message())
    assert found["List-Post"] == "NO"
    assert found["Precedence"] == "bulk"
    assert found.get_all("Auto-Submitted") == ["auto-generated"]


@pytest.mark.parametrize("poison", SMUGGLED)
def test_s8_no_content_can_end_the_message_early_or_add_a_header(poison: str) -> None:
    story = Story(f"Title{poison}end", "https://g.example/1", f"Text{poison}end", f"Source{poison}")
    raw = assemble(wire_of(content(story), newsletter(name=f"Name{poison}x")), envelope(name=f"Ann{poison}"))
    assert not any(line.startswith(b".") for line in raw.split(b"\r\n"))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", raw)
    found = parsed(raw)
    assert "bcc" not in [name.lower() for name in found]
    assert len(list(found.iter_parts())) == 2


@pytest.mark.parametrize("poison", SMUGGLED)
def test_s9_an_address_or_a_protocol_value_with_a_control_character_is_refused(poison: str) -> None:
    with pytest.raises(AddressError):
        message(recipient=f"ann{poison}@reader.example")
    with pytest.raises(HeaderError):
        assemble(wire_of(content()), envelope(headers={"List-Unsubscribe": f"<https://g.example/{poison}>"}))


def test_what_is_kept_makes_the_same_bytes_whatever_has_become_of_the_templates() -> None:
    made, again = wire_of(content()), rekept(draft(fit(content(), newsletter(), templates()), newsletter(), content()))
    assert again == made
    assert assemble(again, envelope()) == assemble(made, envelope()) == assemble(made, envelope())
