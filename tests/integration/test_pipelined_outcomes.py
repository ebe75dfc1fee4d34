"""The catalogue of misbehaviours again, on a line that is kept full: each leads to the one right Outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from raw_smtp import CHUNKING, OFFERS, Also, Raw, RawServer
from smtp_server import Act, Script, Then, always, for_recipients, in_turn
from test_smtp_outcomes import CATALOGUE

from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\nTo: ann@example.org\r\n\r\n.dots\r\n..\r\nand an end\r\n.\r\n"
WAYS = [pytest.param(OFFERS, id="pipelined"), pytest.param(CHUNKING, id="chunked")]

ACCEPTED, DEFERRED, REJECTED, UNCERTAIN = OutcomeKind
RELAY = Blame.RELAY


@asynccontextmanager
async def _transport(server: RawServer, **settings: Any) -> AsyncIterator[SmtpTransport]:
    settings = {"helo": "client.test", "timeout": 5.0, "end_of_data_timeout": 5.0, "max_connections": 1, **settings}
    transport = SmtpTransport(Relay(server.host, server.port, **settings))
    try:
        yield transport
    finally:
        await transport.close()


async def _send(transport: SmtpTransport, *recipients: str, message: bytes = MESSAGE) -> list[Outcome]:
    outcomes = await asyncio.gather(*(transport.send(FROM, recipient, message) for recipient in recipients))
    return [outcome for outcome in outcomes if outcome is not None]


def _readers(count: int) -> list[str]:
    return [f"reader{n}@example.org" for n in range(count)]


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize("pieces", [0, 1, 7])
async def test_messages_arrive_byte_for_byte_with_their_envelopes(offers: tuple[str, ...], pieces: int) -> None:
    messages = [b"Subject: %d\r\n\r\n.\r\n..\r\n%s\r\n" % (n, b"x" * n * 30) for n in range(25)]
    async with RawServer(offers=offers, pieces=pieces) as server, _transport(server) as transport:
        sent = zip(_readers(25), messages, strict=True)
        outcomes = await asyncio.gather(*(transport.send(FROM, reader, message) for reader, message in sent))
        assert {(o.kind, o.code, o.enhanced, o.text) for o in outcomes if o} == {(ACCEPTED, 250, "2.0.0", "2.0.0 kept")}
        assert server.recipients() == _readers(25)
        assert [message.data for message in server.messages] == messages
        assert [m.options for m in server.messages] == [(f"SIZE={len(message)}",) for message in messages]
        assert (server.connections, server.faults) == (1, [])
    assert server.verbs()[-1] == "QUIT"


async def test_one_read_brings_a_message_and_the_envelope_of_the_next() -> None:
    async with RawServer() as server, _transport(server) as transport:
        assert {o.kind for o in await _send(transport, *_readers(50))} == {ACCEPTED}
        assert server.reads <= 50 + 6


async def test_chunking_needs_far_fewer_reads_than_messages() -> None:
    async with RawServer(offers=CHUNKING) as server, _transport(server) as transport:
        assert {o.kind for o in await _send(transport, *_readers(50))} == {ACCEPTED}
        assert server.reads <= 30
        assert "DATA" not in server.verbs()


def _is_about_commands(answer: Any) -> bool:
    return isinstance(answer, str) and answer[:3] in ("500", "502", "503", "504", "555")


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize("place", ["first", "second"])
@pytest.mark.parametrize(("command", "answer", "expected"), CATALOGUE, ids=[f"{c}: {a}" for c, a, _ in CATALOGUE])
async def test_each_misbehaviour_has_its_one_outcome(
    offers: tuple[str, ...], place: str, command: str, answer: Any, expected: tuple[OutcomeKind, int, Blame]
) -> None:
    command = "BDAT" if command == "DATA" and "CHUNKING" in offers else command
    script = always(command, answer)
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        if place == "second" and command not in ("BANNER", "EHLO"):
            assert [o.kind for o in await _send(transport, "other@example.org")] == [ACCEPTED]
        server.script = script
        [outcome] = await _send(transport, TO)
        if command == "BDAT" and outcome.kind is UNCERTAIN:  # the message went with the command
            assert expected[:2] == (DEFERRED, 0) or answer == "250 why not"
        elif command == "BDAT" and answer == "250 why not":
            assert outcome.kind is ACCEPTED
        else:
            assert (outcome.kind, outcome.code, outcome.blame) == expected
        assert outcome.text
        assert outcome.relay == f"127.0.0.1:{server.port}"
        assert server.faults == []
