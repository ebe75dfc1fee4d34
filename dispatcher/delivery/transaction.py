"""One mail transaction: takes the replies as they come, and says what they lead to.

    RSET ─▶ MAIL ─▶ RCPT ─▶ DATA ──354──▶ the message ────────────────────────────────────▶ CONTENT
    RSET  MAIL  RCPT  DATA ──354──▶ the message, or a lone "." when nobody was accepted ──▶ CONTENT
    RSET  MAIL  RCPT  BDAT with the message ──────────────────────────────────────────────▶ CONTENT

Where commands wait for each other, the first refusal is the outcome. Where they do not, there is none before the last
of the replies: a server may yet contradict itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from dispatcher.delivery.commands import Announcement
from dispatcher.delivery.envelope import Envelope
from dispatcher.delivery.line import Fate
from dispatcher.delivery.manners import Way
from dispatcher.delivery.outcomes import Stage, classify, without_recipient
from dispatcher.delivery.replies import GARBLED, Reply
from dispatcher.model.values import Blame, Outcome, OutcomeKind

GO_AHEAD = 354

NOT_UNDERSTOOD = frozenset({500, 502, 503, 504, 555})
"""Said of a command, not of a message (RFC 5321 §4.2.4): of one that the relay offered, it is no verdict."""

PLAIN, CHUNKED = Way.PLAIN, Way.CHUNKED
RSET, MAIL, RCPT, DATA, CONTENT = Stage.RSET, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.CONTENT

NEXT = {MAIL: RCPT, RCPT: DATA, DATA: CONTENT}
"""One command after the other."""

_OUT_OF_TURN = re.compile(r"synchroni[sz]ation|pipelin", re.IGNORECASE)


class Step(Enum):
    """What a reply leads to."""

    WAIT = auto()

    GO_ON = auto()
    """The next command may be said: they wait for each other here."""

    BEGIN_ANEW = auto()
    """RSET was answered, well or not."""

    GO = auto()
    """The message may be written."""

    NOTHING_TO_SEND = auto()
    """The relay waits for a message that it has no recipient for."""

    DONE = auto()

    LOST = auto()
    """This reply cannot belong to that command."""


WAIT = Step.WAIT


@dataclass(slots=True, eq=False)
class Transaction:
    """One message on its way; `answer` is what its sender waits for, `outcome` what is known of it so far.

    `relay` is what outcomes call the relay. `fresh_until` is when, by the loop's clock, the last look has grown old.
    `awaits` is what the next reply will be to. `number` is its place on the line, `end` the place of its last octet in
    all that we said there: 0 until it has been said. `refused` is the first stage that was. `is_doubtful` is set when a
    refusal need not hold: RSET was refused, or what follows from MAIL or RCPT was accepted all the same.
    """

    envelope: Envelope
    announcement: Announcement
    way: Way
    relay: str
    answer: asyncio.Future[Outcome | Fate]
    fresh_until: float = float("inf")
    awaits: Stage = MAIL
    number: int = 0
    end: int = 0
    outcome: Outcome | Fate | None = None
    refused: Stage | None = None
    is_doubtful: bool = False

    def take(self, reply: Reply) -> Step:
        """Follow a reply, with a code between 200 and 599, to what is awaited."""
        stage, code = self.awaits, reply.code
        if code >= 400:
            self._note_refusal(reply)
        elif code != GO_AHEAD if stage is DATA else code >= 300:
            return Step.LOST
        if stage is CONTENT:
            return self._after_content(reply)
        if stage is RSET:
            self.awaits = MAIL
            return Step.BEGIN_ANEW
        if self.way is PLAIN:
            return self._after_command()
        if stage is DATA:
            return self._after_data(reply)
        if stage is RCPT:
            return self._after_recipient(reply)
        self.awaits = RCPT
        return WAIT

    def settle(self, outcome: Outcome | Fate) -> None:
        """Tell the sender, unless it was told before or has gone."""
        if not self.answer.done():
            self.answer.set_result(outcome)

    # What becomes of it when the line ends; `gone` is how many of our octets have left us.

    def is_sent(self, gone: int) -> bool:
        """Whether the relay may have the message."""
        return 0 < self.end <= gone

    def dismissed(self, reply: Reply, gone: int) -> Outcome | Fate:
        """The relay, asked for what is awaited, closes the service (421, RFC 5321 §3.8)."""
        says_nothing_of_it = self.awaits is RSET or self.is_doubtful
        if self.outcome is not None or (says_nothing_of_it and self.is_sent(gone)):
            return self.lost(lambda _: reply.text, gone)
        return Fate.GIVEN_BACK if self._is_between else self._judge(self.awaits, reply)

    def misheard(self, reply: Reply, gone: int) -> Outcome | Fate:
        """The last reply makes no sense here."""
        if self.outcome is not None:
            return self.lost(lambda _: reply.text, gone)
        code = reply.code if reply.code >= 400 or self.awaits is CONTENT else GARBLED
        stage = DATA if self.awaits is CONTENT else self.awaits
        return self._judge(CONTENT if self.is_sent(gone) else stage, reply._replace(code=code))

    def answered_unread(self, reply: Reply) -> Outcome | Fate:
        """The relay has judged a message whose end is still with us."""
        if self.outcome is None and reply.code < 400:
            text = "the relay accepted a message that it cannot have read"
            return Outcome(OutcomeKind.DEFERRED, text=text, blame=Blame.RELAY, relay=self.relay)
        return self.outcome or self._judge(CONTENT, reply)

    def lost(self, words: Callable[[Stage], str], gone: int) -> Outcome | Fate:
        """The connection is lost; `words` say so of a stage."""
        is_sent = self.is_sent(gone)
        if self.outcome is not None and not (is_sent and self.is_doubtful):
            return self.outcome
        if self._is_between and not is_sent:
            return Fate.GIVEN_BACK
        if is_sent:
            return Outcome(OutcomeKind.UNCERTAIN, text=words(CONTENT), blame=Blame.RELAY, relay=self.relay)
        stage = MAIL if self.awaits is RSET else self.awaits
        return Outcome(OutcomeKind.DEFERRED, text=words(stage), blame=Blame.RELAY, relay=self.relay)

    @property
    def _is_between(self) -> bool:
        """Whether a line that ends now ends between two messages, as when a server tires of waiting: nobody's fault."""
        return self.number > 1 and (self.awaits is MAIL or self.awaits is RSET)

    def _judge(self, stage: Stage, reply: Reply) -> Outcome:
        text = without_recipient(reply.text, self.envelope.recipient)
        return classify(reply.code, "", text, stage=stage, relay=self.relay)

    def _note_refusal(self, reply: Reply) -> None:
        """The first counts; the others follow from it."""
        if self.awaits is RSET:
            self.is_doubtful = True
        elif self.outcome is None:
            self.refused = self.awaits
            self.outcome = Fate.GIVEN_BACK if self._is_broken_promise(reply) else self._judge(self.awaits, reply)

    def _is_broken_promise(self, reply: Reply) -> bool:
        """Whether the relay balks at how we speak, though it offered just that."""
        if self.way is PLAIN or (self.awaits is CONTENT and self.way is not CHUNKED):
            return False  # it was said as it always was
        return reply.code in NOT_UNDERSTOOD or (reply.code >= 500 and _OUT_OF_TURN.search(reply.text) is not None)

    def _after_command(self) -> Step:
        if self.outcome is not None:
            return Step.DONE
        self.awaits = NEXT[self.awaits]
        return Step.GO if self.awaits is CONTENT else Step.GO_ON

    def _after_recipient(self, reply: Reply) -> Step:
        is_chunked = self.way is CHUNKED
        self.awaits = CONTENT if is_chunked else DATA
        if self.outcome is not None and reply.code < 300:
            self.is_doubtful = True
        if not is_chunked or self.end:
            return WAIT
        return Step.GO if self.outcome is None else Step.DONE

    def _after_data(self, reply: Reply) -> Step:
        if reply.code != GO_AHEAD:
            return Step.DONE
        # Unless it took MAIL and nobody after that, a lone dot would be an empty message to whomever it has in mind.
        if self.outcome is not None and self.refused is not RCPT:
            return Step.LOST
        self.awaits = CONTENT
        return Step.GO if self.outcome is None else Step.NOTHING_TO_SEND

    def _after_content(self, reply: Reply) -> Step:
        if self.outcome is None:
            self.outcome = self._judge(CONTENT, reply)
        elif reply.code < 300 and (self.is_doubtful or self.end):
            self.is_doubtful = True
            text = f"refused, and then accepted: {without_recipient(reply.text, self.envelope.recipient)}"
            self.outcome = Outcome(OutcomeKind.UNCERTAIN, reply.code, text=text, blame=Blame.RELAY, relay=self.relay)
        return Step.DONE
