"""Several relays: rules and weights hold; when one dies, its mail takes another one, and none is lost or repeated."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from event_loops import on_both_loops
from raw_smtp import RawServer
from relay_process import WAYS, RelayProcess
from smtp_server import Act, Moment, Slow, SmtpServer, Then, always, in_turn
from structlog.testing import capture_logs

from dispatcher.delivery import breaker
from dispatcher.delivery.breaker import Circuit
from dispatcher.delivery.gate import Health
from dispatcher.delivery.relays import Relays
from dispatcher.delivery.routing import Duty
from dispatcher.delivery.smtp import Relay, Security
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM, TO = "bounce@news.example", "ann@example.org"
MESSAGE = b"Subject: hello\r\n\r\nBody\r\n"
ACCEPTED, DEFERRED, REJECTED, UNCERTAIN = OutcomeKind
EQUAL = Duty()
SENDS = 24
BROKEN = (Circuit.OUT_OF_USE, Circuit.ON_TRIAL)  # a trial begins by itself, when it is time

Servers = Sequence[RawServer | SmtpServer | RelayProcess]


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """One command at a time, and both fast ways."""
    return str(request.param)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is measured in seconds, in tenths."""
    for name, value in {"FIRST_PAUSE": 0.1, "LONGEST_PAUSE": 0.4}.items():
        monkeypatch.setattr(f"dispatcher.delivery.breaker.{name}", value)
    for name, value in {"QUIET": 0.2, "ANSWER_WITHIN": 0.2, "NOTHING_DONE": 2.0}.items():
        monkeypatch.setattr(f"dispatcher.delivery.vigil.{name}", value)
    monkeypatch.setattr("dispatcher.delivery.relays.GLANCE", 0.05)


def _relay(server: Any, name: str, **settings: Any) -> Relay:
    settings = {"helo": "client.test", "timeout": 60.0, "max_connections": 4, **settings}
    return Relay(server.host, server.port, name=name, **settings)


@asynccontextmanager
async def _relays(servers: Servers, *duties: Duty, **settings: Any) -> AsyncIterator[Relays]:
    named = zip(servers, ("west", "east", "south"), duties or [EQUAL] * len(servers), strict=False)
    relays = Relays([(_relay(server, name, **settings), duty) for server, name, duty in named])
    try:
        yield relays
    finally:
        await relays.close()


def _readers(count: int) -> list[str]:
    return [f"reader{n}@example.org" for n in range(count)]


async def _send(
    relays: Relays, readers: Sequence[str], outcomes: dict[str, Outcome] | None = None
) -> dict[str, Outcome]:
    """All of them, so many at once."""
    outcomes, waiting = {} if outcomes is None else outcomes, deque(readers)

    async def work() -> None:
        while waiting:
            reader = waiting.popleft()
            outcome = await relays.send(FROM, reader, MESSAGE)
            assert outcome is not None
            outcomes[reader] = outcome

    async with asyncio.TaskGroup() as group:
        for _ in range(SENDS):
            group.create_task(work())
    return outcomes


async def _until(is_true: Any) -> None:
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 (nobody could set an event: this is about what others do)
            await asyncio.sleep(0.01)


def _assert_once(outcomes: dict[str, Outcome], readers: Sequence[str], *arrived: Sequence[str]) -> None:
    """Whoever was said to have mail has it once; where that is uncertain, at most once; nobody was put off."""
    copies = Counter[str]()
    for recipients in arrived:
        copies.update(recipients)
    assert set(outcomes) == set(readers)
    assert {outcome.kind for outcome in outcomes.values()} <= {ACCEPTED, UNCERTAIN}
    for reader, outcome in outcomes.items():
        assert copies[reader] == 1 if outcome.kind is ACCEPTED else copies[reader] <= 1


# Who gets what


@on_both_loops
async def test_relays_share_the_mail_by_weight(way: str) -> None:
    async with RawServer(offers=WAYS[way]) as west, RawServer(offers=WAYS[way]) as east:
        async with _relays([west, east], Duty(weight=3), Duty(), messages_per_connection=1000) as relays:
            outcomes = await _send(relays, _readers(1000))
            _assert_once(outcomes, _readers(1000), west.recipients(), east.recipients())
            assert {relays.route(FROM, reader) for reader in west.recipients()} == {"west"}
            assert relays.max_connections == 8
        assert len(west.messages) / 1000 == pytest.approx(0.75, abs=0.05)
        assert max(west.connections, east.connections) <= 4


async def test_rules_and_priorities_hold() -> None:
    async with RawServer() as west, RawServer() as east, RawServer() as south:
        duties = Duty(priority=2), Duty(), Duty(priority=3, only_to=("*.example.net",))
        async with _relays([west, east, south], *duties) as relays:
            assert [relays.route(FROM, "ann@example.org"), relays.route(FROM, "ann@old.example.net")] == [
                "east",
                "south",
            ]
            await _send(relays, ["ann@example.org", "ann@old.example.net", "ann@example.net"])
            assert relays.max_connections == 8  # those in front: it has one in reserve
        assert sorted(east.recipients()) == ["ann@example.net", "ann@example.org"]
        assert south.recipients() == ["ann@old.example.net"]
        assert west.connections == 0


async def test_mail_for_which_there_is_no_relay_waits() -> None:
    async with RawServer() as west, _relays([west], Duty(only_to=("example.net",))) as relays:
        outcome = await relays.send(FROM, TO, MESSAGE)
        assert outcome is not None
        assert (outcome.kind, outcome.blame) == (DEFERRED, Blame.RELAY)
        assert relays.route(FROM, TO) == ""


async def test_a_refusal_is_final_whichever_relay_gives_it() -> None:
    async with RawServer(script=always("RCPT", "550 5.1.1 unknown")) as west, RawServer() as east:
        async with _relays([west, east], Duty(), Duty(priority=2)) as relays:
            outcomes = await _send(relays, _readers(20))
        assert {outcome.kind for outcome in outcomes.values()} == {REJECTED}
        assert east.connections == 0


async def test_a_single_relay_is_left_to_its_own_ways() -> None:
    async with RawServer(script=always("BANNER", "421 4.3.2 not today")) as west, _relays([west]) as relays:
        for _ in range(3):
            outcomes = await _send(relays, _readers(10))
            assert {(o.kind, o.code, o.blame, o.relay) for o in outcomes.values()} == {
                (DEFERRED, 421, Blame.RELAY, "west")
            }
        assert relays.failing_since is not None
        assert relays.health()[0].since == relays.failing_since == relays.blocked_since(FROM, TO)
        west.script = None
        assert (await _send(relays, [TO]))[TO].kind is ACCEPTED
        assert relays.failing_since is None
        assert relays.max_sends == 12


# One that cannot be used


def _no_login(server_side: ssl.SSLContext) -> SmtpServer:
    return SmtpServer(tls=server_side, auth={"news": "another"})


@pytest.mark.parametrize(
    "script",
    [
        always("BANNER", "421 4.3.2 not today"),
        always("BANNER", Act.DISCONNECT),
        always("EHLO", Act.GARBAGE),
        always("MAIL", "421 4.3.2 closing"),
        always("MAIL", Then("421 4.3.2 closing", Act.DISCONNECT)),
        always("RCPT", "554 5.7.1 relay access denied"),
        always("RCPT", Act.DISCONNECT),
        always("CONTENT", "452 4.3.1 no room left"),
        always("CONTENT", "421 4.3.0 cannot keep it"),
    ],
)
async def test_the_mail_of_a_relay_that_refuses_everything_takes_another_at_once(script: Any, way: str) -> None:
    async with RawServer(offers=WAYS[way], script=script) as west, RawServer(offers=WAYS[way]) as east:
        async with _relays([west, east]) as relays:
            outcomes = await _send(relays, _readers(1000))
            assert relays.health()[0].circuit in BROKEN
        _assert_once(outcomes, _readers(1000), west.recipients(), east.recipients())
        assert len(east.messages) == 1000
        assert {outcome.relay for outcome in outcomes.values()} == {"east"}


async def test_the_mail_of_a_relay_whose_port_is_closed_takes_another_at_once(free_port: Any) -> None:
    async with RawServer() as east:
        gone = SmtpServer(port=free_port())
        async with _relays([gone, east], Duty(), Duty(priority=2)) as relays:
            assert relays.route(FROM, TO) == "west"
            _assert_once(await _send(relays, _readers(1000)), _readers(1000), east.recipients())
            assert relays.route(FROM, TO) == "east"
            assert relays.failing_since is None
            health = relays.health()[0]
            assert health.since is not None
            assert "cannot connect" in health.reason


async def test_the_mail_of_a_relay_that_does_not_know_our_password_takes_another_at_once() -> None:
    ca = trustme.CA()
    server_side, client_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    ca.issue_cert("127.0.0.1").configure_cert(server_side)
    ca.configure_trust(client_side)
    login = {"username": "news", "password": "s3cret", "security": Security.STARTTLS, "tls_context": client_side}
    async with SmtpServer(tls=server_side, auth={"news": "another"}) as west, RawServer() as east:
        relays = Relays([(_relay(west, "west", **login), Duty()), (_relay(east, "east"), Duty(priority=2))])
        _assert_once(await _send(relays, _readers(100)), _readers(100), east.recipients())
        await relays.close()
        assert west.messages == []


@on_both_loops
async def test_the_mail_of_a_relay_that_never_greets_takes_another_within_seconds(quick: None) -> None:
    async with (
        RawServer(script=always("BANNER", Act.SILENCE)) as west,
        RawServer() as east,
        _relays([west, east], Duty(weight=3), Duty()) as relays,
        asyncio.timeout(30),
    ):
        _assert_once(await _send(relays, _readers(1000)), _readers(1000), east.recipients())
        assert "fallen silent" in relays.health()[0].reason


async def test_mail_waits_when_no_relay_works_and_each_is_told_so_once(free_port: Any) -> None:
    west, east = SmtpServer(port=free_port()), SmtpServer(port=free_port())
    async with _relays([west, east]) as relays:
        with capture_logs() as logs:
            outcomes = await _send(relays, _readers(200))
        assert {(outcome.kind, outcome.blame) for outcome in outcomes.values()} == {(DEFERRED, Blame.RELAY)}
        assert relays.failing_since is not None
        assert relays.blocked_since(FROM, TO) is not None
        assert relays.max_connections == relays.max_sends == 8
        assert sorted(log["relay"] for log in logs if log["event"].startswith("a relay is out of use")) == [
            "east",
            "west",
        ]


async def test_what_a_relay_is_for_can_be_blocked_while_other_mail_is_not(free_port: Any) -> None:
    async with RawServer() as east:
        gone = SmtpServer(port=free_port())
        async with _relays([gone, east], Duty(only_to=("example.net",)), Duty(only_to=("example.org",))) as relays:
            outcomes = await _send(relays, ["ann@example.net", "bob@example.net", TO])
            assert outcomes[TO].kind is ACCEPTED
            assert relays.blocked_since(FROM, "ann@example.net") is not None
            assert relays.blocked_since(FROM, TO) is None
            assert relays.failing_since is None


# One that dies


async def test_a_relay_that_is_killed_loses_and_repeats_nothing(tmp_path: Path, way: str) -> None:
    async with RelayProcess(tmp_path / "west", way) as west, RelayProcess(tmp_path / "east", way) as east:
        async with _relays([west, east]) as relays:
            outcomes: dict[str, Outcome] = {}
            sending = asyncio.create_task(_send(relays, _readers(1500), outcomes))
            await _until(lambda: len(outcomes) > 300)
            west.kill()
            async with asyncio.timeout(20):
                await sending
        assert len(west.recipients()) < 700
        _assert_once(outcomes, _readers(1500), west.recipients(), east.recipients())
        unsure = sum(outcome.kind is UNCERTAIN for outcome in outcomes.values())
        assert unsure <= {"plain": 4, "pipelined": 4, "chunked": 32}[way]


async def test_a_relay_that_comes_back_is_used_again(tmp_path: Path, quick: None) -> None:
    async with (
        RelayProcess(tmp_path / "west") as west,
        RelayProcess(tmp_path / "east") as east,
        _relays([west, east], Duty(), Duty(priority=2)) as relays,
    ):
        with capture_logs() as logs:
            await _send(relays, _readers(100))
            west.kill()
            await _send(relays, _readers(300))
            assert relays.health()[0].circuit is Circuit.OUT_OF_USE
            await west.start()
            await _until(lambda: relays.health()[0].circuit is Circuit.ON_TRIAL)
            await _send(relays, _readers(100))
        words = [log["event"].split(";")[0] for log in logs if log.get("relay") == "west"]
        assert words == ["a relay is out of use for now", "a relay is in use again"]
        assert relays.health()[0] == Health("west", Circuit.IN_USE)
        assert relays.route(FROM, TO) == "west"
        last = len(east.recipients())
        await _send(relays, _readers(100))
        assert len(east.recipients()) == last


@on_both_loops
async def test_a_relay_that_falls_silent_keeps_only_what_it_was_being_told(quick: None, way: str) -> None:
    """What it has been handed stays uncertain; what waited for a connection goes elsewhere; the rest is not lost."""
    told = 0

    def script(moment: Moment) -> Any:
        nonlocal told
        told += moment.command == "MAIL"
        return Act.SILENCE if told > 100 else None

    async with RawServer(offers=WAYS[way], script=script) as west, RawServer(offers=WAYS[way]) as east:
        async with _relays([west, east], timeout=1.0, end_of_data_timeout=1.5) as relays, asyncio.timeout(30):
            outcomes = await _send(relays, _readers(1000))
            assert relays.health()[0].circuit in BROKEN
        _assert_once(outcomes, _readers(1000), west.recipients(), east.recipients())


@on_both_loops
async def test_a_relay_that_answers_but_finishes_nothing_is_left_alone(quick: None) -> None:
    async with RawServer(script=always("CONTENT", Act.SILENCE)) as west, RawServer() as east:
        async with _relays([west, east], end_of_data_timeout=3.0) as relays, asyncio.timeout(30):
            outcomes = await _send(relays, _readers(200))
            assert "nothing is ever finished" in relays.health()[0].reason
        _assert_once(outcomes, _readers(200), east.recipients())
        assert sum(outcome.kind is UNCERTAIN for outcome in outcomes.values()) <= 4 + breaker.AT_ONCE


async def test_a_slow_relay_is_not_taken_for_a_dead_one(quick: None) -> None:
    async with RawServer(script=always("CONTENT", Slow(0.5))) as west, RawServer() as east:
        async with _relays([west, east]) as relays, asyncio.timeout(30):
            outcomes = await _send(relays, _readers(60))
            assert {health.circuit for health in relays.health()} == {Circuit.IN_USE}
        assert {outcome.kind for outcome in outcomes.values()} == {ACCEPTED}
        assert west.messages


async def test_an_uncertain_message_is_not_given_to_another_relay() -> None:
    async with RawServer(script=always("CONTENT", Act.KEEP_AND_DISCONNECT)) as west, RawServer() as east:
        async with _relays([west, east], Duty(), Duty(priority=2)) as relays:
            outcomes = await _send(relays, _readers(100))
        _assert_once(outcomes, _readers(100), west.recipients(), east.recipients())
        unsure = {reader for reader, outcome in outcomes.items() if outcome.kind is UNCERTAIN}
        assert unsure == set(west.recipients())
        assert len(unsure) <= 12 + breaker.IN_A_ROW


async def test_a_relay_that_flaps_loses_and_repeats_nothing(quick: None, way: str) -> None:
    flips = 0

    def script(moment: Moment) -> Any:
        return None if flips % 2 == 0 else Then("421 4.3.2 not now", Act.DISCONNECT)

    async def flap(west: RawServer) -> None:
        nonlocal flips
        while True:
            await asyncio.sleep(0.15)
            flips += 1
            west.disconnect_everybody()

    async with RawServer(offers=WAYS[way], script=script) as west, RawServer(offers=WAYS[way]) as east:
        async with _relays([west, east]) as relays, asyncio.timeout(40):
            flapping = asyncio.create_task(flap(west))
            outcomes: dict[str, Outcome] = {}
            while flips < 8:
                await _send(relays, [f"reader{len(outcomes)}.{n}@example.org" for n in range(100)], outcomes)
                await asyncio.sleep(0.02)
            flapping.cancel()
            flips = 0
            while len(west.messages) < 100:
                await _send(relays, [f"late{len(outcomes)}.{n}@example.org" for n in range(20)], outcomes)
                await asyncio.sleep(0.02)
        _assert_once(outcomes, list(outcomes), west.recipients(), east.recipients())


# The last look, cancellation, changes, the end


async def test_each_relay_takes_a_last_look_of_its_own() -> None:
    asked: list[int] = []

    async def ready() -> bool:
        asked.append(len(asked))
        return len(asked) < 2

    async with RawServer(script=always("RCPT", "421 4.3.2 closing")) as west, RawServer() as east:
        async with _relays([west, east], Duty(), Duty(priority=2)) as relays:
            assert await relays.send(FROM, TO, MESSAGE, ready=ready) is None
        assert len(asked) == 2
        assert east.messages == []


async def test_what_the_last_look_raises_comes_through_and_says_nothing_about_the_relay() -> None:
    async def ready() -> bool:
        raise ZeroDivisionError

    async with RawServer() as west, RawServer() as east, _relays([west, east]) as relays:
        for reader in _readers(20):
            with pytest.raises(ZeroDivisionError):
                await relays.send(FROM, reader, MESSAGE, ready=ready)
        assert {health.circuit for health in relays.health()} == {Circuit.IN_USE}


async def test_a_cancelled_send_ends_and_says_nothing_about_the_relay() -> None:
    async with (
        RawServer(script=always("BANNER", Act.SILENCE)) as west,
        RawServer() as east,
        _relays([west, east], Duty(), Duty(priority=2)) as relays,
    ):
        for n in range(1, 8):
            sending = asyncio.create_task(relays.send(FROM, TO, MESSAGE))
            await west.wait_until(lambda n=n: west.connections == n)
            await asyncio.sleep(0.05)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert relays.health()[0].circuit is Circuit.IN_USE
        assert east.connections == 0


async def test_closing_waits_for_sends_that_have_yet_to_find_a_relay(quick: None) -> None:
    async with RawServer(script=always("BANNER", Act.SILENCE)) as west, RawServer() as east:
        async with _relays([west, east], Duty(), Duty(priority=2)) as relays:
            sending = [asyncio.create_task(relays.send(FROM, reader, MESSAGE)) for reader in _readers(50)]
            await west.wait_until(lambda: west.connections)
        assert all(sent.done() for sent in sending)
        assert sorted(east.recipients()) == sorted(_readers(50))
        with pytest.raises(RuntimeError):
            await relays.send(FROM, TO, MESSAGE)


async def test_a_relay_that_stays_keeps_its_connections_and_one_that_goes_finishes_its_mail() -> None:
    async with RawServer(script=in_turn("CONTENT", Slow(0.2))) as west, RawServer() as east, RawServer() as south:
        async with _relays([west, east], Duty(), Duty(priority=2), max_connections=1) as relays:
            first = asyncio.create_task(relays.send(FROM, TO, MESSAGE))
            await west.wait_until(lambda: west.connections)
            stays = (_relay(east, "east", max_connections=1), Duty(weight=7))
            relays.apply([stays, (_relay(south, "south"), Duty(priority=2))])
            await _send(relays, _readers(3))
            relays.apply([stays])
            await _send(relays, _readers(3))
            outcome = await first
            assert outcome is not None
            assert (outcome.kind, outcome.relay) == (ACCEPTED, "west")
            await west.wait_until(lambda: not west.open_connections)
        assert (len(east.messages), east.connections, south.connections) == (6, 1, 0)
        assert west.recipients() == [TO]
