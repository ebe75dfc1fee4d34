"""The pool: connections are shared, limited, renewed and given up; cancellation leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from smtp_server import Act, Moment, Slow, SmtpServer, Then, always, in_turn

from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.values import OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"


@asynccontextmanager
async def _transport(server: SmtpServer, **settings: Any) -> AsyncIterator[SmtpTransport]:
    transport = SmtpTransport(Relay(server.host, server.port, helo="client.test", **{"timeout": 5.0, **settings}))
    try:
        yield transport
    finally:
        await transport.close()


async def _send_many(transport: SmtpTransport, count: int) -> list[OutcomeKind]:
    recipients = [f"reader{n}@example.org" for n in range(count)]
    outcomes = await asyncio.gather(*(transport.send(FROM, recipient, MESSAGE) for recipient in recipients))
    return [outcome.kind for outcome in outcomes]


async def test_many_messages_share_few_connections_and_each_arrives_once() -> None:
    async with SmtpServer() as server:
        async with _transport(server, max_connections=4) as transport:
            assert set(await _send_many(transport, 60)) == {OutcomeKind.ACCEPTED}
        assert server.connections <= 4
        assert len({message.recipients for message in server.messages}) == len(server.messages) == 60


async def test_never_more_connections_than_allowed_even_while_all_are_slow() -> None:
    most = 0

    def watch(moment: Moment) -> Slow | None:
        nonlocal most
        most = max(most, server.open_connections)
        return Slow(0.02) if moment.command == "RCPT" else None

    async with (
        SmtpServer(script=watch) as server,
        _transport(server, max_connections=3, messages_per_connection=2) as transport,
    ):
        assert set(await _send_many(transport, 20)) == {OutcomeKind.ACCEPTED}
        assert most <= 3
        assert server.connections >= 10


async def test_s5_a_connection_carries_no_more_messages_than_it_may_and_ends_with_quit() -> None:
    async with SmtpServer() as server:
        async with _transport(server, max_connections=1, messages_per_connection=3) as transport:
            await _send_many(transport, 7)
        per_connection = [sum(m.connection == n for m in server.messages) for n in (1, 2, 3)]
        assert per_connection == [3, 3, 1]
        assert [connection for connection, line in server.commands if line == "QUIT"] == [1, 2, 3]


async def test_an_idle_connection_is_given_up_politely() -> None:
    async with SmtpServer() as server, _transport(server, idle_timeout=0.05) as transport:
        await transport.send(FROM, TO, MESSAGE)
        await server.wait_until(lambda: server.open_connections == 0)
        assert server.commands[-1][1] == "QUIT"
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED


async def test_a_connection_the_server_closed_while_idle_costs_no_message() -> None:
    async with SmtpServer() as server, _transport(server) as transport:
        for _ in range(3):
            assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
            server.disconnect_everybody()
        assert server.connections == 3


@pytest.mark.parametrize("answer", [Act.DISCONNECT, Then("421 4.4.2 idle for too long", Act.DISCONNECT), "421 enough"])
async def test_a_server_that_has_tired_of_a_used_connection_costs_no_message(answer: Any) -> None:
    async with SmtpServer(script=in_turn("MAIL", None, answer)) as server, _transport(server) as transport:
        for _ in range(2):
            assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        assert (server.connections, len(server.messages)) == (2, 2)


async def test_a_rset_that_fails_costs_no_message() -> None:
    script = in_turn("RCPT", "550 5.1.1 unknown")
    async with SmtpServer(script=script) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.REJECTED
        server.script = in_turn("RSET", Act.DISCONNECT)
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        assert server.connections == 2


async def test_a_server_that_refuses_rset_is_left_for_a_new_connection() -> None:
    script = in_turn("RCPT", "550 5.1.1 unknown")
    async with SmtpServer(script=script) as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.REJECTED
        server.script = always("RSET", "502 never heard of it")
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        assert server.connections == 2


async def test_a_restarted_server_gets_the_rest_of_the_mail() -> None:
    async with SmtpServer() as server, _transport(server) as transport:
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        server.stop()
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.DEFERRED
        server.start()
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        assert len(server.messages) == 2


@pytest.mark.parametrize("command", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_cancelled_send_takes_its_connection_with_it_and_frees_its_place(command: str) -> None:
    came: list[str] = []

    def silent_once(moment: Moment) -> Act | None:
        if moment.command != command or came:
            return None
        came.append(command)
        return Act.SILENCE

    async with SmtpServer(script=silent_once) as server, _transport(server, max_connections=1) as transport:
        sending = asyncio.create_task(transport.send(FROM, TO, MESSAGE))
        await server.wait_until(lambda: bool(came))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.wait_until(lambda: server.open_connections == 0)
        assert server.messages == []
        assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        assert server.connections == 2


async def test_a_send_cancelled_while_it_waits_for_a_place_disturbs_nobody() -> None:
    async with (
        SmtpServer(script=in_turn("RCPT", Slow(0.2))) as server,
        _transport(server, max_connections=1) as transport,
    ):
        first = asyncio.create_task(transport.send(FROM, TO, MESSAGE))
        second = asyncio.create_task(transport.send(FROM, "late@example.org", MESSAGE))
        await asyncio.sleep(0.05)
        second.cancel()
        assert (await first).kind is OutcomeKind.ACCEPTED
        assert [message.recipients for message in server.messages] == [(TO,)]


async def test_closing_waits_for_the_sends_under_way_and_then_says_quit() -> None:
    async with SmtpServer(script=always("CONTENT", Slow(0.2))) as server:
        transport = SmtpTransport(Relay(server.host, server.port, helo="client.test"))
        sending = asyncio.create_task(transport.send(FROM, TO, MESSAGE))
        await server.wait_until(lambda: server.connections == 1)
        await transport.close()
        await transport.close()
        assert (await sending).kind is OutcomeKind.ACCEPTED
        assert server.commands[-1][1] == "QUIT"
        with pytest.raises(RuntimeError):
            await transport.send(FROM, TO, MESSAGE)


async def test_a_server_that_does_not_answer_quit_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.delivery.connection.FAREWELL_TIMEOUT", 0.1)
    async with SmtpServer(script=always("QUIT", Act.SILENCE)) as server:
        async with _transport(server) as transport:
            assert (await transport.send(FROM, TO, MESSAGE)).kind is OutcomeKind.ACCEPTED
        await server.wait_until(lambda: server.open_connections == 0)
