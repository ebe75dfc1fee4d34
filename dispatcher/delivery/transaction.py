"""One mail transaction on a line that does not wait: takes the replies as they come, and says what they lead to.

    RSET  MAIL  RCPT  DATA ──354──▶ the message, or a lone "." when nobody was accepted ──▶ CONTENT
    RSET  MAIL  RCPT  BDAT with the message ──────────────────────────────────────────────▶ CONTENT

No outcome is given before the last of its replies: a server may yet contradict itself.
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
from dispatcher.delivery.replies import Reply
from dispatcher.model.values import Blame, Outcome, OutcomeKind

GO_AHEAD = 354

NOT_UNDERSTOOD = frozenset({500, 502, 503, 504, 555})
"""Said of a command, not of a message (RFC 5321 §4.2.4): of one that the relay offered, it is no verdict."""

AFTER = {None: Stage.MAIL, Stage.RSET: Stage.MAIL, Stage.MAIL: Stage.RCPT, Stage.RCPT: Stage.DATA}

_OUT_OF_TURN = re.compile(r"synchroni[sz]ation|pipelin", re.IGNORECASE)


class Step(Enum):
    """What a reply leads to."""

    WAIT = auto()

    GO = auto()
    """The message may be written."""

    NOTHING_TO_SEND = auto()
    """The relay waits for a message that it has no recipient for."""

    DONE = auto()

    LOST = auto()
    """This reply cannot belong to that command."""


@dataclass(slots=True, eq=False)
class Transaction:
    """One message on its way; `answer` is what its sender waits for, `outcome` what is known of it so far.

    `fresh_until` is when, by the loop's clock, the last look has grown old. `number` is its place on the line, `end`
    the place of its last octet in all that we said there: 0 until it has been said. `answered` is the last stage that
    was, `refused` the first. `is_doubtful` is set when a refusal need not hold: RSET was refused, or MAIL was and the
    recipient was accepted all the same.
    """

    envelope: Envelope
    announcement: Announcement
    way: Way
    answer: asyncio.Future[Outcome | Fate]
    fresh_until: float = float("inf")
    number: int = 0
    end: int = 0
    outcome: Outcome | Fate | None = None
    answered: Stage | None = None
    refused: Stage | None = None
    is_doubtful: bool = False

    def take(self, stage: Stage, reply: Reply) -> Step:
        """Follow a reply, with a code between 200 and 599, to one stage."""
        self.answered = stage
        if reply.code >= 400:
            self._note_refusal(stage, reply)
        elif reply.code != GO_AHEAD if stage is Stage.DATA else reply.code >= 300:
            return Step.LOST
        match stage:
            case Stage.RCPT:
                self.is_doubtful |= self.outcome is not None and reply.code < 300
                return self._after_recipient()
            case Stage.DATA:
                return self._after_data(reply)
            case Stage.CONTENT:
                return self._after_content(reply)
            case _:
                return Step.WAIT

    def settle(self, outcome: Outcome | Fate) -> None:
        """Tell the sender, unless it was told before or has gone."""
        if not self.answer.done():
            self.answer.set_result(outcome)

    # What becomes of it when the line ends; `gone` is how many of our octets have left us.

    def is_sent(self, gone: int) -> bool:
        """Whether the relay may have the message."""
        return 0 < self.end <= gone

    def dismissed(self, stage: Stage, reply: Reply, gone: int) -> Outcome | Fate:
        """The relay, asked for this stage, closes the service (421, RFC 5321 §3.8)."""
        says_nothing_of_it = stage is Stage.RSET or self.is_doubtful
        if self.outcome is not None or (says_nothing_of_it and self.is_sent(gone)):
            return self.lost(lambda _: reply.text, gone)
        return Fate.GIVEN_BACK if self._is_between(AFTER.get(self.answered, stage)) else self._judge(stage, reply)

    def misheard(self, stage: Stage, reply: Reply, gone: int) -> Outcome | Fate:
        """The last reply makes no sense here."""
        if self.outcome is not None:
            return self.lost(lambda _: reply.text, gone)
        code = reply.code if reply.code >= 400 or stage is Stage.CONTENT else -1
        return self._judge(Stage.CONTENT if self.is_sent(gone) else stage, reply._replace(code=code))

    def answered_unread(self, reply: Reply) -> Outcome | Fate:
        """The relay has judged a message whose end is still with us."""
        if self.outcome is None and reply.code < 400:
            text = "the relay accepted a message that it cannot have read"
            return Outcome(OutcomeKind.DEFERRED, text=text, blame=Blame.RELAY)
        return self.outcome or self._judge(Stage.CONTENT, reply)

    def lost(self, words: Callable[[Stage], str], gone: int) -> Outcome | Fate:
        """The connection is lost; `words` say so of a stage."""
        is_sent = self.is_sent(gone)
        if self.outcome is not None and not (is_sent and self.is_doubtful):
            return self.outcome
        stage = Stage.CONTENT if is_sent else AFTER.get(self.answered, Stage.CONTENT)
        if self._is_between(stage):
            return Fate.GIVEN_BACK
        kind = OutcomeKind.UNCERTAIN if is_sent else OutcomeKind.DEFERRED
        return Outcome(kind, text=words(stage), blame=Blame.RELAY)

    def _is_between(self, stage: Stage) -> bool:
        """Whether a line ends between two messages, as when a server tires of waiting: no message's fault."""
        return stage is Stage.MAIL and self.number > 1

    def _judge(self, stage: Stage, reply: Reply) -> Outcome:
        return classify(reply.code, "", without_recipient(reply.text, self.envelope.recipient), stage=stage)

    def _note_refusal(self, stage: Stage, reply: Reply) -> None:
        """The first counts; the others follow from it."""
        if stage is Stage.RSET:
            self.is_doubtful = True
        elif self.outcome is None:
            self.refused = stage
            self.outcome = Fate.GIVEN_BACK if self._is_broken_promise(stage, reply) else self._judge(stage, reply)

    def _is_broken_promise(self, stage: Stage, reply: Reply) -> bool:
        """Whether the relay balks at how we speak, though it offered just that."""
        if stage is Stage.CONTENT and self.way is not Way.CHUNKED:
            return False  # it is about the message, which came as messages always did
        return reply.code in NOT_UNDERSTOOD or (reply.code >= 500 and _OUT_OF_TURN.search(reply.text) is not None)

    def _after_recipient(self) -> Step:
        if self.way is not Way.CHUNKED or self.end:
            return Step.WAIT
        return Step.GO if self.outcome is None else Step.DONE

    def _after_data(self, reply: Reply) -> Step:
        if reply.code != GO_AHEAD:
            return Step.DONE
        if self.outcome is None:
            return Step.GO
        # Unless it took MAIL and nobody after that, a lone dot would be an empty message to whomever it has in mind.
        return Step.NOTHING_TO_SEND if self.refused is Stage.RCPT else Step.LOST

    def _after_content(self, reply: Reply) -> Step:
        if self.outcome is None:
            self.outcome = self._judge(Stage.CONTENT, reply)
        elif self.is_doubtful and reply.code < 300:
            text = f"refused, and then accepted: {without_recipient(reply.text, self.envelope.recipient)}"
            self.outcome = Outcome(OutcomeKind.UNCERTAIN, reply.code, text=text, blame=Blame.RELAY)
        return Step.DONE
