"""Whatever readers, titles and addresses are, a message is well formed and says what went into it."""

from __future__ import annotations

import base64 as oracle
import email
import email.policy
import html
import quopri
import re
from datetime import UTC, datetime

from builders import rekept
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.digest.assembly import Envelope, assemble
from dispatcher.digest.headers import one_line
from dispatcher.digest.render import Rendered, tidy
from dispatcher.digest.slots import Slot
from dispatcher.digest.transfer import base64, quoted_printable
from dispatcher.digest.wire import draft
from dispatcher.model.outbound import DigestContent, Newsletter, Personal
from dispatcher.model.values import DeliveryKind

NEWSLETTER = Newsletter(slug="l", name="Lantern", sender="Lantern <n@lantern.example>", list_id="l.lantern.example")
CONTENT = DigestContent(DeliveryKind.DIGEST, "en", "UTC", "hourly", datetime(2026, 11, 22, tzinfo=UTC), ())
NAME = Slot("{{ subscriber.name }}", "email/digest.txt.j2", 1)

awkward = st.sampled_from("a .=\n\r\té漢🚲\x00-_<>&F")
anything = st.text(st.characters(), max_size=200) | st.text(awkward, max_size=400)
pieces = st.lists(anything.map(tidy) | st.just(NAME), max_size=6).map(tuple)


def text_of(parts: tuple[str | Slot, ...], name: str) -> str:
    return "".join(name if isinstance(part, Slot) else part for part in parts)


def parsed(octets: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert not any(part.defects for part in message.walk())
    return message


@given(pieces, pieces, pieces, anything)
def test_every_message_is_clean_and_says_what_went_into_it(
    subject: tuple[str | Slot, ...], text: tuple[str | Slot, ...], page: tuple[str | Slot, ...], name: str
) -> None:
    made = draft(Rendered(subject, text, page), NEWSLETTER, CONTENT)
    wire = made.wire()
    envelope = Envelope("zoe@reader.example", Personal(name), "<1@lantern.example>", CONTENT.slot_at)
    octets = assemble(wire, envelope)

    assert octets == assemble(rekept(made), envelope)
    assert octets.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00|[ \t]\r\n|(^|\n)\.", octets)
    head, _, body = octets.partition(b"\r\n\r\n")
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    assert not re.search(rb"  |\t", body)

    message = parsed(octets)
    assert len(message.keys()) == len(set(message.keys()))
    plain, styled = (part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in message.iter_parts())
    assert plain == text_of(text, tidy(name))
    assert html.unescape(styled) == html.unescape(text_of(page, tidy(html.escape(name))))
    assert _plain(message["subject"]) == _plain(one_line(text_of(subject, name)) or "Lantern")


def _plain(value: str) -> str:
    """Python's parser takes liberties with blanks of every kind between encoded words."""
    return "".join(str(value).split())


@given(st.text(st.characters(), max_size=500).map(tidy))
def test_both_encodings_decode_to_the_text(text: str) -> None:
    wire = text.replace("\n", "\r\n").encode()
    assert quopri.decodestring(quoted_printable(text).encode()) == wire
    assert oracle.b64decode(base64(text)) == wire


@given(st.lists(st.text(st.characters(), max_size=90).map(tidy), max_size=5))
def test_quoted_printable_pieces_may_be_joined_anywhere(parts: list[str]) -> None:
    joined = "".join(map(quoted_printable, parts))
    assert quopri.decodestring(joined.encode()) == "".join(parts).replace("\n", "\r\n").encode()
    assert all(len(line) <= 76 for line in joined.split("\r\n"))
