"""Headers and addresses: what goes over the wire, and what is refused."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone

import pytest

from dispatcher.digest import headers
from dispatcher.digest.addresses import AddressError, addr_spec, split_mailbox
from dispatcher.digest.headers import HeaderError


def read(header: str) -> str:
    """What a mail program shows."""
    parsed = email.message_from_string(header + "\r\n", policy=email.policy.default)
    (name,) = parsed.keys()
    assert not parsed[name].defects
    return str(parsed[name])


@pytest.mark.parametrize(
    "title",
    [
        "Heat network approved",
        "Ein Wärmenetz für die Oststadt",
        "新しい暖房網が承認されました。来年の秋から二千四百戸に温水が届きます",
        "المجلس يوافق على شبكة تدفئة جديدة لألفي منزل",
        "🚲 bicycles, 🚲 bicycles and 👩‍👩‍👧‍👦 families everywhere in the old town",
        "a title that quotes =?utf-8?q?an_encoded_word?= as text",
        "word " * 60 + "end",
        "x" * 2000,
        "é" * 700,
        "=",
    ],
)
def test_f7_text_is_what_it_was_in_words_of_75_and_lines_of_78(title: str) -> None:
    header = headers.text("Subject", title)
    assert header.isascii()
    assert read(header) == title.strip()
    assert all(len(line) <= 78 for line in header.split("\r\n"))
    assert all(len(word) <= 75 for word in header.split() if word.startswith("=?"))


def test_f7_no_encoded_word_splits_a_character() -> None:
    for word in headers.text("Subject", "žluťoučký kůň 日本語 🚲" * 12).removeprefix("Subject:").split():
        [(octets, charset)] = email.header.decode_header(word)
        octets.decode(charset)


def test_text_with_controls_becomes_one_clean_line() -> None:
    assert read(headers.text("Subject", "one\r\nBcc: x@y.example\x00\u2028two\x1b\tthree\u202e!")) == (
        "one Bcc: x@y.example two three!"
    )


def test_a_lone_surrogate_does_no_harm() -> None:
    assert read(headers.text("Subject", "bad \ud800 half")) == "bad ? half"


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("", "To: a@b.example\r\n"),
        ("Ada Lovelace", "To: Ada Lovelace <a@b.example>\r\n"),
        ("Lovelace, Ada", 'To: "Lovelace, Ada" <a@b.example>\r\n'),
        ('Ada "the \\ first"', 'To: "Ada \\"the \\\\ first\\"" <a@b.example>\r\n'),
        ("Zoë", "To: =?utf-8?q?Zo=C3=AB?= <a@b.example>\r\n"),
        ("a\r\nBcc: <x@y.example>", 'To: "a Bcc: <x@y.example>" <a@b.example>\r\n'),
    ],
)
def test_a_display_name_is_quoted_or_encoded_as_it_needs(name: str, wire: str) -> None:
    assert headers.mailbox("To", name, "a@b.example") == wire


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada+news@Example.ORG", "Ada+news@Example.ORG"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@例え.example", "ada@xn--r8jz45g.example"),
        ("a..b.@docomo.example", '"a..b."@docomo.example'),
        ('"two words"@example.org', '"two words"@example.org'),
        ("root@localhost", "root@localhost"),
        ("ops@[192.0.2.1]", "ops@[192.0.2.1]"),
    ],
)
def test_f8_an_address_goes_over_the_wire_in_ascii(address: str, wire: str) -> None:
    assert addr_spec(address) == wire


@pytest.mark.parametrize(
    ("address", "enhanced"),
    [
        ("josé@example.org", "5.6.7"),
        ("用户@例え.example", "5.6.7"),
        ("nobody", "5.1.3"),
        ("@example.org", "5.1.3"),
        ("ada@", "5.1.3"),
        ("a b@example.org", "5.1.3"),
        ("a" * 65 + "@example.org", "5.1.3"),
        ("ada@exam ple.org", "5.1.2"),
        ("ada@-.example", "5.1.2"),
        ("ada@" + "x." * 130 + "org", "5.1.2"),
        ("ada@\u2488com", "5.1.2"),
        *((f"ada{bad}@example.org", "5.1.3") for bad in "\r\n\x00\x01\x1f\x7f\x85\u2028<>"),
        *((f"ada@example.org{bad}RCPT TO:<x@y.example>", "5.1.3") for bad in "\r\n\x00"),
    ],
)
def test_s9_an_address_that_cannot_be_written_to_is_refused_with_its_status(address: str, enhanced: str) -> None:
    with pytest.raises(AddressError) as caught:
        addr_spec(address)
    assert caught.value.enhanced == enhanced


@pytest.mark.parametrize("bad", ["\r", "\n", "\x00", "\x07", "\x7f", "é", "\u2028", ""])
def test_s9_a_protocol_value_that_no_header_may_hold_is_refused(bad: str) -> None:
    with pytest.raises(HeaderError):
        headers.protocol("X-Thing", bad and f"a{bad}b")


@pytest.mark.parametrize("name", ["", "X Thing", "X:Thing", "X-Thing\r\nBcc", "Ünit"])
def test_s9_a_header_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HeaderError):
        headers.protocol(name, "value")


def test_f1_a_word_longer_than_a_line_is_refused() -> None:
    with pytest.raises(HeaderError):
        headers.protocol("X-Thing", "x" * 999)


def test_l1_list_id_is_a_phrase_and_a_label_within_255_octets() -> None:
    assert headers.list_id("The Lantern", "lantern.news.example") == "List-Id: The Lantern <lantern.news.example>\r\n"
    assert headers.list_id("Lantern, The", "l.bücher.example") == (
        'List-Id: "Lantern, The" <l.xn--bcher-kva.example>\r\n'
    )
    assert headers.list_id("ü" * 200, "lantern.news.example") == "List-Id: <lantern.news.example>\r\n"


def test_f3_date_has_a_numeric_zone_and_is_the_same_instant_whatever_zone_it_came_in() -> None:
    moment = datetime(2026, 2, 28, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert headers.date(moment) == headers.date(moment.astimezone(UTC)) == "Date: Sun, 01 Mar 2026 04:30:00 +0000\r\n"


def test_f3_a_naive_date_is_refused_because_nobody_knows_where_it_is_from() -> None:
    with pytest.raises(ValueError, match="naive"):
        headers.date(datetime(2026, 11, 22))  # noqa: DTZ001


def test_f4_a_message_id_is_stable_tells_nothing_and_differs_by_delivery_and_secret() -> None:
    one = headers.message_id("lantern:ada@example.org:2026-11-22", b"secret", "bücher.example")
    assert one == headers.message_id("lantern:ada@example.org:2026-11-22", b"secret", "bücher.example")
    assert one.endswith("@xn--bcher-kva.example>")
    assert "ada" not in one
    assert one != headers.message_id("lantern:bob@example.org:2026-11-22", b"secret", "bücher.example")
    assert one != headers.message_id("lantern:ada@example.org:2026-11-22", b"other", "bücher.example")
    assert len(one) <= 78


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("The Lantern <news@l.example>", ("The Lantern", "news@l.example")),
        ('"Lantern, \\"The\\"" <news@l.example>', ('Lantern, "The"', "news@l.example")),
        ("Lantern, The <news@l.example>", ("Lantern, The", "news@l.example")),
        ("news@l.example", ("", "news@l.example")),
        (" <news@l.example> ", ("", "news@l.example")),
    ],
)
def test_a_mailbox_in_a_setting_is_read_as_a_person_means_it(setting: str, parts: tuple[str, str]) -> None:
    assert split_mailbox(setting) == parts
