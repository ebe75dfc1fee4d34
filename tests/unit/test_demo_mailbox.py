"""What the demo's inbox makes of messages, the odd ones included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatcher.demo import archive
from dispatcher.demo.mailbox import Mailbox
from dispatcher.demo.pages import page
from dispatcher.web.viewer.mail import Mail, read
from dispatcher.web.viewer.panes import View

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def mail(raw: bytes) -> Mail:
    return read(raw, number=1, recipient="ada@reader.example", at=NOW)


def test_a_mail_is_taken_apart_into_what_a_mail_program_shows() -> None:
    raw = (
        b"From: =?utf-8?q?C=C3=A9line?= <c@larkmere.example>\r\nSubject: =?utf-8?q?Le_mus=C3=A9e?=\r\n"
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nPlain\r\n"
        b"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"<html><head><style>p{}</style></head><body><div>Caf=C3=A9&#847;&zwnj;&nbsp;</div><p>open</p>\r\n--b--\r\n"
    )
    found = mail(raw)
    assert (found.sender, found.subject) == ("Céline <c@larkmere.example>", "Le musée")
    assert found.text.strip() == "Plain"
    assert found.snippet() == "Café"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"\xff\xfe\x00",
        b"Subject: \xff\xfe\r\n\r\nx",
        b"Content-Type: text/html; charset=klingon\r\n\r\n<p>\xff</p>",
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n&&&",
        b"From: <@@>,,;:\r\nTo: \r\nDate: never\r\nMessage-ID: <\r\nContent-Type: /\r\n\r\nx",
        b"Subject: " + b"=?utf-8?b?" * 50 + b"\r\n\r\n" + b"<" * 5000,
    ],
)
def test_no_mail_is_too_broken_to_be_shown(raw: bytes) -> None:
    found = mail(raw)
    for view in View:
        page([found], accounts=[], hint="", mail=found, view=view).encode("utf-8")


def test_the_oldest_mails_give_way_in_number_and_in_bytes() -> None:
    few, small = Mailbox(most=2), Mailbox(most_bytes=10)
    for number in range(5):
        few.keep(b"x", "a@reader.example", NOW)
        small.keep(b"x" * (4 + number), "a@reader.example", NOW)
    assert [kept.number for kept in few.mails] == [5, 4]
    assert [kept.number for kept in small.mails] == [5]
    assert few.find(5) is few.mails[0]
    assert few.find(1) is None


def test_file_names_lose_their_accents_and_never_their_sense() -> None:
    assert archive._slug("Le musée, à la lampe!") == "le-musee-a-la-lampe"
    assert archive._slug("東京") == "mail"
