"""The catalogue of what servers do wrong: whatever it is, each of five messages ends in the one right state."""

from __future__ import annotations

import asyncio

import pytest
from misbehaviours import CATALOGUE, Misbehaviour
from raw_smtp import CHUNKING, OFFERS, RawServer
from smtp_server import Act, Moment

from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.model.values import Blame, Outcome, OutcomeKind

FROM = "bounce@news.example"
MESSAGE = b"Subject: hello\r\nTo: ann@example.org\r\n\r\n.dots\r\n..\r\nand an end\r\n.\r\n"
FIVE = [f"reader{number}@example.org" for number in range(5)]
AGAIN = [f"again{number}@example.org" for number in range(5)]
WAYS = {"s": tuple(offer for offer in OFFERS if offer != "PIPELINING"), "p": OFFERS, "c": CHUNKING}
PATIENCE, IMPATIENCE = 10.0, 1.0


@pytest.fixture(autouse=True)
def _brief_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.delivery.connection.FAREWELL_TIMEOUT", 0.2)


@pytest.mark.parametrize("row", CATALOGUE, ids=[row.name for row in CATALOGUE])
async def test_each_message_ends_in_the_one_right_state(row: Misbehaviour) -> None:
    seen = await asyncio.gather(*(_Trial(row, way).run() for way in WAYS))
    assert [kinds for kinds, _ in seen] == [row.plain, row.pipelined, row.chunked]
    assert "".join(way for _, way in seen) == row.then


class _Trial:
    """One misbehaviour, in one way of speaking."""

    def __init__(self, row: Misbehaviour, way: str) -> None:
        self.row = row
        offers = tuple(offer for offer in WAYS[way] if not (row.offers and offer.startswith("SIZE")))
        self.server = RawServer(offers=(*offers, *row.offers), **row.server)
        self.is_about_mail = not row.server and row.does.keys().isdisjoint({"BANNER", "EHLO"})

    async def run(self) -> tuple[str, str]:
        """What became of the five, as letters, and how the relay is spoken to afterwards."""
        async with self.server as server:
            self.transport = self._open()
            if self.is_about_mail:  # some trust is built up first
                for number in range(3):
                    await self._send([f"early{number}@example.org"])
            server.script = self.row.script()
            outcomes = await self._send_five()
            self._nothing_is_claimed_wrongly(outcomes)
            self._mend()
            way = await self._way_afterwards(_letters(outcomes))
            await self.transport.close()
        assert server.faults == []
        return _letters(outcomes), way

    def _open(self) -> SmtpTransport:
        patience = IMPATIENCE if self.row.is_silent else PATIENCE
        relay = Relay(
            self.server.host, self.server.port, helo="client.test", max_connections=1, timeout=patience,
            end_of_data_timeout=patience, messages_per_connection=6 if "QUIT" in self.row.does else 100,
        )  # fmt: skip
        return SmtpTransport(relay)

    async def _send(self, recipients: list[str]) -> list[Outcome]:
        sends = (self.transport.send(FROM, recipient, MESSAGE) for recipient in recipients)
        return [outcome for outcome in await asyncio.gather(*sends) if outcome is not None]

    async def _send_five(self) -> list[Outcome]:
        if "BETWEEN" not in self.row.does:
            return await self._send(FIVE)
        before = await self._send(FIVE[:2])
        said = self.row.does["BETWEEN"]
        if isinstance(said, bytes):
            await self.server.blurt(said)
        elif said is Act.DISCONNECT:
            self.server.disconnect_everybody()
        else:
            self.server.reset_everybody()
        await asyncio.sleep(0.02)
        return before + await self._send(FIVE[2:])

    def _nothing_is_claimed_wrongly(self, outcomes: list[Outcome]) -> None:
        """Accepted is what was kept, once; what is said not to have arrived was not kept."""
        for reader, outcome in zip(FIVE, outcomes, strict=True):
            kept = self.server.recipients().count(reader)
            assert kept <= 1
            assert outcome.relay
            assert outcome.text or outcome.kind is OutcomeKind.ACCEPTED
            assert outcome.blame is Blame.RELAY or outcome.kind is not OutcomeKind.UNCERTAIN
            if outcome.kind is not OutcomeKind.UNCERTAIN and not self.row.liar:
                assert kept == (outcome.kind is OutcomeKind.ACCEPTED), (reader, outcome)

    def _mend(self) -> None:
        """From here on it behaves; only what it offers stays as it is."""
        server = self.server
        server.script, server.unknown, server.forgetful, server.always_goes_ahead = None, (), False, False

    async def _way_afterwards(self, before: str) -> str:
        mark, ahead = len(self.server.commands), self.server.ahead
        again = _letters(await self._send(AGAIN))
        assert again == (before if self.row.offers else "AAAAA")
        if any(line.startswith("BDAT") for _, line in self.server.commands[mark:]):
            return "c"
        return "p" if self.server.ahead > ahead else "s"


def _letters(outcomes: list[Outcome]) -> str:
    return "".join(outcome.kind[0] for outcome in outcomes).upper()


async def test_a_relay_that_offers_smtputf8_and_refuses_it_passes_its_verdict() -> None:
    def script(moment: Moment) -> str | None:
        is_utf8 = moment.command == "MAIL" and "SMTPUTF8" in server.commands[-1][1]
        return "555 5.6.7 no SMTPUTF8 after all" if is_utf8 else None

    async with RawServer(script=script) as server:
        transport = SmtpTransport(Relay(server.host, server.port, helo="client.test", max_connections=1))
        outcomes = await asyncio.gather(
            *(transport.send(FROM, reader, MESSAGE) for reader in (FIVE[0], "аня@example.org", FIVE[1]))
        )
        await transport.close()
        assert [o.kind for o in outcomes if o] == [OutcomeKind.ACCEPTED, OutcomeKind.REJECTED, OutcomeKind.ACCEPTED]
        assert server.recipients() == FIVE[:2]


def test_the_catalogue_covers_every_stage() -> None:
    stages = {moment for row in CATALOGUE for moment in row.does}
    assert stages >= {"BANNER", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "RSET", "BETWEEN", "QUIT"}
    assert len({row.name for row in CATALOGUE}) == len(CATALOGUE) >= 30
