"""The wire: a message as octets, compared with what the standard library would have said."""

from __future__ import annotations

import email
import email.policy
import json
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from builders import rekept

from dispatcher.digest import kept
from dispatcher.digest.addresses import AddressError
from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.headers import HeaderError, message_id
from dispatcher.digest.render import Rendered, Templates, builtin_folder, fit
from dispatcher.digest.slots import Links, Slot
from dispatcher.digest.wire import Draft, Wire, compile, draft
from dispatcher.errors import TemplateError
from dispatcher.model.content import Story
from dispatcher.model.outbound import DigestContent, Newsletter, Personal, Section
from dispatcher.model.values import DeliveryKind

SLOT = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
NEWSLETTER = Newsletter(
    slug="lantern",
    name="The Larkmere Lantern",
    sender="The Larkmere Lantern <news@lantern.example>",
    reply_to="Desk <desk@lantern.example>",
    list_id="lantern.lantern.example",
)
CONTENT = DigestContent(
    DeliveryKind.DIGEST, "de", "Europe/Berlin", "daily at 07:30", SLOT,
    (Section("Energie", (Story("Ein Wärmenetz für die Oststadt", "https://lantern.example/1", "Ab Herbst."),)),),
)  # fmt: skip
SMUGGLED = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r\n", "\n..\n", ".\n", "\x00\n.\n"]


def slot(source: str) -> Slot:
    return Slot(source, "email/digest.txt.j2", 7)


def wire(text: str = "text\n", html: str = "<p>html</p>\n", subject: str = "Subject", **changes: object) -> Wire:
    """A wire of these three; `§…§` in them is a personal block."""
    return drafted(text, html, subject, **changes).wire()


def drafted(text: str, html: str, subject: str, **changes: object) -> Draft:
    """The same as a draft."""

    def pieces(source: str) -> tuple[str | Slot, ...]:
        parts = enumerate(source.split("§"))
        return tuple(slot(part) if number % 2 else part for number, part in parts if part)

    made = Rendered(pieces(subject), pieces(text), pieces(html))
    return draft(made, NEWSLETTER, replace(CONTENT, **changes))


def envelope(**changes: object) -> Envelope:
    made = Envelope(
        recipient="zoe@reader.example",
        personal=Personal("Zoë Ångström", "zoe@reader.example", ("Energie",), "daily at 07:30"),
        message_id=message_id("key", b"secret", "lantern.example"),
        dated_at=SLOT,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def ours() -> Templates:
    return Templates([builtin_folder()])


@pytest.fixture(scope="module")
def real(ours: Templates) -> bytes:
    """A message made by our own templates."""
    return assemble(compile(fit(CONTENT, NEWSLETTER, ours), NEWSLETTER, CONTENT), envelope())


def parsed(octets: bytes) -> EmailMessage:
    """The message, read without a defect by both of the library's parsers."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    old = email.message_from_bytes(octets)
    for part in (*message.walk(), *old.walk()):
        assert not part.defects
        assert all(not getattr(value, "defects", ()) for value in part.values())
    assert isinstance(message, EmailMessage)
    return message


def contents(octets: bytes) -> tuple[str, str]:
    """Both parts decoded, with plain line ends."""
    plain, html = (part.get_content().replace("\r\n", "\n") for part in parsed(octets).iter_parts())
    return plain, html


class TestOracle:
    def test_a_message_says_what_the_standard_library_would_have_said(self) -> None:
        octets = assemble(
            wire(
                "Grüße, §{{ subscriber.name }}§!\n",
                "<p>§{{ subscriber.name }}§ &amp; Söhne</p>\n",
                "Für §{{ cadence }}§",
            ),
            envelope(headers={"X-Campaign": "lantern 1"}),
        )
        theirs = EmailMessage()
        theirs["From"] = Address("The Larkmere Lantern", "news", "lantern.example")
        theirs["To"] = Address("Zoë Ångström", "zoe", "reader.example")
        theirs["Subject"] = "Für daily at 07:30"
        theirs["Date"] = SLOT
        theirs["Message-ID"] = envelope().message_id
        theirs["X-Campaign"] = "lantern 1"
        theirs["Reply-To"] = Address("Desk", "desk", "lantern.example")
        theirs["List-Id"] = "The Larkmere Lantern <lantern.lantern.example>"
        theirs["List-Post"] = "NO"
        theirs["Feedback-ID"] = "digest:list-lantern:znsuky5j7fjy"  # whoever changes it loses what was counted by it
        theirs["Precedence"] = "bulk"
        theirs["Auto-Submitted"] = "auto-generated"
        theirs.set_content("Grüße, Zoë Ångström!\n")
        theirs.add_alternative("<p>Zoë Ångström &amp; Söhne</p>\n", subtype="html")
        ours = parsed(octets)
        theirs = parsed(theirs.as_bytes(policy=email.policy.SMTP))
        boundary = ours.get_boundary()
        theirs.set_boundary(str(boundary))
        assert {k: str(v) for k, v in ours.items()} == {k: str(v) for k, v in theirs.items()}
        assert len(ours.items()) == len(theirs.items())
        for mine, other in zip(ours.iter_parts(), theirs.iter_parts(), strict=True):
            assert mine.get_content() == other.get_content()
            assert mine.get_content_type() == other.get_content_type()
            assert mine.get_content_charset() == other.get_content_charset() == "utf-8"

    def test_our_own_mail_parses_and_shows_what_it_should(self, real: bytes) -> None:
        message = parsed(real)
        assert message["subject"].strip() == "Ein Wärmenetz für die Oststadt"
        text, html = contents(real)
        assert "Sonntag, 22. November 2026 · Für Zoë Ångström · 1 Beitrag" in text
        assert "Ein Wärmenetz für die Oststadt</a>" in html


class TestFormat:
    def test_f1_lines_are_short_and_end_in_crlf_only(self, real: bytes) -> None:
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", real)
        head = real.partition(b"\r\n\r\n")[0]
        assert all(len(line) <= 78 for line in head.split(b"\r\n"))

    def test_f2_each_header_stands_exactly_once_and_to_is_the_one_recipient(self, real: bytes) -> None:
        message = parsed(real)
        names = [name.lower() for name in message]
        assert len(names) == len(set(names))
        assert {"from", "to", "date", "message-id", "subject", "mime-version"} <= set(names)
        assert "sender" not in names
        assert [a.addr_spec for a in message["to"].addresses] == ["zoe@reader.example"]

    def test_f3_the_date_is_the_envelopes_in_a_numeric_zone(self) -> None:
        there = SLOT.astimezone(timezone(timedelta(hours=9)))
        assert b"\r\nDate: Sun, 22 Nov 2026 06:30:00 +0000\r\n" in assemble(wire(), envelope(dated_at=there))

    def test_f4_the_message_id_is_the_envelopes(self) -> None:
        assert f"Message-ID: {envelope().message_id}\r\n".encode() in assemble(wire(), envelope())

    def test_f5_text_comes_first_and_html_last_and_the_boundary_is_in_neither(self) -> None:
        made = wire("=_ --=_ \n--=_0\n", "<p>--=_</p>\n")
        message = parsed(assemble(made, envelope()))
        assert message.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]
        assert len(made.boundary) <= 70
        assert assemble(made, envelope()).count(made.boundary.encode()) == 4

    @pytest.mark.parametrize(
        "text", ["plain words " * 40, "Wärme " * 40, "漢字かな" * 60, "x" * 500, "=" * 200, "é." * 99]
    )
    def test_f6_only_quoted_printable_or_base64_and_lines_at_most_76(self, text: str) -> None:
        octets = assemble(wire(f"{text}\n", f"<p>{text}§{text}§{text}</p>\n"), envelope())
        assert octets.isascii()
        assert all(len(line) <= 76 for line in octets.partition(b"\r\n\r\n")[2].split(b"\r\n"))
        encodings = [part["content-transfer-encoding"] for part in parsed(octets).iter_parts()]
        assert set(encodings) <= {"quoted-printable", "base64"}
        assert contents(octets) == (f"{text}\n", f"<p>{text * 3}</p>\n")

    def test_f6_the_smaller_encoding_is_chosen_for_each_part(self) -> None:
        message = parsed(assemble(wire("漢字かな交じり文\n" * 9, "<p>" + "a" * 99 + "</p>\n"), envelope()))
        encodings = [part["content-transfer-encoding"] for part in message.iter_parts()]
        assert encodings == ["base64", "quoted-printable"]

    def test_f7_header_text_is_encoded_words(self) -> None:
        octets = assemble(wire(subject="Wärme " * 30), envelope())
        assert octets.partition(b"\r\n\r\n")[0].isascii()
        assert parsed(octets)["subject"] == ("Wärme " * 30).strip()
        assert parsed(octets)["to"].addresses[0].display_name == "Zoë Ångström"

    def test_f8_a_domain_becomes_a_labels_and_a_local_part_beyond_ascii_stands_as_it_is(self) -> None:
        octets = assemble(wire(), envelope(recipient="zoe@bücher.example"))
        assert octets.isascii()
        assert parsed(octets)["to"].addresses[0].addr_spec == "zoe@xn--bcher-kva.example"
        octets = assemble(wire(), envelope(recipient="zoë@bücher.example"))
        head, _, body = octets.partition(b"\r\n\r\n")
        assert "<zoë@xn--bcher-kva.example>".encode() in head
        assert body.isascii()
        with pytest.raises(AddressError) as caught:
            assemble(wire(), envelope(recipient="zo ë@reader.example"))
        assert caught.value.enhanced == "5.1.3"


class TestLists:
    def test_l1_list_id_is_the_newsletters(self, real: bytes) -> None:
        assert parsed(real)["list-id"] == "The Larkmere Lantern <lantern.lantern.example>"

    def test_l10_nobody_posts_to_a_list_and_a_letter_to_one_person_has_no_list(self, real: bytes) -> None:
        assert parsed(real)["list-post"] == "NO"
        single = parsed(assemble(wire(kind=DeliveryKind.CONFIRMATION), envelope()))
        assert not [name for name in single if name.lower().startswith("list-")]
        assert single["precedence"] is None

    def test_l11_auto_submitted_and_precedence_keep_vacation_programs_quiet(self, real: bytes) -> None:
        message = parsed(real)
        assert message.get_all("auto-submitted") == ["auto-generated"]
        assert message.get_all("precedence") == ["bulk"]


class TestSmuggling:
    @pytest.mark.parametrize("trick", SMUGGLED)
    def test_s8_nothing_ends_a_message_early(self, trick: str) -> None:
        evil = f"before{trick}MAIL FROM:<x@y.example>\nafter{trick}"
        made = wire(f"{evil}§{{{{ subscriber.name }}}}§{evil}\n", f"<p>{evil}§.{evil}§.</p>\n", f"s{evil}")
        octets = assemble(made, envelope(personal=Personal(f"n{evil}", "zoe@reader.example")))
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", octets)
        assert not re.search(rb"(^|\n)\.", octets)
        message = parsed(octets)
        assert len(list(message.iter_parts())) == 2
        assert set(message) >= {"To", "Subject"}
        assert "MAIL FROM" in message["subject"]

    @pytest.mark.parametrize("bad", ["\r\n", "\n", "\r", "\x00", "\x0b"])
    @pytest.mark.parametrize("field", ["recipient", "message_id", "header"])
    def test_s9_a_control_character_in_an_address_or_protocol_value_is_refused(self, field: str, bad: str) -> None:
        evil = {
            "recipient": {"recipient": f"zoe@reader.example{bad}Bcc: x@y.example"},
            "message_id": {"message_id": f"<1@l.example>{bad}Bcc: x@y.example"},
            "header": {"headers": {"X-Tag": f"a{bad}Bcc: x@y.example"}},
        }[field]
        with pytest.raises((AddressError, HeaderError)):
            assemble(wire(), envelope(**evil))

    @pytest.mark.parametrize("name", ["Subject", "FROM", "content-type", "bcc"])
    def test_a_further_header_may_not_double_one_of_ours(self, name: str) -> None:
        with pytest.raises(HeaderError, match="set by the message itself"):
            assemble(wire(), envelope(headers={name: "x"}))

    def test_a_name_cannot_add_a_header(self) -> None:
        message = parsed(assemble(wire(), envelope(personal=Personal("Eve\r\nBcc: x@y.example", "e@y.example"))))
        assert "bcc" not in message
        assert message["to"].addresses[0].addr_spec == "zoe@reader.example"


class TestCanonical:
    @pytest.mark.parametrize(
        "text", ["a  b\tc   \n\n\n d \n" * 5, " \n \n", "From here\n.\n..\n", "x" * 74 + " y\n" + "z" * 73 + ".\n."]
    )
    def test_the_body_is_relaxed_canonical_as_it_stands(self, text: str) -> None:
        octets = assemble(wire(f"{text}§{{{{ subscriber.name }}}}  §  {text}\n", f"<pre>{text}</pre>\n"), envelope())
        body = octets.partition(b"\r\n\r\n")[2]
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
        assert b"\r\n".join(lines) == body
        assert body.endswith(b"--\r\n")
        assert not body.endswith(b"\r\n\r\n")
        assert not re.search(rb"(^|\n)(\.|From )", body)
        assert contents(octets)[0] == f"{text}Zoë Ångström    {text}\n"


class TestKeeping:
    def test_a_wire_survives_json_and_gives_the_same_octets(self) -> None:
        name = "§{{ subscriber.name }}§"
        made = drafted(f"Grüße {name}\n", "漢字" * 200 + "§{{ topics|listed }}§\n", f"{name} 🚲")
        assert rekept(made) == made.wire()
        assert assemble(rekept(made), envelope()) == assemble(made.wire(), envelope())

    def test_a_wire_of_the_format_before_is_read(self) -> None:
        made = wire("Grüße §{{ subscriber.name }}§\n")
        old = json.dumps({"format": 1, **asdict(made)})
        assert kept.loads(old) == made
        assert assemble(made, envelope()) == assemble(kept.loads(old), envelope())  # type: ignore[arg-type]

    def test_a_wire_of_another_version_is_refused(self) -> None:
        with pytest.raises(ValueError, match="another version"):
            kept.loads(json.dumps({"format": 3, **asdict(wire())}))

    def test_the_same_content_gives_the_same_octets_and_other_content_another_boundary(self, ours: Templates) -> None:
        first, second = (compile(ours.render(CONTENT, NEWSLETTER), NEWSLETTER, CONTENT) for _ in range(2))
        again = compile(Templates([builtin_folder()]).render(CONTENT, NEWSLETTER), NEWSLETTER, CONTENT)
        assert first.boundary != wire().boundary
        assert len({w.boundary for w in (first, second, again)}) == 1
        assert len({assemble(w, envelope()) for w in (first, second, again)}) == 1

    def test_only_slots_differ_between_readers(self) -> None:
        made = wire("Shared words.\nDear §{{ subscriber.name }}§\n")
        ada = assemble(made, envelope(personal=Personal("Ada")))
        bob = assemble(made, envelope(personal=Personal("Bob")))
        assert ada.replace(b"Ada", b"Bob") == bob


class TestSlots:
    def test_a_slot_speaks_the_digests_language_and_knows_the_newsletter_and_the_links(self) -> None:
        source = '§{{ _("Unsubscribe") }} {{ newsletter.name }} {{ cadence|cadence }} {{ links.unsubscribe }}§\n'
        octets = assemble(wire(source), envelope(links=Links(unsubscribe="https://l.example/u")))
        assert contents(octets)[0] == "Abbestellen The Larkmere Lantern täglich um 07:30 https://l.example/u\n"

    def test_a_reader_whose_address_is_not_among_the_personal_data_is_known_by_the_envelope(self) -> None:
        assert (
            contents(assemble(wire("§{{ subscriber.email }}§\n"), envelope(personal=Personal())))[0]
            == "zoe@reader.example\n"
        )

    def test_an_empty_slot_leaves_nothing_behind(self) -> None:
        assert contents(assemble(wire("a§§b§{{ links.view }}§c\n"), envelope()))[0] == "abc\n"

    def test_an_empty_subject_falls_back_to_the_newsletters_name(self) -> None:
        assert parsed(assemble(wire(subject="§{{ links.view }}§"), envelope()))["subject"] == "The Larkmere Lantern"

    def test_a_slot_that_fails_for_a_reader_names_file_and_line(self) -> None:
        with pytest.raises(TemplateError, match=r"email/digest\.txt\.j2:8: "):
            assemble(wire("§\n{{ topics[3] }}§\n"), envelope())

    def test_a_reader_without_a_name_is_written_to_by_address_alone(self) -> None:
        assert b"\r\nTo: zoe@reader.example\r\n" in assemble(wire(), envelope(personal=Personal()))
