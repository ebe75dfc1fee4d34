"""Lines that are kept full: shared by many sends, secured, given up; on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from event_loops import on_both_loops
from raw_smtp import CHUNKING, OFFERS, RawServer
from smtp_server import Act, Moment, Slow, SmtpServer, Then, always, in_turn

from dispatcher.delivery.memory import MemoryTransport
from dispatcher.delivery.relay import Security
from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.delivery.transaction import Transaction
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\n.Body\r\n"
HUGE = b"Subject: x\r\n\r\n" + (b"x" * 900 + b"\r\n") * 5_000
ACCEPTED, DEFERRED, REJECTED, UNCERTAIN = OutcomeKind
CA = trustme.CA()


@pytest.fixture(params=[pytest.param(OFFERS, id="pipelined"), pytest.param(CHUNKING, id="chunked")])
def offers(request: pytest.FixtureRequest) -> Any:
    """Both fast ways."""
    return request.param


@asynccontextmanager
async def _transport(server: RawServer | SmtpServer, **settings: Any) -> AsyncIterator[SmtpTransport]:
    settings = {"helo": "client.test", "timeout": 5.0, "end_of_data_timeout": 5.0, "max_connections": 1, **settings}
    transport = SmtpTransport(Relay(server.host, server.port, **settings))
    try:
        yield transport
    finally:
        await transport.close()


def _readers(count: int) -> list[str]:
    return [f"reader{n}@example.org" for n in range(count)]


async def _send(transport: SmtpTransport, *recipients: str) -> list[Outcome]:
    outcomes = await asyncio.gather(*(transport.send(FROM, recipient, MESSAGE) for recipient in recipients))
    return [outcome for outcome in outcomes if outcome is not None]


# The pool


@on_both_loops
async def test_many_sends_share_few_lines_and_each_message_arrives_once(offers: Any) -> None:
    async with RawServer(offers=offers) as server:
        async with _transport(server, max_connections=4) as transport:
            assert {o.kind for o in await _send(transport, *_readers(200))} == {ACCEPTED}
            assert server.connections == 4
        assert sorted(server.recipients()) == sorted(_readers(200))
        assert server.faults == []


@on_both_loops
async def test_sends_are_spread_over_the_lines_before_they_share_one(offers: Any) -> None:
    async with RawServer(offers=offers, script=always("CONTENT", Slow(0.05))) as server:
        async with _transport(server, max_connections=4) as transport:
            await _send(transport, *_readers(4))
        assert sorted(message.connection for message in server.messages) == [1, 2, 3, 4]


@on_both_loops
async def test_s5_a_line_carries_no_more_messages_than_it_may_and_ends_with_quit(offers: Any) -> None:
    async with RawServer(offers=offers) as server:
        async with _transport(server, messages_per_connection=3) as transport:
            assert {o.kind for o in await _send(transport, *_readers(7))} == {ACCEPTED}
        assert [sum(m.connection == n for m in server.messages) for n in (1, 2, 3)] == [3, 3, 1]
        assert [server.verbs(n)[-1] for n in (1, 2, 3)] == ["QUIT"] * 3


@on_both_loops
async def test_the_goodbye_goes_along_with_the_last_message(offers: Any) -> None:
    async with RawServer(offers=offers) as server, _transport(server, messages_per_connection=4) as transport:
        for reader in _readers(4):
            assert [o.kind for o in await _send(transport, reader)] == [ACCEPTED]
        await server.wait_until(lambda: not server.open_connections)
        assert server.verbs().count("QUIT") == 1
        assert server.reads <= 1 + 2 * 4  # EHLO; then an envelope, and a message with what follows
        assert server.faults == []


@on_both_loops
async def test_an_idle_line_is_given_up_politely_and_a_new_one_opened(offers: Any) -> None:
    async with RawServer(offers=offers) as server, _transport(server, idle_timeout=0.05) as transport:
        await _send(transport, TO)
        await server.wait_until(lambda: not server.open_connections)
        assert server.verbs()[-1] == "QUIT"
        assert [o.kind for o in await _send(transport, TO)] == [ACCEPTED]


@on_both_loops
async def test_a_line_that_the_relay_closed_while_idle_costs_no_message(
    offers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.delivery.dialogue.SILENCE", 0)
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        for _ in range(3):
            assert [o.kind for o in await _send(transport, TO)] == [ACCEPTED]
            server.disconnect_everybody()
        assert server.connections == 3


@on_both_loops
async def test_a_goodbye_that_nobody_asked_for_is_no_misbehaviour() -> None:
    async with RawServer() as server, _transport(server) as transport:
        await _send(transport, TO)
        await server.say_to_everybody("421 4.4.2 idle for too long")
        await server.wait_until(lambda: not server.open_connections)
        before = server.reads
        assert {o.kind for o in await _send(transport, *_readers(20))} == {ACCEPTED}
        assert server.reads - before < 2 * 20  # which is to say: still pipelined


@on_both_loops
async def test_a_reply_that_nobody_asked_for_ends_trust() -> None:
    async with RawServer() as server, _transport(server) as transport:
        await _send(transport, TO)
        await server.say_to_everybody("250 by the way")
        await server.wait_until(lambda: not server.open_connections)
        before = server.reads
        assert {o.kind for o in await _send(transport, *_readers(20))} == {ACCEPTED}
        assert server.reads - before > 3 * 20


@on_both_loops
async def test_a_failed_knock_is_the_answer_for_all_who_wait() -> None:
    async with RawServer(script=always("BANNER", "421 4.3.2 not today")) as server:
        async with _transport(server, max_connections=2) as transport:
            outcomes = await _send(transport, *_readers(50))
        assert {(o.kind, o.code, o.blame) for o in outcomes} == {(DEFERRED, 421, Blame.RELAY)}
        assert server.connections <= 4
        assert transport.failing_since is not None


@on_both_loops
async def test_closing_waits_for_what_is_under_way_and_says_quit_once(offers: Any) -> None:
    async with RawServer(offers=offers, script=in_turn("CONTENT", Slow(0.1))) as server:
        transport = SmtpTransport(Relay(server.host, server.port, helo="client.test", max_connections=1))
        sending = asyncio.gather(*(transport.send(FROM, reader, MESSAGE) for reader in _readers(10)))
        await server.wait_until(lambda: server.connections == 1)
        await transport.close()
        assert {o.kind for o in await sending if o} == {ACCEPTED}
        assert server.verbs().count("QUIT") == 1


@on_both_loops
async def test_one_send_at_a_time_needs_no_company(offers: Any) -> None:
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        for reader in _readers(10):
            assert [o.kind for o in await _send(transport, reader)] == [ACCEPTED]
        assert (server.connections, server.faults) == (1, [])


@on_both_loops
async def test_messages_too_large_to_travel_together_travel_one_by_one() -> None:
    async with RawServer(offers=CHUNKING) as server, _transport(server) as transport:
        outcomes = await asyncio.gather(*(transport.send(FROM, reader, HUGE) for reader in _readers(4)))
        assert {o.kind for o in outcomes if o} == {ACCEPTED}
        assert [len(message.data) for message in server.messages] == [len(HUGE)] * 4


# The last look


class _Look:
    """Says what it is told to say, in turn, and notes when it was asked."""

    def __init__(self, *answers: bool) -> None:
        self.answers = iter(answers)
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        return next(self.answers, True)


@on_both_loops
async def test_a_message_that_is_not_wanted_any_more_is_not_written_and_holds_nobody_up(offers: Any) -> None:
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        looks = [_Look(n % 3 != 1) for n in range(12)]
        sends = (
            transport.send(FROM, reader, MESSAGE, ready=look) for reader, look in zip(_readers(12), looks, strict=True)
        )
        outcomes = await asyncio.gather(*sends)
        assert [o.kind if o else None for o in outcomes] == [ACCEPTED, None, ACCEPTED] * 4
        assert {look.asked for look in looks} == {1}
        assert not any(f"reader{n}@" in line for _, line in server.commands for n in range(1, 12, 3))


@on_both_loops
@pytest.mark.parametrize("kind", ["plain", "pipelined", "memory"])
async def test_the_last_look_is_taken_when_the_way_out_is_open(kind: str) -> None:
    async with SmtpServer() if kind == "plain" else RawServer() as server, _transport(server) as smtp:
        transport = MemoryTransport() if kind == "memory" else smtp
        seen: list[int] = []

        async def ready() -> bool:
            seen.append(server.connections)
            return len(seen) != 1

        assert await transport.send(FROM, TO, MESSAGE, ready=ready) is None
        outcome = await transport.send(FROM, TO, MESSAGE, ready=ready)
        assert outcome is not None
        assert outcome.kind is ACCEPTED
        assert seen == [0, 0] if kind == "memory" else [1, 1]
        assert sum("MAIL" in line for _, line in server.commands) == (kind != "memory")


@on_both_loops
async def test_what_the_last_look_raises_comes_through_and_the_line_goes_on(offers: Any) -> None:
    async def broken() -> bool:
        raise LookupError("no database")

    async with RawServer(offers=offers) as server, _transport(server) as transport:
        with pytest.raises(LookupError):
            await transport.send(FROM, TO, MESSAGE, ready=broken)
        assert [o.kind for o in await _send(transport, TO)] == [ACCEPTED]
        assert server.connections == 1


@on_both_loops
async def test_nobody_is_asked_while_the_relay_cannot_be_reached() -> None:
    look = _Look()
    async with RawServer(script=always("BANNER", Act.DISCONNECT)) as server, _transport(server) as transport:
        outcome = await transport.send(FROM, TO, MESSAGE, ready=look)
        assert outcome is not None
        assert (outcome.kind, look.asked) == (DEFERRED, 0)


@on_both_loops
async def test_a_look_that_has_grown_old_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.delivery.pipelined.LOOK_LASTS", 0.05)
    async with RawServer(script=in_turn("DATA", Slow(0.2))) as server, _transport(server) as transport:
        looks = [_Look(), _Look(True, False), _Look(True, True)]
        sends = (
            transport.send(FROM, reader, MESSAGE, ready=look) for reader, look in zip(_readers(3), looks, strict=True)
        )
        outcomes = await asyncio.gather(*sends)
        assert [o.kind if o else None for o in outcomes] == [ACCEPTED, None, ACCEPTED]
        assert [look.asked for look in looks] == [1, 2, 2]
        assert server.recipients() == ["reader0@example.org", "reader2@example.org"]


@on_both_loops
async def test_a_message_given_back_by_a_line_is_looked_at_again_before_it_takes_another() -> None:
    async with RawServer(script=in_turn("MAIL", None, "421 4.3.2 enough")) as server, _transport(server) as transport:
        look = _Look(True, False)
        first, second = await asyncio.gather(
            transport.send(FROM, "first@example.org", MESSAGE), transport.send(FROM, TO, MESSAGE, ready=look)
        )
        assert first is not None
        assert (first.kind, second, look.asked) == (ACCEPTED, None, 2)
        assert (server.connections, server.recipients()) == (2, ["first@example.org"])


# Cancellation


@on_both_loops
@pytest.mark.parametrize("command", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_lone_send_that_is_cancelled_takes_its_line_with_it(offers: Any, command: str) -> None:
    moment = "BDAT" if command == "DATA" and offers is CHUNKING else command
    came = asyncio.Event()

    def silent_once(asked: Moment) -> Act | None:
        if asked.command != moment or came.is_set():
            return None
        came.set()
        return Act.SILENCE

    async with RawServer(offers=offers, script=silent_once) as server, _transport(server) as transport:
        sending = asyncio.create_task(transport.send(FROM, TO, MESSAGE))
        await came.wait()
        await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.wait_until(lambda: not server.open_connections)
        assert server.messages == []
        assert [o.kind for o in await _send(transport, TO)] == [ACCEPTED]
        assert server.connections == 2


@on_both_loops
async def test_a_cancelled_send_disturbs_nobody_on_its_line(offers: Any) -> None:
    async with RawServer(offers=offers, script=always("RCPT", Slow(0.01))) as server, _transport(server) as transport:
        await _send(transport, *_readers(4))
        sends = [asyncio.create_task(transport.send(FROM, reader, MESSAGE)) for reader in _readers(12)]
        await asyncio.sleep(0.02)
        for sending in sends[1::3]:
            sending.cancel()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(o) for o in outcomes[1::3]] == [asyncio.CancelledError] * 4
        assert {o.kind for o in (*outcomes[0::3], *outcomes[2::3]) if isinstance(o, Outcome)} == {ACCEPTED}
        assert len(server.messages) >= 4 + 8
        assert server.faults == []


@on_both_loops
async def test_a_send_that_is_cancelled_before_the_go_ahead_never_leaves() -> None:
    async with RawServer(script=in_turn("DATA", None, Slow(0.1))) as server, _transport(server) as transport:
        await _send(transport, "first@example.org")
        sends = [asyncio.create_task(transport.send(FROM, reader, MESSAGE)) for reader in _readers(3)]
        await asyncio.sleep(0.05)
        sends[0].cancel()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert [o.kind for o in outcomes[1:] if isinstance(o, Outcome)] == [ACCEPTED, ACCEPTED]
        assert server.recipients() == ["first@example.org", "reader1@example.org", "reader2@example.org"]


@on_both_loops
async def test_an_outcome_that_comes_together_with_the_cancellation_is_not_lost(
    offers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[Any] = []
    settle = Transaction.settle

    def settle_and_cancel(self: Transaction, outcome: Any) -> None:
        settle(self, outcome)
        working.cancel()

    async def work(transport: SmtpTransport) -> None:
        noted.append(await transport.send(FROM, TO, MESSAGE))
        await asyncio.sleep(10)
        noted.append("went on")

    monkeypatch.setattr(Transaction, "settle", settle_and_cancel)
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        working = asyncio.create_task(work(transport))
        with pytest.raises(asyncio.CancelledError):
            await working
        assert [o.kind for o in noted] == [ACCEPTED]


@on_both_loops
async def test_a_send_that_is_cancelled_while_it_waits_for_a_line_leaves_the_queue(offers: Any) -> None:
    async with RawServer(offers=offers, script=in_turn("BANNER", Slow(0.1))) as server, _transport(server) as transport:
        sends = [asyncio.create_task(transport.send(FROM, reader, MESSAGE)) for reader in _readers(10)]
        await asyncio.sleep(0.02)
        for sending in sends[1:4]:
            sending.cancel()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert [o.kind for o in outcomes if isinstance(o, Outcome)] == [ACCEPTED] * 7
        assert sorted(server.recipients()) == [_readers(10)[0], *_readers(10)[4:]]


# TLS


def _server_side() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert("127.0.0.1").configure_cert(context)
    return context


def _client_side() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@on_both_loops
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_secured_lines_are_kept_full_as_well(offers: Any, security: Security) -> None:
    tls = {"tls": _server_side(), "implicit_tls": security is Security.TLS}
    async with RawServer(offers=offers, **tls) as server:
        async with _transport(server, security=security, tls_context=_client_side()) as transport:
            before = server.reads
            assert {o.kind for o in await _send(transport, *_readers(40))} == {ACCEPTED}
            outcome = await transport.send(FROM, TO, HUGE)
            assert outcome is not None
            assert outcome.kind is ACCEPTED
            assert server.reads - before < 3 * 40
        assert {message.tls for message in server.messages} == {True}
        assert (server.connections, server.faults) == (1, [])


@on_both_loops
async def test_s6_what_was_offered_in_clear_does_not_count_under_tls() -> None:
    plain = ("8BITMIME", "SIZE 1000000")
    async with RawServer(offers=plain, offers_in_clear=CHUNKING, tls=_server_side()) as server:
        async with _transport(server, security=Security.STARTTLS, tls_context=_client_side()) as transport:
            assert {o.kind for o in await _send(transport, *_readers(3))} == {ACCEPTED}
        assert "BDAT" not in server.verbs()
        assert server.reads > 3 * 4


@on_both_loops
@pytest.mark.parametrize("answer", [Act.DISCONNECT, Act.KEEP_AND_DISCONNECT, Then("421 closing", Act.DISCONNECT)])
async def test_a_secured_line_that_breaks_leaves_the_right_outcomes(offers: Any, answer: Any) -> None:
    async with RawServer(offers=offers, tls=_server_side(), script=in_turn("CONTENT", None, answer)) as server:
        async with _transport(server, security=Security.STARTTLS, tls_context=_client_side()) as transport:
            outcomes = await _send(transport, *_readers(5))
        kept = server.recipients()
        for reader, outcome in zip(_readers(5), outcomes, strict=True):
            if outcome.kind is not UNCERTAIN:
                assert kept.count(reader) == (outcome.kind is ACCEPTED)
        assert outcomes[0].kind is ACCEPTED
        assert outcomes[1].kind is (DEFERRED if isinstance(answer, Then) else UNCERTAIN)
