"""Every default mail in every language against the standards it owes, each test named after its line (F and L)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from functools import cache
from html.parser import HTMLParser

import pytest
from mail_specimens import DOOR, KEYS, NOW, Specimen, mail_names, specimens

from dispatcher.digest.headers import one_line
from dispatcher.digest.render import HTML_LIMIT
from dispatcher.digest.voice import direction, languages
from dispatcher.tokens import Purpose

NAMES = mail_names()
ACTIVE = {"form", "script", "iframe", "object", "embed", "link", "base", "input", "button", "video", "audio"}
ENCODED_WORD = re.compile(rb"=\?utf-8\?[bq]\?[^?\s]*\?=", re.IGNORECASE)
ONCE = ("from", "date", "message-id", "subject", "to", "mime-version")
ENGLISH_ONLY = ("owner",)
"""Operators are spoken to in English."""

pytestmark = [
    pytest.mark.parametrize("locale", languages()),
    pytest.mark.parametrize("name", NAMES),
]


@pytest.fixture
def mail(name: str, locale: str) -> Specimen:
    """One mail in one language."""
    return _by_name(locale)[name]


def test_f1_lines_end_in_crlf_and_keep_to_their_lengths(mail: Specimen) -> None:
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", mail.raw)
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
    foldable = [line for line in _head(mail).split(b"\r\n") if len(line.split()) > 2]  # more than a name and its word
    assert max(map(len, foldable)) <= 78


def test_f2_each_required_field_stands_there_once_and_one_person_is_written_to(mail: Specimen) -> None:
    found = [field.lower() for field in mail.message]
    assert [found.count(field) for field in ONCE] == [1] * len(ONCE)
    assert not {"sender", "cc", "bcc"} & set(found)
    assert [one.addr_spec for one in mail.message["To"].addresses] == ["ann@reader.example"]


def test_f3_the_date_is_the_one_it_was_given_with_a_numeric_zone(mail: Specimen) -> None:
    assert parsedate_to_datetime(mail.message["Date"]) == NOW
    assert re.search(r" [+-]\d{4}$", mail.message["Date"])


def test_f4_the_message_id_is_of_our_domain_and_tells_nothing(mail: Specimen) -> None:
    assert re.fullmatch(r"<[a-z2-7]{20,}@gazette\.example>", mail.message["Message-ID"])


def test_f5_text_comes_first_and_html_last_and_the_boundary_is_in_neither(mail: Specimen) -> None:
    assert mail.message.get_content_type() == "multipart/alternative"
    parts = list(mail.message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    boundary = str(mail.message.get_boundary())
    assert len(boundary) <= 70
    assert mail.raw.count(boundary.encode()) == 4


def test_f6_the_parts_are_seven_bit_in_lines_of_76(mail: Specimen) -> None:
    assert mail.raw.isascii()
    for part in mail.message.iter_parts():
        assert part["Content-Transfer-Encoding"] in ("quoted-printable", "base64")
    body = mail.raw.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not re.search(rb"[ \t]\r\n", body)
    assert not re.search(rb"\n\.", body)


def test_f7_header_text_beyond_ascii_is_in_encoded_words_of_75(mail: Specimen) -> None:
    words = ENCODED_WORD.findall(_head(mail))
    assert not words or max(map(len, words)) <= 75
    assert mail.subject == one_line(mail.subject) != ""
    assert bool(words) or mail.subject.isascii()


def test_f9_the_html_stays_below_gmails_clip(mail: Specimen) -> None:
    assert len(mail.html.encode()) <= HTML_LIMIT


def test_f11_the_text_part_is_authored_and_has_the_links_of_the_html(mail: Specimen) -> None:
    pages = {url for url in _page(mail).links if url.startswith("https://") and url != "https://gazette.example"}
    assert sorted(url for url in pages if url not in mail.text) == []
    assert not re.search(r"</?\w+[^>]*>|&\w+;", mail.text.replace("<https://", ""))
    assert len(mail.text.split()) > 15


def test_f12_the_html_names_its_language_and_carries_nothing_active(mail: Specimen, locale: str) -> None:
    page = _page(mail)
    spoken = "en" if mail.template in ENGLISH_ONLY else locale
    assert page.root == {"lang": spoken, "dir": direction(spoken)}
    assert not page.tags & ACTIVE
    assert page.unnamed == []
    assert "preheader" in page.classes
    assert max(page.widths) <= 640


def test_l1_l10_and_l12_lists_are_named_and_letters_belong_to_none(mail: Specimen) -> None:
    fields = {name.lower(): str(value) for name, value in mail.message.items()}
    if not mail.is_of_a_list:
        listed = [name for name in fields if name.startswith("list-") or name in ("precedence", "feedback-id")]
        assert listed == []
        return
    assert fields["list-id"].endswith("<news.gazette.example>")
    assert len(fields["list-id"]) <= 255
    assert fields["list-post"] == "NO"
    *ids, sender = mail.message.get_all("Feedback-ID", [])[0].split(":")
    assert 5 <= len(sender) <= 15
    assert len({*ids, sender}) == len(ids) + 1 <= 4


def test_l2_l3_and_l5_one_click_leaves_by_a_token_of_this_reader_and_list(mail: Specimen) -> None:
    leave, post = (mail.message.get_all(f"List-Unsubscribe{end}", []) for end in ("", "-Post"))
    if not mail.is_of_a_list:
        assert leave == post == []
        return
    assert post == ["List-Unsubscribe=One-Click"]
    assert len(leave) == 1
    found = re.fullmatch(rf"<{re.escape(DOOR.url)}/u/([\w-]+)>", leave[0])
    assert found is not None
    assert KEYS.read(found[1], Purpose.UNSUBSCRIBE, NOW).claims == ("7", "1")
    assert leave[0][1:-1] in mail.html
    assert leave[0][1:-1] in mail.text


def test_l4_the_signature_covers_what_the_list_headers_say(mail: Specimen) -> None:
    signed = mail.signed_fields
    assert {"from", "to", "subject", "date", "message-id"} <= set(signed)
    if mail.is_of_a_list:
        assert {"list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id"} <= set(signed)
    assert signed.count("list-unsubscribe") == signed.count("list-unsubscribe-post") == (2 if mail.is_of_a_list else 1)


def test_l11_it_says_that_a_machine_wrote_it(mail: Specimen) -> None:
    assert mail.message.get_all("Auto-Submitted") == ["auto-generated"]
    assert mail.message.get_all("Precedence", []) == (["bulk"] if mail.is_of_a_list else [])


@cache
def _by_name(locale: str) -> dict[str, Specimen]:
    return {one.template: one for one in specimens((locale,), with_plain=False)}


@cache
def _page(mail: Specimen) -> _Page:
    page = _Page()
    page.feed(mail.html)
    return page


def _head(mail: Specimen) -> bytes:
    return mail.raw.partition(b"\r\n\r\n")[0]


class _Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.root: dict[str, str | None] = {}
        self.tags: set[str] = set()
        self.classes: set[str] = set()
        self.links: list[str] = []
        self.unnamed: list[str] = []
        self.widths = [0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "html":
            self.root = {name: known.get(name) for name in ("lang", "dir")}
        self.tags.add(tag)
        self.classes |= set((known.get("class") or "").split())
        self.links += [known["href"] or ""] if tag == "a" and "href" in known else []
        self.unnamed += [str(known)] if tag == "img" and "alt" not in known else []
        self.widths += [int(known.get("width") or 0)] if (known.get("width") or "").isdigit() else []
