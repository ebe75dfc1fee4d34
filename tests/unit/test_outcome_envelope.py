"""What may go on the wire at all."""

from __future__ import annotations

import pytest

from dispatcher.delivery.envelope import Envelope, prepare
from dispatcher.delivery.memory import MemoryTransport
from dispatcher.delivery.relay import Encryption, Relay, Security
from dispatcher.errors import TransportError
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "a@b.example\n",
        "a\0@b.example",
        "a@b.example> SIZE=1 <c@d.example",
        "a b@c.example",
        '"a"b"@c.example',
        '"a\r\nb"@c.example',
        "a@b@c.example",
        "a@",
        "@b.example",
        "nobody",
        "",
        "a@b\u2028.example",
        "a\x85@b.example",
        "a@-\u00df-.example",
        "a@\u00e4..example",
        "a\ud800@b.example",
        '"a\udcff"@b.example',
        "a@\udcff.example",
    ],
)
def test_an_address_that_could_break_out_of_its_command_is_refused_unsent(address: str) -> None:
    outcome = prepare(FROM, address, MESSAGE)
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.enhanced, outcome.blame) == (OutcomeKind.REJECTED, "5.1.3", Blame.ADDRESS)
    if address:
        outcome = prepare(address, TO, MESSAGE)
        assert isinstance(outcome, Outcome)
        assert (outcome.kind, outcome.enhanced, outcome.blame) == (OutcomeKind.REJECTED, "5.1.7", Blame.MESSAGE)


@pytest.mark.parametrize(
    ("address", "on_the_wire"),
    [
        ("ann@example.org", "ann@example.org"),
        ("O'Hara+news=a@example.org", "O'Hara+news=a@example.org"),
        ('"ann lee"@example.org', '"ann lee"@example.org'),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("ann@under_score.example", "ann@under_score.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("аня@почта.рф", "аня@xn--80a1acny.xn--p1ai"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_an_address_goes_out_as_it_is_but_for_its_domain_as_a_labels(address: str, on_the_wire: str) -> None:
    envelope = prepare(FROM, address, MESSAGE)
    assert isinstance(envelope, Envelope)
    assert envelope.recipient == on_the_wire
    assert envelope.needs_utf8 is not on_the_wire.isascii()


def test_the_null_sender_is_allowed() -> None:
    envelope = prepare("", TO, MESSAGE)
    assert isinstance(envelope, Envelope)
    assert envelope.sender == ""


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\n\r\nBody\r\n",
        b"Subject: x\r\r\n\r\nBody\r\n",
        b"Subject: x\r\n\r\nBody\r\n.\n",
        b"Subject: x\r\n\r\nBody\n.\r\nMAIL FROM:<a@b>\r\n",
        b"Subject: x\r\n\r\nBody\r.\r\r\n",
        b"Subject: x\r\n\r\nBody\r\n\r",
        b"Subject: x\r\n\r\nB\0dy\r\n",
        b"Subject: x\r\n\r\n" + b"a" * 999 + b"\r\n",
    ],
)
def test_f1_octets_that_no_message_may_hold_are_refused_as_the_messages_fault(message: bytes) -> None:
    outcome = prepare(FROM, TO, message)
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.enhanced, outcome.blame) == (OutcomeKind.REJECTED, "5.6.0", Blame.MESSAGE)


def test_the_longest_lawful_line_passes_and_a_missing_last_line_end_is_added() -> None:
    envelope = prepare(FROM, TO, b"Subject: x\r\n\r\n" + b"a" * 998)
    assert isinstance(envelope, Envelope)
    assert envelope.message.endswith(b"a\r\n")


def test_8bit_and_utf8_headers_are_noticed() -> None:
    eight = prepare(FROM, TO, b"Subject: x\r\n\r\ncaf\xc3\xa9\r\n")
    header = prepare(FROM, TO, "Subject: café\r\n\r\nx\r\n".encode())
    assert isinstance(eight, Envelope)
    assert isinstance(header, Envelope)
    assert (eight.is_8bit, eight.needs_utf8) == (True, False)
    assert (header.is_8bit, header.needs_utf8) == (True, True)


@pytest.mark.parametrize(
    ("security", "port", "password", "encryption"),
    [
        ("auto", 25, "", Encryption.WHEN_OFFERED),
        ("auto", 2525, "", Encryption.WHEN_OFFERED),
        ("auto", 25, "secret", Encryption.STARTTLS),
        ("auto", 587, "", Encryption.STARTTLS),
        ("auto", 465, "", Encryption.FROM_THE_START),
        ("auto", 465, "secret", Encryption.FROM_THE_START),
        ("none", 25, "", Encryption.NEVER),
        ("none", 465, "", Encryption.NEVER),
        ("starttls", 465, "", Encryption.STARTTLS),
        ("tls", 587, "secret", Encryption.FROM_THE_START),
    ],
)
def test_s10_security_comes_to_the_right_encryption(
    security: str, port: int, password: str, encryption: Encryption
) -> None:
    relay = Relay(
        "mail.example", port, security=Security(security), username="news" if password else "", password=password
    )
    assert relay.encryption is encryption


@pytest.mark.parametrize("host", ["mail.example", "localhost", "127.0.0.1"])
def test_s10_a_password_without_encryption_is_refused_even_on_loopback(host: str) -> None:
    with pytest.raises(TransportError, match="never sent in clear"):
        Relay(host, security=Security.NONE, username="news", password="secret")


@pytest.mark.parametrize(("username", "password"), [("news", ""), ("", "secret")])
def test_half_a_login_is_refused(username: str, password: str) -> None:
    with pytest.raises(TransportError, match="together"):
        Relay("mail.example", username=username, password=password)


def test_a_password_does_not_show_in_a_relays_repr() -> None:
    assert "secret" not in repr(Relay("mail.example", 587, username="news", password="secret"))


async def test_the_memory_transport_keeps_messages_and_follows_its_script() -> None:
    busy = Outcome(OutcomeKind.DEFERRED, 451, "4.3.0", "busy")
    transport = MemoryTransport({TO: [busy]})
    assert await transport.send(FROM, TO, MESSAGE) == busy
    assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
    assert (await transport.send(FROM, "broken", MESSAGE)).kind is OutcomeKind.REJECTED
    await transport.close()
    assert [(kept.recipient, kept.data) for kept in transport.messages] == [(TO, MESSAGE)]
