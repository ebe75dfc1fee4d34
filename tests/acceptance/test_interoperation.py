"""Real mail servers: what `send` sends arrives in their mailboxes, once each, octet for octet, its signatures valid.

TEST_MAIL_SERVERS names the folder where `.ci/run` unpacked them; see mail_servers. Between them the ports take mail in
every way we have: with CHUNKING (Postfix, Exim), with PIPELINING alone (Postfix, plain port), one command at a time.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dkim
import pytest
import trustme
from awkward_news import MAIL, fill_outbox, reader, readers
from builders import settings
from conftest import LONG, missing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dns_server import dns_server
from mail_servers import LARGEST, PASSWORD, SERVERS, USER, EximServer, MailServer, PostfixServer

from dispatcher.config import Settings
from dispatcher.config.settings import SubscriberEntry
from dispatcher.delivery.signing_key import strings_of
from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import Blame, DeliveryStatus, Outcome, OutcomeKind
from dispatcher.pipeline.context import Context, open_context
from dispatcher.pipeline.send import SendReport, send
from dispatcher.pipeline.signing_keys import keys_of
from dispatcher.store import suppressions
from dispatcher.store.engine import many

COUNT = 1000 if LONG else 100
UNPACKED = os.environ.get("TEST_MAIL_SERVERS", "")
LOGIN = {"username": USER, "password": PASSWORD, "ca_file": "ca.pem"}
KEYS = ("rsa", "ed25519")
TRACE = {b"received", b"return-path", b"delivered-to", b"x-original-to", b"authentication-results"}
"""Fields that a server puts before a message on its way, and no others."""

CA, STRANGER = trustme.CA(), trustme.CA()


def last_slot() -> datetime:
    """The last half past seven: signatures are judged by the machine's clock, and are no good before they are made."""
    now = datetime.now(UTC)
    today = now.replace(hour=7, minute=31, second=0, microsecond=0)
    return today if today < now else today - timedelta(days=1)


SLOT = last_slot()


@pytest.fixture(scope="module")
def records() -> dict[str, list[str]]:
    """What the DNS holds, as far as our servers can see."""
    return {}


@pytest.fixture(scope="module")
def resolver(records: dict[str, list[str]]) -> Iterator[str]:
    """The address of their name server. It has a number of its own for each process, because the port has to be 53."""
    if os.geteuid() != 0:
        missing("A mail server", "only root can start one in a file tree of its own")
    host = f"127.53.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
    with dns_server(records, at=(host, 53)):
        yield host


@pytest.fixture(scope="module", params=SERVERS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest, resolver: str) -> Iterator[MailServer]:
    """Each real server in turn."""
    unpacked = Path(UNPACKED, request.param.name)
    if not UNPACKED or not unpacked.is_dir():
        missing(f"The mail server {request.param.name}", "set TEST_MAIL_SERVERS to unpacked ones, as .ci/run does")
    with request.param(unpacked, CA, resolver) as running:
        yield running


@pytest.fixture
def mailbox(server: MailServer) -> MailServer:
    """The server, with nothing in its mailbox."""
    server.empty()
    return server


@pytest.fixture(scope="module")
def many_readers(tmp_path_factory: pytest.TempPathFactory, records: dict[str, list[str]]) -> Path:
    """A digest is due for everybody; our keys are published."""
    folder = _outbox(tmp_path_factory.mktemp("many"), readers(COUNT))
    for name, text in published(_settings(folder)).items():
        records[name] = [" ".join(f'"{part}"' for part in strings_of(text))]
    return folder


@pytest.fixture(scope="module")
def two_readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A digest is due for somebody, and for nobody."""
    return _outbox(tmp_path_factory.mktemp("two"), [reader("ann@reader.example"), reader("nobody@reader.example")])


def _outbox(folder: Path, people: list[SubscriberEntry]) -> Path:
    for name, key in zip(KEYS, (generate_private_key(65537, 2048), Ed25519PrivateKey.generate()), strict=True):
        (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / f"{name}.pem").chmod(0o600)
    CA.cert_pem.write_to_path(str(folder / "ca.pem"))
    STRANGER.cert_pem.write_to_path(str(folder / "stranger.pem"))
    asyncio.run(fill_outbox(folder, SLOT, people))
    return folder


# Everything arrives


@pytest.mark.parametrize("port", ["secure", "plain"])
def test_every_message_arrives_once_octet_for_octet_and_its_signatures_hold(
    mailbox: MailServer, many_readers: Path, tmp_path: Path, port: str
) -> None:
    sent = send_all(many_readers, tmp_path, **way_to(mailbox, port))
    assert (sent.report.sent, len(sent.messages)) == (COUNT, COUNT), Counter(row.reason for row in sent.rows)
    arrived = {message_id(message): message for message in mailbox.arrived(COUNT)}
    assert len(mailbox.arrived(COUNT)) == len(arrived) == COUNT
    verb = "bdat" if port == "secure" and "chunking" in mailbox.offers else "data"
    assert mailbox.taken(COUNT) == {verb: COUNT}
    records = published(sent.settings)
    for recipient, original in sent.messages:
        message = arrived[message_id(original)]
        assert message.endswith(original)
        trace = message.removesuffix(original)
        assert {name.lower() for name in re.findall(rb"^([!-9;-~]+):", trace, re.MULTILINE)} <= TRACE
        assert re.search(rb"\bfor <?%s>?;" % re.escape(in_a_command(recipient)), trace)
        assert holding(message, records) == set(KEYS)
        if isinstance(mailbox, EximServer):
            assert set(re.findall(rb"dkim=pass header.d=gazette.example header.s=(\w+)", trace)) == {b"rsa", b"ed25519"}


def test_a_report_that_comes_back_holds_what_we_asked_for(mailbox: MailServer) -> None:
    talk(mailbox, "bounced@reader.example", b"the body\r\n", envelope_id="d-17.2026")
    (report,) = mailbox.arrived(1)
    assert b"the body" not in report  # RET=HDRS
    assert re.search(rb"^Final-Recipient: rfc822; ?bounced@reader\.example\r$", report, re.MULTILINE)
    # OpenSMTPD takes ENVID and ORCPT, and forgets them.
    named = re.findall(rb"^original-(envelope-id|recipient): (.*)\r$", report, re.MULTILINE | re.IGNORECASE)
    given = [(b"envelope-id", b"d-17.2026"), (b"recipient", b"rfc822;bounced@reader.example")]
    assert sorted((name.lower(), value) for name, value in named) == (given if "envid" in mailbox.offers else [])


def test_an_address_beyond_ascii_is_taken_where_smtputf8_is_offered_and_refused_where_not(mailbox: MailServer) -> None:
    outcome = talk(mailbox, "jürgen@reader.example", b"hello\r\n")
    if "smtputf8" in mailbox.offers:
        assert outcome.kind is OutcomeKind.ACCEPTED
        assert "jürgen@reader.example".encode() in mailbox.arrived(1)[0]
    else:
        assert (outcome.kind, outcome.enhanced, outcome.blame) == (OutcomeKind.REJECTED, "5.6.7", Blame.MESSAGE)


# What does not


def test_an_unknown_reader_fails_and_is_not_written_to_again_where_that_is_what_was_said(
    mailbox: MailServer, two_readers: Path, tmp_path: Path
) -> None:
    sent = send_all(two_readers, tmp_path, **way_to(mailbox, "secure"))
    nobody = sent.row_of("nobody")
    says_no_more = mailbox.name == "opensmtpd"  # the same words as where it would not relay: a strike, no verdict
    assert sent.suppressed == ([] if says_no_more else ["nobody@reader.example"])
    assert (nobody.status, nobody.code) == (DeliveryStatus.FAILED, 550)
    assert sent.row_of("ann").status is DeliveryStatus.SENT


@pytest.mark.parametrize(
    ("port", "changes", "words"),
    [
        ("secure", {"password": "wrong"}, "535"),
        ("secure", {"ca_file": "stranger.pem"}, "certificate is not trusted"),
        ("secure", {"ca_file": "", "username": "", "password": "", "security": "none"}, "530"),
        ("plain", LOGIN, "no STARTTLS"),
        ("plain", {"security": "starttls"}, "no STARTTLS"),
    ],
    ids=["wrong password", "stranger", "in clear", "login in clear", "no TLS offered"],
)
def test_a_relay_that_cannot_be_used_costs_no_reader_anything(
    mailbox: MailServer, two_readers: Path, tmp_path: Path, port: str, changes: dict[str, str], words: str
) -> None:
    sent = send_all(two_readers, tmp_path, **way_to(mailbox, port) | changes)
    assert (sent.report.sent, sent.report.failed, sent.suppressed) == (0, 0, [])
    assert {row.status for row in sent.rows} <= {DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED}
    assert any(words in row.reason for row in sent.rows), sent.rows
    assert {row.attempts for row in sent.rows} == {0}


def test_a_message_that_is_too_big_is_refused_and_its_reader_is_not_to_blame(mailbox: MailServer) -> None:
    outcome = talk(mailbox, "ann@reader.example", b"big\r\n" * (LARGEST // 5))
    assert (outcome.kind, outcome.code, outcome.blame) == (OutcomeKind.REJECTED, 552, Blame.MESSAGE)
    # Postfix does not offer SIZE there: it is its own refusal, of what it was given.
    assert ("the relay takes" in outcome.text) is not isinstance(mailbox, PostfixServer)


# How it is done


@dataclass
class Recorder:
    """A transport that keeps what it hands on to the real one."""

    real: Any
    messages: list[tuple[str, bytes]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def send(self, envelope_from: str, recipient: str, message: bytes, **rest: Any) -> Outcome | None:
        """Keep, and hand on."""
        self.messages.append((recipient, bytes(message)))
        outcome: Outcome | None = await self.real.send(envelope_from, recipient, message, **rest)
        return outcome


@dataclass
class Sent:
    """What one pass of `send` did: its report, what was handed to the transport, the rows and addresses afterwards."""

    report: SendReport
    messages: list[tuple[str, bytes]]
    rows: list[Delivery]
    suppressed: list[str]
    settings: Settings

    def row_of(self, name: str) -> Delivery:
        """The delivery to a name."""
        (row,) = (row for row in self.rows if row.recipient.partition("@")[0] == name)
        return row


def way_to(server: MailServer, port: str) -> dict[str, Any]:
    """The settings of the relay."""
    if port == "plain":
        return {"port": server.plain_port}
    return {"port": server.secure_port, "delivery_reports": True, **LOGIN}


def send_all(outbox: Path, folder: Path, **relay: Any) -> Sent:
    """`dispatcher send` on a copy of an outbox, over one relay, with a DKIM key of each kind."""
    chosen = _settings(Path(shutil.copytree(outbox, folder / "outbox")), **relay)

    async def work() -> Sent:
        async with open_context(chosen, now=SLOT) as ctx:
            recorder = Recorder(ctx.transport)
            ctx.transport = recorder
            report = await send(ctx, SLOT)
            return Sent(report, recorder.messages, *await _aftermath(ctx), chosen)

    return asyncio.run(work())


async def _aftermath(ctx: Context) -> tuple[list[Delivery], list[str]]:
    async with ctx.store.read() as tx:
        return list(await many(tx, Delivery)), [found.address for found in await suppressions.every(tx)]


def _settings(folder: Path, **relay: Any) -> Settings:
    keys = [{"selector": name, "key_file": f"{name}.pem"} for name in KEYS]
    return settings(folder, mail=MAIL, smtp=[{"host": MailServer.host, "timeout": "20s", **relay}], dkim=keys)


def talk(server: MailServer, recipient: str, body: bytes, *, envelope_id: str = "") -> Outcome:
    """What becomes of one message to the plain port, by a transport that asks for delivery reports."""
    message = b"From: news@gazette.example\r\nSubject: hello\r\n\r\n" + body

    async def work() -> Outcome | None:
        relay = Relay(server.host, server.plain_port, helo="client.test", delivery_reports=True)
        transport = SmtpTransport(relay)
        try:
            return await transport.send("news@gazette.example", recipient, message, envelope_id=envelope_id)
        finally:
            await transport.close()

    outcome = asyncio.run(work())
    assert outcome is not None
    return outcome


def message_id(message: bytes) -> bytes:
    """The one Message-ID of a message."""
    head = message.partition(b"\r\n\r\n")[0] + b"\r\n"
    (found,) = re.findall(rb"^Message-ID:\s*(<[^>]+>)\r$", head, re.MULTILINE | re.IGNORECASE)
    return bytes(found)


def in_a_command(recipient: str) -> bytes:
    """The address as RCPT has it: the domain as A-labels."""
    local, _, domain = recipient.rpartition("@")
    return local.encode() + b"@" + (domain.encode() if domain.isascii() else domain.encode("idna"))


def published(chosen: Settings) -> dict[str, str]:
    """The TXT records that our keys ask for."""
    return {f"{key.selector}._domainkey.{key.domain}": key.record for key, _ in keys_of(chosen)}


def holding(message: bytes, records: dict[str, str]) -> set[str]:
    """The selectors of the signatures that an independent verifier finds good."""

    def record(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode().removesuffix(".")].encode()

    found = dkim.DKIM(message)
    selectors = re.findall(rb"^DKIM-Signature:(?:[^\r]|\r\n[ \t])*?\bs=([^;]+);", message, re.MULTILINE)
    return {name.decode() for place, name in enumerate(selectors) if _holds(found, place, record)}


def _holds(found: dkim.DKIM, place: int, record: Callable[..., bytes]) -> bool:
    with suppress(dkim.ValidationError):  # which is how it says that the body was changed
        return bool(found.verify(idx=place, dnsfunc=record))
    return False
