"""A catalogue of server misbehaviours: each leads to the one right Outcome, on a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from smtp_server import Act, Script, SmtpServer, Then, always, for_recipients, in_turn

from dispatcher.delivery.outcomes import RELAY_CODES, TOO_MANY
from dispatcher.delivery.rules import BY_CODE, EXCEPTIONS
from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\nTo: ann@example.org\r\n\r\n.dots\r\n..\r\nand an end\r\n.\r\n"

ACCEPTED, DEFERRED, REJECTED, UNCERTAIN = OutcomeKind
NOBODY, ADDRESS, SOFT, MESSAGES, RELAY = Blame


@asynccontextmanager
async def _transport(server: SmtpServer, **settings: Any) -> AsyncIterator[SmtpTransport]:
    settings = {"helo": "client.test", "timeout": 5.0, "end_of_data_timeout": 5.0, **settings}
    transport = SmtpTransport(Relay(server.host, server.port, **settings))
    try:
        yield transport
    finally:
        await transport.close()


async def _outcome(script: Script | None, *, message: bytes = MESSAGE, to: str = TO, **settings: Any) -> Outcome:
    """What comes of one message to a server that follows the script; nothing may have been kept unless accepted."""
    async with SmtpServer(script=script) as server, _transport(server, **settings) as transport:
        outcome = await transport.send(FROM, to, message)
        assert outcome.relay == f"127.0.0.1:{server.port}"
        assert bool(server.messages) == (outcome.kind is ACCEPTED)
        return outcome


async def test_a_message_arrives_byte_for_byte_with_its_envelope() -> None:
    async with SmtpServer() as server, _transport(server) as transport:
        outcome = await transport.send(FROM, TO, MESSAGE)
        assert (outcome.kind, outcome.code, outcome.enhanced) == (ACCEPTED, 250, "2.0.0")
        [received] = server.messages
        assert (received.envelope_from, received.recipients, received.data) == (FROM, (TO,), MESSAGE)
        assert f"SIZE={len(MESSAGE)}" in received.options


@pytest.mark.parametrize(
    "body",
    [
        b".",
        b".\r\n.\r\n",
        b"..\r\n.x",
        b"x\r\n.",
        b"\r\n.\r\n\r\n..",
        b"x" * 998,
        b"",
        b"." * 998,
        b"QUIT\r\n.\r\nQUIT",
    ],
)
async def test_s8_no_body_ends_early_or_changes(body: bytes) -> None:
    message = b"Subject: x\r\n\r\n" + body + b"\r\n"
    async with SmtpServer() as server, _transport(server) as transport:
        for sent in (message, b"." + message):
            assert (await transport.send(FROM, TO, sent)).kind is ACCEPTED
        assert [received.data for received in server.messages] == [message, b"." + message]


CATALOGUE: list[tuple[str, Any, tuple[OutcomeKind, int, Blame]]] = [
    ("BANNER", "421 4.3.2 too busy", (DEFERRED, 421, RELAY)),
    ("BANNER", "554 5.7.1 your address has a bad name", (DEFERRED, 554, RELAY)),
    ("BANNER", "450 4.7.1 later", (DEFERRED, 450, RELAY)),
    ("BANNER", Act.DISCONNECT, (DEFERRED, 0, RELAY)),
    ("BANNER", Act.GARBAGE, (DEFERRED, 0, RELAY)),
    ("BANNER", "250 2.0.0 taken", (DEFERRED, 0, RELAY)),
    ("EHLO", "421 4.3.2 closing", (DEFERRED, 421, RELAY)),
    ("EHLO", "450 4.3.2 not now", (DEFERRED, 450, RELAY)),
    ("EHLO", Act.DISCONNECT, (DEFERRED, 0, RELAY)),
    ("EHLO", Act.GARBAGE, (DEFERRED, 0, RELAY)),
    ("MAIL", "451 4.3.0 later", (DEFERRED, 451, NOBODY)),
    ("MAIL", "550 5.1.8 sender domain not found", (REJECTED, 550, MESSAGES)),
    ("MAIL", "550 no such user", (REJECTED, 550, MESSAGES)),
    ("MAIL", "530 5.7.0 authentication required", (DEFERRED, 530, RELAY)),
    ("MAIL", "552 5.3.4 too big", (REJECTED, 552, MESSAGES)),
    ("MAIL", "421 4.3.2 closing", (DEFERRED, 421, RELAY)),
    ("MAIL", "354 go ahead", (DEFERRED, 0, RELAY)),
    ("MAIL", Act.DISCONNECT, (DEFERRED, 0, RELAY)),
    ("MAIL", Act.GARBAGE, (DEFERRED, 0, RELAY)),
    ("RCPT", "450 4.2.1 receiving too fast", (DEFERRED, 450, SOFT)),
    ("RCPT", "451 4.7.1 greylisted", (DEFERRED, 451, MESSAGES)),
    ("RCPT", "452 4.5.3 too many recipients", (DEFERRED, 452, NOBODY)),
    ("RCPT", "552 too many recipients", (DEFERRED, 552, NOBODY)),
    ("RCPT", "550 5.1.1 no such user", (REJECTED, 550, ADDRESS)),
    ("RCPT", "550-5.1.1 no such user\r\n550 5.1.1 really", (REJECTED, 550, ADDRESS)),
    ("RCPT", "550 5.2.2 full", (REJECTED, 550, SOFT)),
    ("RCPT", "550 something else", (REJECTED, 550, SOFT)),
    ("RCPT", "554 5.7.1 spam", (REJECTED, 554, MESSAGES)),
    ("RCPT", "554 5.7.1 Relay access denied", (DEFERRED, 554, RELAY)),
    ("RCPT", Then("421 4.7.0 too many errors", Act.DISCONNECT), (DEFERRED, 421, RELAY)),
    ("RCPT", Act.DISCONNECT, (DEFERRED, 0, RELAY)),
    ("RCPT", "nonsense", (DEFERRED, 0, RELAY)),
    ("DATA", "451 4.3.0 later", (DEFERRED, 451, NOBODY)),
    ("DATA", "554 5.5.1 no valid recipients", (REJECTED, 554, MESSAGES)),
    ("DATA", "250 why not", (DEFERRED, 0, RELAY)),
    ("DATA", "421 closing", (DEFERRED, 421, RELAY)),
    ("DATA", Act.DISCONNECT, (DEFERRED, 0, RELAY)),
    ("DATA", Act.GARBAGE, (DEFERRED, 0, RELAY)),
    ("CONTENT", "451 4.3.0 disk is full", (DEFERRED, 451, NOBODY)),
    ("CONTENT", "452 4.2.2 mailbox full", (DEFERRED, 452, SOFT)),
    ("CONTENT", "550 5.1.1 no such user", (REJECTED, 550, ADDRESS)),
    ("CONTENT", "554 this looks like spam", (REJECTED, 554, MESSAGES)),
    ("CONTENT", "552 5.3.4 too big", (REJECTED, 552, MESSAGES)),
    ("CONTENT", "550 something else", (REJECTED, 550, SOFT)),
    ("CONTENT", Then("421 4.3.2 closing", Act.DISCONNECT), (DEFERRED, 421, RELAY)),
    ("CONTENT", Act.DISCONNECT, (UNCERTAIN, 0, RELAY)),
    ("CONTENT", Act.GARBAGE, (UNCERTAIN, 0, RELAY)),
    ("CONTENT", "354 more please", (UNCERTAIN, 354, RELAY)),
    ("CONTENT", "999 what", (UNCERTAIN, 999, RELAY)),
]


@pytest.mark.parametrize(("command", "answer", "expected"), CATALOGUE, ids=[f"{c}: {a}" for c, a, _ in CATALOGUE])
async def test_each_misbehaviour_has_its_one_outcome(
    command: str, answer: Any, expected: tuple[OutcomeKind, int, Blame]
) -> None:
    outcome = await _outcome(always(command, answer))
    assert (outcome.kind, outcome.code, outcome.blame) == expected
    assert outcome.text


@pytest.mark.parametrize("command", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_silence_before_the_content_is_deferred(command: str) -> None:
    outcome = await _outcome(always(command, Act.SILENCE), timeout=0.2)
    assert (outcome.kind, outcome.blame) == (DEFERRED, RELAY)
    assert "no answer within 0.2 s" in outcome.text


async def test_silence_after_the_content_is_uncertain_and_waits_for_the_longer_timeout() -> None:
    outcome = await _outcome(always("CONTENT", Act.SILENCE), timeout=0.1, end_of_data_timeout=0.3)
    assert (outcome.kind, outcome.blame) == (UNCERTAIN, RELAY)
    assert "no answer within 0.3 s" in outcome.text


async def test_a_server_that_keeps_the_message_and_dies_before_it_says_so_leaves_it_uncertain() -> None:
    async with SmtpServer(script=always("CONTENT", Act.KEEP_AND_DISCONNECT)) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is UNCERTAIN
        assert len(server.messages) == 1


async def test_a_message_that_cannot_have_been_read_is_not_uncertain() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.setblocking(False)

    async def stop_reading_after_354() -> None:
        loop = asyncio.get_running_loop()
        client, _ = await loop.sock_accept(listener)
        for reply in (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await loop.sock_sendall(client, reply)
            if not reply.startswith(b"354"):
                await loop.sock_recv(client, 1000)
        await asyncio.sleep(0.5)
        client.close()

    server = asyncio.create_task(stop_reading_after_354())
    relay = Relay("127.0.0.1", listener.getsockname()[1], helo="client.test", end_of_data_timeout=0.3)
    transport = SmtpTransport(relay)
    huge = b"Subject: x\r\n\r\n" + (b"x" * 900 + b"\r\n") * 20_000
    outcome = await transport.send(FROM, TO, huge)
    await transport.close()
    await server
    listener.close()
    assert (outcome.kind, outcome.blame) == (DEFERRED, RELAY)


async def test_an_old_server_without_ehlo_is_greeted_with_helo() -> None:
    async with SmtpServer(script=always("EHLO", "502 what?")) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is ACCEPTED
        assert [line for _, line in server.commands][:2] == ["EHLO client.test", "HELO client.test"]
        assert server.messages[0].options == ()


async def test_a_machine_without_a_full_name_greets_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda name="": "localhost")
    async with SmtpServer() as server, _transport(server, helo="") as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is ACCEPTED
        assert server.commands[0][1] == "EHLO [127.0.0.1]"


async def test_nobody_listening_is_deferred_and_the_transport_says_since_when() -> None:
    async with SmtpServer() as server:
        pass
    async with _transport(server) as transport:
        outcome = await transport.send(FROM, TO, MESSAGE)
        assert (outcome.kind, outcome.blame) == (DEFERRED, RELAY)
        assert outcome.text.startswith(f"cannot connect to 127.0.0.1:{server.port}: ")
        since = transport.failing_since
        assert since is not None
        await transport.send(FROM, TO, MESSAGE)
        assert transport.failing_since == since
        server.start()
        assert (await transport.send(FROM, TO, MESSAGE)).kind is ACCEPTED
        assert transport.failing_since is None
    server.stop()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid", "bad..name"])
async def test_a_name_that_does_not_resolve_is_deferred(host: str) -> None:
    transport = SmtpTransport(Relay(host, helo="client.test"))
    outcome = await transport.send(FROM, TO, MESSAGE)
    await transport.close()
    assert (outcome.kind, outcome.blame) == (DEFERRED, RELAY)
    assert "cannot be resolved" in outcome.text


async def test_451_then_250_is_deferred_then_accepted_once() -> None:
    script = in_turn("CONTENT", "451 4.3.0 later")
    async with SmtpServer(script=script) as server, _transport(server) as transport:
        assert [(await transport.send(FROM, TO, MESSAGE)).kind for _ in range(2)] == [DEFERRED, ACCEPTED]
        assert len(server.messages) == 1


async def test_one_bad_recipient_does_not_touch_the_others_on_the_same_connection() -> None:
    script = for_recipients({"bad@example.org": "550 5.1.1 <bad@example.org>: unknown"})
    async with SmtpServer(script=script) as server, _transport(server) as transport:
        recipients = ["a@example.org", "bad@example.org", "b@example.org"]
        kinds = [(await transport.send(FROM, recipient, MESSAGE)).kind for recipient in recipients]
        assert kinds == [ACCEPTED, REJECTED, ACCEPTED]
        assert [message.recipients for message in server.messages] == [("a@example.org",), ("b@example.org",)]
        assert server.connections == 1
        assert sum(line == "RSET" for _, line in server.commands) == 1


async def test_a_readers_address_does_not_come_back_in_the_servers_words() -> None:
    script = always("RCPT", "550 5.1.1 <Ann@Example.ORG>: Recipient address rejected for ann@example.org")
    outcome = await _outcome(script)
    assert "ann@" not in outcome.text.lower()
    assert "5.1.1 <[recipient]>: Recipient address rejected" in outcome.text


async def test_a_reader_named_spam_is_not_taken_for_spam() -> None:
    outcome = await _outcome(always("RCPT", "550 <spam-policy@example.org> user unknown"), to="spam-policy@example.org")
    assert (outcome.kind, outcome.blame) == (REJECTED, ADDRESS)


async def test_broken_bytes_in_a_reply_do_no_harm() -> None:
    outcome = await _outcome(always("RCPT", b"550 5.1.1 n\xf6 \xff"))
    outcome.text.encode("utf-8")
    assert (outcome.kind, outcome.blame) == (REJECTED, ADDRESS)


async def test_f10_a_message_over_the_servers_size_is_refused_without_sending_it() -> None:
    async with SmtpServer(max_size=50) as server, _transport(server) as transport:
        outcome = await transport.send(FROM, TO, MESSAGE)
        assert (outcome.kind, outcome.code, outcome.enhanced, outcome.blame) == (REJECTED, 552, "5.3.4", MESSAGES)
        assert (await transport.send(FROM, TO, b"S: x\r\n\r\nx\r\n")).kind is ACCEPTED
        assert [line.split()[0] for _, line in server.commands] == ["EHLO", "MAIL", "RCPT", "DATA"]


async def test_a_server_without_size_gets_no_size() -> None:
    async with SmtpServer(hide=("SIZE",)) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is ACCEPTED
        assert server.messages[0].options == ()


async def test_f8_smtputf8_is_used_only_for_an_address_that_needs_it() -> None:
    async with SmtpServer() as server, _transport(server) as transport:
        for recipient in ("аня@почта.рф", "ann@почта.рф"):
            assert (await transport.send(FROM, recipient, MESSAGE)).kind is ACCEPTED
        assert [message.recipients[0] for message in server.messages] == [
            "аня@xn--80a1acny.xn--p1ai",
            "ann@xn--80a1acny.xn--p1ai",
        ]
        assert ["SMTPUTF8" in message.options for message in server.messages] == [True, False]


async def test_f8_without_smtputf8_such_an_address_fails_on_this_route_and_is_not_suppressed() -> None:
    async with SmtpServer(hide=("SMTPUTF8",)) as server, _transport(server) as transport:
        outcome = await transport.send(FROM, "аня@почта.рф", MESSAGE)
        assert (outcome.kind, outcome.enhanced, outcome.blame) == (REJECTED, "5.6.7", MESSAGES)
        assert (await transport.send(FROM, TO, MESSAGE)).kind is ACCEPTED


async def test_8bit_is_announced_and_refused_where_the_relay_does_not_take_it() -> None:
    eight = "Subject: x\r\n\r\ncafé\r\n".encode()
    async with SmtpServer() as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, eight)).kind is ACCEPTED
        assert "BODY=8BITMIME" in server.messages[0].options
    async with SmtpServer(hide=("8BITMIME",)) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, eight)).enhanced == "5.6.3"


def test_the_reference_page_names_every_code_and_number_of_the_tables() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "outcomes.md").read_text("utf-8")
    codes = {code for rule in (*EXCEPTIONS, *BY_CODE) for code in rule.codes if code != "*"}
    assert {code for code in codes | TOO_MANY if code not in page} == set()
    assert {code for code in RELAY_CODES if str(code) not in page} == set()
    assert {blame for blame in Blame if f"| {blame} |" not in page} == set()


async def test_s9_what_must_not_go_on_the_wire_never_reaches_a_server() -> None:
    async with SmtpServer() as server, _transport(server) as transport:
        for recipient, message in [("a@b.example\r\nDATA", MESSAGE), (TO, b"Subject: x\n\nx\n")]:
            assert (await transport.send(FROM, recipient, message)).kind is REJECTED
        assert server.connections == 0
