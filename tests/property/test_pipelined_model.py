"""Whatever a relay says, in whatever pieces, and wherever it breaks off: no mail is claimed to be where it is not.

The dialogue talks to a model of a relay that knows what it has really kept. Between them lies a network that carries
any number of octets at a time, either way, and may lose the rest; what has left us may be read after we have hung up.
`ROUNDS=long` goes through fifty times as many conversations.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_smtp import CHUNKING, OFFERS, Raw, RawServer, Reset, Saying
from smtp_server import Act, Moment, Slow, Then

from dispatcher.delivery.commands import Terms, announce
from dispatcher.delivery.dialogue import Dialogue
from dispatcher.delivery.envelope import Envelope
from dispatcher.delivery.line import Fate
from dispatcher.delivery.manners import DEEPEST, Manners, Way
from dispatcher.delivery.outcomes import Stage
from dispatcher.delivery.replies import ReplyReader
from dispatcher.delivery.smtp import Relay, SmtpTransport
from dispatcher.delivery.transaction import Transaction
from dispatcher.model.values import Outcome, OutcomeKind

LONG = os.environ.get("ROUNDS") == "long"
REFUSALS = ("450 4.2.1 later", "451-4.3.0 not\r\n451 4.3.0 now", "550 5.1.1 no", "554-5.7.1 no\r\n554 really not")
BROKEN_PROMISES = ("500 what?", "502 5.5.1 no", "503 5.5.0 improper command pipelining", "555 no")
NONSENSE = ("354 go", "999 what", "200-one\r\n250 another", "HTTP/1.1 400 Bad Request", "", "25", "250+ok")


class ModelRelay:
    """Octets in, octets out; `kept` is what it answers for. It does as it should, mostly."""

    def __init__(self, rng: random.Random, goodness: float) -> None:
        self.rng, self.goodness = rng, goodness
        self.kept: list[str] = []
        self.is_gone = False
        self.faults: list[str] = []
        self._input, self._output = b"", b""
        self._chunk: int | None = None
        self._in_data = False
        self._forget()

    def feed(self, octets: bytes) -> bytes:
        """What it says to these octets, and to those before that were no whole command."""
        self._input += octets
        while not self.is_gone and self._step():
            pass
        said, self._output = self._output, b""
        return said

    def _forget(self) -> None:
        self._has_sender, self._recipient = False, ""

    def _step(self) -> bool:
        if self._chunk is not None:
            if len(self._input) < self._chunk:
                return False
            self._input, self._chunk = self._input[self._chunk :], None
            self._judge_content()
            return True
        if self._in_data:
            content, end, rest = (b"\r\n" + self._input).partition(b"\r\n.\r\n")
            if not end:
                return False
            self._input, self._in_data = rest, False
            if content or self._recipient:
                self._judge_content()
            else:
                self._say("554 5.5.1 nobody")
            return True
        line, end, rest = self._input.partition(b"\r\n")
        if not end:
            return False
        self._input = rest
        self._command(line.decode())
        return True

    def _command(self, line: str) -> None:
        verb = line.partition(" ")[0]
        if verb == "BDAT":
            self._chunk = int(line.split()[1])
            return
        if verb == "DATA" and self._input:
            self.faults.append("octets behind DATA")
        if not self._behaves():
            if verb == "DATA" and self.rng.random() < 0.3:
                self._in_data = True  # it goes ahead although there may be nobody
                self._say("354 go")
            return
        usual = {"RSET": self._rset, "MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data, "QUIT": self._quit}
        usual.get(verb, self._unknown)(line)

    def _unknown(self, _line: str) -> None:
        """Such as a message that nobody waits for."""
        self._say("500 5.5.1 what?")

    def _rset(self, _line: str) -> None:
        self._forget()
        self._say("250 2.0.0 forgotten")

    def _quit(self, _line: str) -> None:
        self._say("221 2.0.0 bye")
        self.is_gone = True

    def _mail(self, _line: str) -> None:
        if self._has_sender:
            self._say("503 5.5.1 nested MAIL")
        else:
            self._has_sender = True
            self._say("250 2.1.0 ok")

    def _rcpt(self, line: str) -> None:
        if self._has_sender:
            self._recipient = line.partition("<")[2].partition(">")[0]
            self._say("250-2.1.5 well\r\n250 2.1.5 ok")
        else:
            self._say("503 5.5.1 MAIL first")

    def _data(self, _line: str) -> None:
        if self._recipient or self.rng.random() < 0.3:
            self._in_data = True
            self._say("354 go")
        else:
            self._say("554 5.5.1 nobody")

    def _judge_content(self) -> None:
        recipient = self._recipient
        self._forget()
        if not recipient:
            self._say("503 5.5.1 nobody")
        elif self.rng.random() < (1 - self.goodness) / 3:
            self.kept.append(recipient)  # and dies before it says so, or while it does
            self._output += b"250 2.0"[: self.rng.randrange(8)]
            self.is_gone = True
        elif self._behaves():
            self.kept.append(recipient)
            self._say("250 2.0.0 kept")

    def _behaves(self) -> bool:
        """Whether it does what it should; else it has said something else instead, or has gone."""
        if self.rng.random() < self.goodness:
            return True
        kind = self.rng.randrange(6)
        if kind < 3:
            self._say(self.rng.choice(REFUSALS if kind else BROKEN_PROMISES))
        elif kind == 3:
            self._say("421 4.3.2 closing")
            self.is_gone = self.rng.random() < 0.7
        elif kind == 4:
            self._say(self.rng.choice(NONSENSE))
        else:
            self.is_gone = True
        return False

    def _say(self, reply: str) -> None:
        self._output += reply.encode() + b"\r\n"


class Network:
    """Carries octets between a dialogue and the model, some at a time."""

    def __init__(self, rng: random.Random, way: Way) -> None:
        self.rng = rng
        self.manners = Manners("model")
        self.manners.depth = rng.choice((1, 2, DEEPEST))
        self.dialogue, self.way = Dialogue(way, self.manners, rng.choice((0, 2, 6))), way
        self.relay = ModelRelay(rng, goodness=rng.choice((0.5, 0.9, 0.97, 1.0)))
        self.reader = ReplyReader()
        self.there, self.wire, self.back, self.gone, self.now = b"", b"", b"", 0, 0.0
        self.transactions: list[Transaction] = []

    def run(self, steps: int) -> None:
        """So many things happen; then the line is cut."""
        acts = (
            *(self.enter, self.leave, self.leave, self.carry_there, self.carry_there, self.carry_back, self.carry_back),
            *(self.tick, self.cancel, self.lose_patience),
        )
        for _ in range(steps):
            if not self.rng.choice(acts)():
                break
        self.dialogue.end(lambda stage: f"lost at {stage}", self.gone)
        self.relay.feed(self.wire[: self.rng.choice((0, 50, len(self.wire)))])

    def enter(self) -> bool:
        """Another message, as long as the line takes any."""
        if self.dialogue.takes_more:
            number = len(self.transactions)
            message = b"Subject: %d\r\n\r\n.\r\n%s\r\n" % (number, b"x" * self.rng.randrange(200))
            envelope = Envelope("s@x.example", f"r{number}@x.example", message)
            announcement = announce(envelope, Terms())
            assert not isinstance(announcement, Outcome)
            answer: asyncio.Future[Outcome | Fate] = asyncio.Future(loop=LOOP)
            until = self.now + self.rng.choice((1, 3, float("inf")))
            self.transactions.append(Transaction(envelope, announcement, self.way, "model", answer, until))
            self.dialogue.enter(self.transactions[-1])
            self.speak()
        return True

    def speak(self) -> None:
        """What is said lies in our own buffer at first."""
        self.there += b"".join(self.dialogue.speak(self.now))

    def leave(self) -> bool:
        """Some of it leaves us."""
        size = self.rng.choice((1, 7, 60, 300, len(self.there)))
        octets, self.there = self.there[:size], self.there[size:]
        self.gone += len(octets)
        self.wire += octets
        return True

    def carry_there(self) -> bool:
        """Some of what has left us is read."""
        size = self.rng.choice((1, 7, 60, 300, len(self.wire)))
        octets, self.wire = self.wire[:size], self.wire[size:]
        self.back += self.relay.feed(octets)
        return not self.relay.is_gone or bool(self.back)

    def carry_back(self) -> bool:
        """Some of what was replied arrives."""
        size = self.rng.choice((1, 5, 40, len(self.back)))
        octets, self.back = self.back[:size], self.back[size:]
        if not self.dialogue.listen(self.reader.feed(octets), self.now, self.gone):
            return False
        self.speak()
        return not self.relay.is_gone or bool(self.back)

    def tick(self) -> bool:
        """Time passes, sometimes a long time."""
        self.now += self.rng.choice((0.01, 0.01, 2.0))
        self.speak()
        return True

    def lose_patience(self) -> bool:
        """Now and then a reply takes too long."""
        if self.dialogue.awaits is None or self.rng.random() > 0.02:
            return True
        self.dialogue.wait_in_vain()
        return False

    def cancel(self) -> bool:
        """A sender goes away."""
        if self.transactions and self.rng.random() < 0.1:
            self.rng.choice(self.transactions).answer.cancel()
        return True


LOOP = asyncio.new_event_loop()


@pytest.fixture(autouse=True, scope="module")
def _close_the_loop() -> Iterator[None]:
    yield
    LOOP.close()


@pytest.mark.parametrize("way", list(Way))
@settings(max_examples=20_000 if LONG else 400)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 200))
def test_no_outcome_claims_what_the_relay_would_deny(way: Way, seed: int, steps: int) -> None:
    network = Network(random.Random(seed), way)
    network.run(steps)
    assert network.relay.faults == []
    for transaction in network.transactions:
        assert transaction.answer.done()  # none is lost
        if transaction.answer.cancelled():
            continue
        outcome, kept = transaction.answer.result(), network.relay.kept.count(transaction.envelope.recipient)
        match outcome:
            case Outcome(kind=OutcomeKind.ACCEPTED):
                assert kept == 1
            case Outcome(kind=OutcomeKind.UNCERTAIN):
                assert kept <= 1
            case _:
                assert kept == 0


@given(seed=st.integers(0, 2**32), steps=st.integers(100, 300))
def test_with_a_relay_that_behaves_every_message_that_was_read_is_accepted(seed: int, steps: int) -> None:
    for way in Way:
        network = Network(random.Random(seed), way)
        network.relay.goodness = 1.0
        network.run(steps)
        results = [t.answer.result() for t in network.transactions if not t.answer.cancelled()]
        assert not any(isinstance(o, Outcome) and o.kind is OutcomeKind.REJECTED for o in results)
        assert sum(isinstance(o, Outcome) and o.kind is OutcomeKind.ACCEPTED for o in results) <= len(
            network.relay.kept
        )


ANSWERS: list[Any] = [
    None, None, None, None, None, None, "451 4.3.0 later", "550 5.1.1 no", "421 4.3.2 closing", "502 5.5.1 what?",
    Then("421 4.3.2 closing", Act.DISCONNECT), Act.DISCONNECT, Act.KEEP_AND_DISCONNECT, Act.GARBAGE,
    Raw(b"25", then=Act.DISCONNECT), Reset(), Saying(b"250 \xff\n"), Slow(0.001), "550-5.7.1 no\r\n550 5.7.1 no",
]  # fmt: skip


@settings(max_examples=1000 if LONG else 30)
@given(
    answers=st.lists(st.sampled_from(ANSWERS), max_size=60), pieces=st.sampled_from([0, 0, 1, 9]),
    offers=st.sampled_from([OFFERS, CHUNKING, ("8BITMIME",)]), lines=st.integers(1, 3), sends=st.integers(1, 20),
)  # fmt: skip
def test_nor_does_the_whole_transport_on_a_real_connection(
    answers: list[Any], pieces: int, offers: tuple[str, ...], lines: int, sends: int
) -> None:
    left = iter(answers)

    def script(moment: Moment) -> Any:
        return next(left, None) if moment.command not in ("BANNER", "EHLO", "QUIT") else None

    async def work() -> None:
        async with RawServer(script=script, offers=offers, pieces=pieces) as server:
            transport = SmtpTransport(Relay("127.0.0.1", server.port, helo="client.test", max_connections=lines))
            readers = [f"r{n}@x.example" for n in range(sends)]
            outcomes = await asyncio.gather(*(transport.send("s@x.example", r, b"S: x\r\n\r\n.\r\n") for r in readers))
            await transport.close()
            for reader, outcome in zip(readers, outcomes, strict=True):
                assert outcome is not None
                if outcome.kind is not OutcomeKind.UNCERTAIN:
                    assert server.recipients().count(reader) == (outcome.kind is OutcomeKind.ACCEPTED)
            assert server.faults == []

    asyncio.run(work())


def test_the_words_for_a_lost_line_name_the_stage() -> None:
    network = Network(random.Random(1), Way.PIPELINED)
    network.enter()
    network.dialogue.end(lambda stage: f"lost at {stage}", 0)
    outcome = network.transactions[0].answer.result()
    assert isinstance(outcome, Outcome)
    assert outcome.text == f"lost at {Stage.MAIL}"
