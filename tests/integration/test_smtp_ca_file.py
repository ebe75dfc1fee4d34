"""`ca_file`: a relay with a certificate of a private authority, trusted by name and demanded."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from builders import settings
from smtp_server import SmtpServer

from dispatcher.delivery.smtp import Relay, Security, SmtpTransport
from dispatcher.errors import TransportError
from dispatcher.model.values import OutcomeKind
from dispatcher.pipeline.context import open_context

CA, STRANGER = trustme.CA(), trustme.CA()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """The private authority's certificate."""
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


async def outcome_of(server: SmtpServer, ca_file: str, security: str = "auto") -> tuple[OutcomeKind, str]:
    """What becomes of a message, and in what words."""
    relay = Relay(server.host, server.port, Security(security), ca_file=ca_file, helo="client.test", timeout=5)
    transport = SmtpTransport(relay)
    try:
        outcome = await transport.send("news@gazette.example", "ann@reader.example", b"Subject: x\r\n\r\nx\r\n")
    finally:
        await transport.close()
    assert outcome is not None
    return outcome.kind, outcome.text


def certified(by: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    by.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("security", ["auto", "starttls"])
async def test_a_relay_of_a_private_authority_is_trusted(ca_file: str, security: str) -> None:
    async with SmtpServer(tls=certified(CA)) as server:
        kind, _ = await outcome_of(server, ca_file, security)
        assert (kind, server.messages[0].tls) == (OutcomeKind.ACCEPTED, True)


async def test_nobody_else_is_trusted_any_more(ca_file: str) -> None:
    async with SmtpServer(tls=certified(STRANGER)) as server:
        kind, words = await outcome_of(server, ca_file)
        assert (kind, server.messages) == (OutcomeKind.DEFERRED, [])
        assert "the certificate is not trusted" in words


async def test_a_relay_that_offers_no_tls_gets_nothing(ca_file: str) -> None:
    async with SmtpServer() as server:
        kind, words = await outcome_of(server, ca_file)
        assert (kind, server.messages) == (OutcomeKind.DEFERRED, [])
        assert "offers no STARTTLS" in words


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), ("Dear diary", "there is no certificate in it")]
)
async def test_a_file_that_is_of_no_use_is_told_of_at_once(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    chosen = settings(tmp_path, smtp=[{"host": "127.0.0.1", "ca_file": "ca.pem"}])
    with pytest.raises(TransportError, match=words) as caught:
        async with open_context(chosen):
            pass
    assert str(tmp_path / "ca.pem") in str(caught.value)


def test_it_does_not_go_together_with_no_security_at_all(ca_file: str) -> None:
    with pytest.raises(TransportError, match="ca_file is for TLS"):
        Relay("127.0.0.1", security=Security.NONE, ca_file=ca_file)
