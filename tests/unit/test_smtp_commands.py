"""MAIL and RCPT as a relay takes them, and messages as DATA takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.delivery.commands import Announcement, Terms, announce
from dispatcher.delivery.envelope import Envelope, Vetted, prepare
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.model.values import Outcome

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"


def _said(offers: dict[str, str], *, reports: bool = False, **known: str) -> tuple[str, str]:
    envelope = Envelope(**{"sender": FROM, "recipient": TO, **known}, message=MESSAGE)
    announcement = announce(envelope, Terms.of(offers, reports=reports))
    assert isinstance(announcement, Announcement)
    return announcement.mail.decode(), announcement.rcpt.decode()


def test_nothing_is_said_that_was_not_offered() -> None:
    assert _said({}, reports=True) == (f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>")


@pytest.mark.parametrize("limit", ["", "0", "24", "much", " 1000 ", "-1", "1" * 5000, "²"])
def test_f10_a_size_is_said_where_it_fits(limit: str) -> None:
    assert _said({"size": limit})[0] == f"MAIL FROM:<{FROM}> SIZE={len(MESSAGE)}"


def test_f10_a_message_beyond_the_limit_is_refused() -> None:
    outcome = announce(Envelope(FROM, TO, MESSAGE), Terms.of({"size": "23"}))
    assert isinstance(outcome, Outcome)
    assert (outcome.code, outcome.enhanced) == (552, "5.3.4")


def test_s13_reports_are_asked_for_only_when_wanted() -> None:
    assert _said({"dsn": ""})[1] == f"RCPT TO:<{TO}>"
    mail, rcpt = _said({"dsn": ""}, reports=True, envelope_id="d 1+2=3")
    assert mail == f"MAIL FROM:<{FROM}> RET=HDRS ENVID=d+201+2B2+3D3"
    assert rcpt == f"RCPT TO:<{TO}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{TO}"


def test_s13_an_original_recipient_that_cannot_be_written_is_left_out() -> None:
    offers = {"dsn": "", "smtputf8": ""}
    assert _said(offers, reports=True, recipient="аня@example.org")[1].endswith(" NOTIFY=FAILURE,DELAY")
    assert _said(offers, reports=True, recipient=f"{'+' * 170}@example.org")[1].endswith(" NOTIFY=FAILURE,DELAY")


@pytest.mark.parametrize("envelope_id", ["x" * 101, "d\r\n", "é"])
def test_s13_an_id_that_no_report_could_carry_is_a_bug(envelope_id: str) -> None:
    with pytest.raises(ValueError, match="envelope id"):
        announce(Envelope(FROM, TO, MESSAGE, envelope_id), Terms.of({"dsn": ""}, reports=True))


@given(lines=st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"x"])))
def test_s8_dots_that_begin_a_line_are_doubled_and_come_back(lines: list[bytes]) -> None:
    message = b"\r\n".join(lines) + b"\r\n"
    dotted = Envelope(FROM, TO, message).dotted
    assert all(line != b"." for line in dotted.split(b"\r\n"))
    assert b"\r\n".join(line.removeprefix(b".") for line in dotted.split(b"\r\n")) == message


def test_a_vetted_message_is_not_gone_through_again() -> None:
    vetted = Vetted(MESSAGE)
    envelope = prepare(FROM, TO, vetted)
    assert isinstance(envelope, Envelope)
    assert envelope.message is vetted
    assert envelope.dotted is vetted


@given(octets=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"x" * 998]), max_size=12).map(b"".join))
def test_f1_the_quick_look_at_a_message_sees_what_a_slow_one_would(octets: bytes) -> None:
    message = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
    lines = message.split(b"\r\n")
    is_lawful = all(b"\r" not in line and b"\n" not in line and len(line) <= 998 for line in lines)
    assert isinstance(prepare(FROM, TO, octets), Envelope) is is_lawful


async def test_the_transport_in_memory_takes_a_last_look_and_keeps_the_id() -> None:
    async def no() -> bool:
        return False

    transport = MemoryTransport()
    assert await transport.send(FROM, TO, MESSAGE, ready=no) is None
    assert transport.messages == []
    assert await transport.send(FROM, TO, MESSAGE, envelope_id="d-1") is not None
    assert transport.messages[0].envelope_id == "d-1"
    assert transport.max_sends == transport.max_connections
