"""The catalogue of misbehaviours again, on a line that is kept full: each leads to the one right Outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from raw_smtp import CHUNKING, OFFERS, Raw, RawServer
from smtp_server import Act, Then, always, for_recipients, in_turn, together
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


def _expected(
    command: str, answer: Any, expected: tuple[OutcomeKind, int, Blame], *, went_along: bool, chunked: bool
) -> tuple[OutcomeKind, int, Blame]:
    """What the plain path makes of it; but with CHUNKING a message may be gone before its commands are answered."""
    if chunked and command == "DATA" and answer == "250 why not":
        return ACCEPTED, 250, Blame.NOBODY  # said to BDAT, it is the acceptance
    may_have_it = chunked and (command == "DATA" or (went_along and command in ("MAIL", "RCPT")))
    return (UNCERTAIN, 0, RELAY) if may_have_it and expected == (DEFERRED, 0, RELAY) else expected


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize(("place", "pieces"), [("first", 0), ("third", 3)], ids=["first", "third, in pieces"])
@pytest.mark.parametrize(("command", "answer", "expected"), CATALOGUE, ids=[f"{c}: {a}" for c, a, _ in CATALOGUE])
async def test_each_misbehaviour_has_its_one_outcome(
    offers: tuple[str, ...], place: str, pieces: int, command: str, answer: Any,
    expected: tuple[OutcomeKind, int, Blame],
) -> None:  # fmt: skip
    chunked, is_later = offers is CHUNKING, place == "third" and command not in ("BANNER", "EHLO")
    async with RawServer(offers=offers, pieces=pieces) as server, _transport(server) as transport:
        if is_later:
            assert [o.kind for o in await _send(transport, *_readers(2))] == [ACCEPTED, ACCEPTED]
        server.script = always("BDAT" if chunked and command == "DATA" else command, answer)
        [outcome] = await _send(transport, TO)
        right = _expected(command, answer, expected, went_along=is_later, chunked=chunked)
        assert (outcome.kind, outcome.code, outcome.blame) == right
        assert outcome.text
        assert outcome.relay == f"127.0.0.1:{server.port}"
        assert server.faults == []


CLOSING = Then("421 4.3.2 closing", Act.DISCONNECT)


def _nothing_is_claimed_wrongly(server: RawServer, outcomes: list[Outcome]) -> None:
    """Accepted is what was kept, once; what is said not to have arrived was not kept."""
    for reader, outcome in zip(_readers(len(outcomes)), outcomes, strict=True):
        kept = server.recipients().count(reader)
        if outcome.kind is not UNCERTAIN:
            assert kept == (outcome.kind is ACCEPTED), (reader, outcome)


@pytest.mark.parametrize("offers", WAYS)
async def test_a_recipient_that_is_refused_takes_nobody_along(offers: tuple[str, ...]) -> None:
    readers = _readers(30)
    refused = {reader: f"550 5.1.1 <{reader}> unknown" for reader in readers[::3]}
    async with RawServer(offers=offers, script=for_recipients(refused)) as server, _transport(server) as transport:
        outcomes = await _send(transport, *readers)
        assert [o.kind for o in outcomes] == [REJECTED if reader in refused else ACCEPTED for reader in readers]
        assert all("reader" not in o.text for o in outcomes)
        assert server.recipients() == [reader for reader in readers if reader not in refused]
        assert (server.connections, server.faults) == (1, [])


async def test_a_go_ahead_for_nobody_is_answered_with_a_lone_dot() -> None:
    script = for_recipients({"reader1@example.org": "550 5.1.1 unknown"})
    async with RawServer(script=script, always_goes_ahead=True) as server, _transport(server) as transport:
        outcomes = await _send(transport, *_readers(4))
        assert [o.kind for o in outcomes] == [ACCEPTED, REJECTED, ACCEPTED, ACCEPTED]
        assert (len(server.messages), server.connections, server.faults) == (3, 1, [])
        assert server.verbs().count("RSET") == 1


async def test_a_message_that_was_refused_is_not_sent_although_its_recipient_is_accepted() -> None:
    class Confused:
        def __call__(self, moment: Any) -> str | None:
            return {"MAIL": "451 4.3.0 later", "RCPT": "250 fine", "DATA": "354 go"}.get(moment.command)

    async with RawServer(script=Confused()) as server, _transport(server) as transport:
        [outcome] = await _send(transport, TO)
        assert (outcome.kind, outcome.code) == (DEFERRED, 451)
        assert [line for _, line in server.commands if line in ("", ".")] == []
        assert server.messages == []


async def test_after_a_refused_message_nobody_is_sent_as_much_as_a_dot() -> None:
    asked: list[str] = []

    def script(moment: Any) -> str | None:
        asked.append(moment.command)
        return "451 4.3.0 later" if moment.command == "MAIL" else None

    async with RawServer(script=script, always_goes_ahead=True) as server, _transport(server) as transport:
        [outcome] = await _send(transport, TO)
        assert (outcome.kind, outcome.code) == (DEFERRED, 451)
        assert "CONTENT" not in asked


async def test_where_rset_is_refused_the_last_recipient_gets_nothing_that_is_meant_for_the_next() -> None:
    refusing = together(in_turn("DATA", "451 4.3.0 later"), always("RSET", "502 5.5.1 what?"))
    script = together(refusing, in_turn("MAIL", None, "250 2.1.0 go on"))  # with the recipient that it has already
    async with RawServer(script=script, always_goes_ahead=True) as server, _transport(server) as transport:
        outcomes = await _send(transport, *_readers(3))
        assert [o.kind for o in outcomes] == [DEFERRED, ACCEPTED, ACCEPTED]
        assert sorted(message.recipients for message in server.messages) == [(reader,) for reader in _readers(3)[1:]]


async def test_with_chunking_a_message_refused_and_then_accepted_is_uncertain() -> None:
    def confused(moment: Any) -> str | None:
        said = {"MAIL": "451 4.3.0 later", "RCPT": "250 fine", "BDAT": "250 2.0.0 taken all the same"}
        return said.get(moment.command) if len(server.messages) == 2 else None

    async with RawServer(offers=CHUNKING, script=confused) as server, _transport(server) as transport:
        await _send(transport, *_readers(2))
        [outcome] = await _send(transport, TO)
        assert (outcome.kind, outcome.blame) == (UNCERTAIN, RELAY)


@pytest.mark.parametrize("unknown", ["BDAT", "RSET", "DATA"])
async def test_a_relay_that_does_not_know_what_it_offers_gets_its_mail_in_a_way_that_it_knows(unknown: str) -> None:
    offers = CHUNKING if unknown != "DATA" else OFFERS
    async with RawServer(offers=offers, unknown=(unknown,)) as server, _transport(server) as transport:
        outcomes = await _send(transport, *_readers(12))
        if unknown == "DATA":  # there is no other way, and the plain one passes the verdict
            assert {(o.kind, o.code, o.blame) for o in outcomes} == {(REJECTED, 500, Blame.MESSAGE)}
        else:
            assert {o.kind for o in outcomes} == {ACCEPTED}
        _nothing_is_claimed_wrongly(server, outcomes)


async def test_a_relay_that_forgets_what_was_said_ahead_is_spoken_to_plainly_after_the_first_message() -> None:
    async with RawServer(forgetful=True) as server, _transport(server, timeout=0.2) as transport:
        assert [o.kind for o in await _send(transport, TO)] == [DEFERRED]
        assert {o.kind for o in await _send(transport, *_readers(5))} == {ACCEPTED}
        assert len(server.messages) == 5


async def test_misbehaviour_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.delivery.manners.MEMORY", 0.2)
    async with RawServer(script=in_turn("RCPT", Act.GARBAGE)) as server, _transport(server) as transport:
        assert [o.kind for o in await _send(transport, TO)] == [DEFERRED]
        assert {o.kind for o in await _send(transport, *_readers(5))} == {ACCEPTED}
        plainly = server.reads
        await asyncio.sleep(0.25)
        server.disconnect_everybody()
        await server.wait_until(lambda: not server.open_connections)
        assert {o.kind for o in await _send(transport, *_readers(5))} == {ACCEPTED}
        assert server.reads - plainly < 5 * 3


async def test_a_relay_that_closes_after_so_many_messages_is_left_before_that() -> None:
    def script(moment: Any) -> Any:
        carried = sum(message.connection == moment.connection for message in server.messages)
        return CLOSING if moment.command == "MAIL" and carried >= 4 else None

    async with RawServer(script=script) as server, _transport(server) as transport:
        assert {o.kind for o in await _send(transport, *_readers(40))} == {ACCEPTED}
        assert server.connections == 10
        assert [server.verbs(n)[-1] for n in range(2, 10)] == ["QUIT"] * 8


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize(("reply", "kind"), [("552 5.3.4 too big", REJECTED), ("250 2.0.0 thanks", DEFERRED)])
async def test_a_verdict_on_a_message_that_is_still_with_us_ends_the_line(
    offers: tuple[str, ...], reply: str, kind: OutcomeKind
) -> None:
    command = "BDAT" if offers is CHUNKING else "DATA"
    huge = b"Subject: x\r\n\r\n" + (b"x" * 900 + b"\r\n") * 20_000
    answer = Raw(f"{'' if offers is CHUNKING else '354 go' + chr(13) + chr(10)}{reply}\r\n".encode(), then=Act.SILENCE)
    script = in_turn(command, answer)
    async with RawServer(offers=offers, script=script) as server, _transport(server) as transport:
        [outcome] = await _send(transport, TO, message=huge)
        assert outcome.kind is kind
        assert server.messages == []
        assert [o.kind for o in await _send(transport, *_readers(2))] == [ACCEPTED, ACCEPTED]


@pytest.mark.parametrize("offers", WAYS)
async def test_f10_a_message_over_the_servers_size_is_refused_without_sending_it(offers: tuple[str, ...]) -> None:
    small = tuple("SIZE 100" if offer.startswith("SIZE") else offer for offer in offers)
    async with RawServer(offers=small) as server, _transport(server) as transport:
        [outcome] = await _send(transport, TO, message=MESSAGE * 2)
        assert (outcome.kind, outcome.code, outcome.enhanced) == (REJECTED, 552, "5.3.4")
        assert [o.kind for o in await _send(transport, TO)] == [ACCEPTED]
        assert server.verbs().count("MAIL") == 1


@pytest.mark.parametrize("offers", WAYS)
async def test_f8_what_is_not_ascii_is_announced_or_refused(offers: tuple[str, ...]) -> None:
    eight = "Subject: x\r\n\r\ncafé\r\n".encode()
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        [first] = await _send(transport, "аня@почта.рф")
        [second] = await _send(transport, TO, message=eight)
        assert (first.kind, second.kind) == (ACCEPTED, ACCEPTED)
        assert "SMTPUTF8" in server.messages[0].options
        assert "BODY=8BITMIME" in server.messages[1].options
    bare = tuple(offer for offer in offers if offer not in ("SMTPUTF8", "8BITMIME"))
    async with RawServer(offers=bare) as server, _transport(server) as transport:
        [first] = await _send(transport, "аня@почта.рф")
        [second] = await _send(transport, TO, message=eight)
        assert (first.enhanced, second.enhanced) == ("5.6.7", "5.6.3")


SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\n\n.\n\n"]
LAWFUL = [
    b"\r\n.\r\n",
    b"\r\n..\r\n",
    b"\r\n.",
    b"\r\n.\r\n.\r\n",
    b"\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n",
    b"\r\nRSET\r\nBDAT 5 LAST\r\nhello\r\n",
]


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize(
    "place", [b"Subject: x%s\r\n\r\nBody\r\n", b"Subject: x\r\n\r\nBo%sdy\r\n"], ids=["header", "body"]
)
async def test_s8_no_message_ends_early_and_none_becomes_two(offers: tuple[str, ...], place: bytes) -> None:
    async with RawServer(offers=offers) as server, _transport(server) as transport:
        for smuggled in SMUGGLED:
            [outcome] = await _send(transport, TO, message=place % smuggled)
            assert (outcome.kind, outcome.enhanced) == (REJECTED, "5.6.0")
        messages = [place % lawful for lawful in LAWFUL] + [b"." + place % b"", b".\r\n" + place % b"."]
        outcomes = await asyncio.gather(*(transport.send(FROM, TO, message) for message in messages))
        assert {o.kind for o in outcomes if o} == {ACCEPTED}
        assert [message.data for message in server.messages] == messages
        assert server.recipients() == [TO] * len(messages)


async def test_s13_delivery_reports_are_asked_for_where_they_are_offered_and_wanted() -> None:
    async with RawServer(offers=(*OFFERS, "DSN")) as server:
        async with _transport(server) as transport:
            await transport.send(FROM, TO, MESSAGE, envelope_id="d-1")
        async with _transport(server, delivery_reports=True) as transport:
            await transport.send(FROM, "ann+news=a@example.org", MESSAGE, envelope_id="d=2")
            await transport.send(FROM, "аня@example.org", MESSAGE)
        size = f"SIZE={len(MESSAGE)}"
        assert [message.options for message in server.messages] == [
            (size,),
            (size, "RET=HDRS", "ENVID=d+3D2", "NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;ann+2Bnews+3Da@example.org"),
            (size, "SMTPUTF8", "RET=HDRS", "NOTIFY=FAILURE,DELAY"),
        ]
