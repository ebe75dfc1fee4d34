"""What is said on a line that does not wait, and what the answers mean. No I/O: octets out, replies in.

    waiting ──(its turn)──▶ under way ──(its last reply)──▶ settled

A message's turn comes when no go-ahead is awaited any more and, with CHUNKING, few enough are under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dispatcher.delivery.line import Fate
from dispatcher.delivery.manners import Manners, Way
from dispatcher.delivery.outcomes import Stage
from dispatcher.delivery.replies import Reply
from dispatcher.delivery.transaction import Step, Transaction
from dispatcher.model.values import Outcome, OutcomeKind

SERVICE_CLOSING = 421

MOST_OCTETS = 1 << 20
"""Of messages that may be under way with CHUNKING; a larger one travels alone."""

SILENCE = 0.2
"""Seconds without a reply after which a message is announced alone, lest the line has died meanwhile."""


class Dialogue:
    """Both sides of one conversation, up to the last reply that makes sense. Replies come in the order of commands."""

    def __init__(self, way: Way, manners: Manners) -> None:
        self.takes_more = True
        self.said = 0  # octets
        self._way, self._manners = way, manners
        self._waiting: deque[Transaction] = deque()
        self._under_way: deque[Transaction] = deque()
        self._awaited: deque[tuple[Stage, Transaction]] = deque()
        self._announced: Transaction | None = None  # its go-ahead is awaited: nothing may be said meanwhile
        self._needs_reset = False
        self._resets = False  # it has shown that it can begin anew
        self._begun = self._finished = 0
        self._unsaid: list[bytes] = []
        self._planned = 0  # octets, those unsaid included
        self._last_heard = float("-inf")

    @property
    def awaits(self) -> Stage | None:
        """What the next reply will be to; None when nothing is awaited."""
        return self._awaited[0][0] if self._awaited else None

    @property
    def is_watched(self) -> bool:
        """Whether any sender still waits for an answer."""
        return any(not transaction.answer.done() for transaction in (*self._under_way, *self._waiting))

    def enter(self, transaction: Transaction) -> None:
        """Let a message wait for its turn."""
        self._waiting.append(transaction)

    def speak(self, now: float) -> bytes:
        """All that is to be said by now, the messages included whose turn has come."""
        while self._waiting and self._may_begin(self._waiting[0]):
            transaction = self._waiting.popleft()
            if transaction.fresh_until < now:
                transaction.settle(Fate.LOOK_AGAIN)
            elif not transaction.answer.done():
                self._begin(transaction, now)
        octets = b"".join(self._unsaid)
        self._unsaid.clear()
        self.said = self._planned
        return octets

    def hear(self, reply: Reply, now: float, gone: int) -> bool:
        """Follow one reply; `gone` is how many octets have left us. False when there is nothing more to be said."""
        self._last_heard = now
        if not self._awaited:
            return self._hear_unasked(reply)
        stage, transaction = self._awaited.popleft()
        if reply.code == SERVICE_CLOSING:
            transaction.settle(transaction.dismissed(stage, reply, gone))
            self._manners.closed_after(self._finished)
            return False
        if not 200 <= reply.code < 600:
            return self._lose_step(reply, stage, transaction, gone)
        if stage is Stage.CONTENT and transaction.end > gone:
            return self._hear_too_early(reply, transaction)
        return self._follow(transaction.take(stage, reply), reply, stage, transaction, gone)

    def mishear(self, reply: Reply, gone: int) -> None:
        """What came is no reply at all."""
        if self._awaited:
            self._lose_step(reply, *self._awaited.popleft(), gone)
        else:
            self._manners.lost_its_place(reply.text)

    def wait_in_vain(self) -> None:
        """No reply came in time. Perhaps the relay threw away what we had said ahead."""
        if self.awaits is not Stage.CONTENT or self._way is Way.CHUNKED:
            self._manners.misused(self._way, "no answer in time")

    def end(self, words: Callable[[Stage], str], gone: int) -> None:
        """Nothing more will be heard: settle every message."""
        self.takes_more = False
        at_risk = sum(transaction.is_sent(gone) and not transaction.answer.done() for transaction in self._under_way)
        if at_risk > 1:
            self._manners.misused(self._way, "the connection was lost with several messages under way")
        for transaction in self._under_way:
            transaction.settle(transaction.lost(words, gone))
        self._under_way.clear()
        self._awaited.clear()
        self._give_back()

    # Speaking

    def _may_begin(self, transaction: Transaction) -> bool:
        if self._announced is not None or not self.takes_more:
            return False
        if self._way is not Way.CHUNKED or not self._under_way:
            return True
        octets = sum(len(other.envelope.message) for other in (*self._under_way, transaction))
        return octets <= MOST_OCTETS and len(self._under_way) < self._manners.depth

    def _begin(self, transaction: Transaction, now: float) -> None:
        """MAIL and RCPT; then the message, or the wait for its go-ahead."""
        if self._needs_reset or (self._way is Way.CHUNKED and self._begun):  # those before it may yet fail
            self._say(Stage.RSET, transaction, b"RSET\r\n")
            self._needs_reset = False
        self._begun += 1
        transaction.number = self._begun
        self._under_way.append(transaction)
        self._say(Stage.MAIL, transaction, transaction.announcement.mail, b"\r\n")
        self._say(Stage.RCPT, transaction, transaction.announcement.rcpt, b"\r\n")
        if self._way is Way.CHUNKED and self._resets and now - self._last_heard < SILENCE:
            self._hand_over(transaction)
            return
        if self._way is not Way.CHUNKED:
            self._say(Stage.DATA, transaction, b"DATA\r\n")
        self._announced = transaction

    def _hand_over(self, transaction: Transaction) -> None:
        """The message itself: from the last of these octets on, the relay may have it."""
        message = transaction.envelope.message
        if self._way is Way.CHUNKED:
            self._say(Stage.CONTENT, transaction, b"BDAT %d LAST\r\n" % len(message), message)
        else:
            self._say(Stage.CONTENT, transaction, transaction.envelope.dotted, b".\r\n")
        transaction.end = self._planned

    def _say(self, stage: Stage, transaction: Transaction, *pieces: bytes) -> None:
        """To be said, and to be answered."""
        self._awaited.append((stage, transaction))
        self._unsaid += pieces
        self._planned += sum(map(len, pieces))

    # Listening

    def _hear_unasked(self, reply: Reply) -> bool:
        """A server that closes an idle connection may say so first; anything else means that we miscount."""
        if reply.code != SERVICE_CLOSING:
            self._manners.lost_its_place(f"a reply that nothing was asked for: {reply.code} {reply.text}")
        return False

    def _hear_too_early(self, reply: Reply, transaction: Transaction) -> bool:
        """A verdict on a message whose end is still with us. The rest is not sent any more, so the line has to end."""
        if reply.code < 400:
            self._manners.lost_its_place("it accepted a message that it cannot have read")
        transaction.settle(transaction.answered_unread(reply))
        return False

    def _follow(self, step: Step, reply: Reply, stage: Stage, transaction: Transaction, gone: int) -> bool:
        match step:
            case Step.WAIT if stage is Stage.RSET:
                return self._hear_reset(reply, transaction)
            case Step.GO if transaction.answer.cancelled():
                return False  # what could be said now is the message, or an empty one
            case Step.GO:
                self._announced = None
                self._hand_over(transaction)
            case Step.NOTHING_TO_SEND:
                self._announced, self._needs_reset = None, True
                self._say(Stage.CONTENT, transaction, b".\r\n")
            case Step.DONE:
                self._finish(transaction)
            case Step.LOST:
                return self._lose_step(reply, stage, transaction, gone)
        return True

    def _hear_reset(self, reply: Reply, transaction: Transaction) -> bool:
        """Where it is refused, never another message, not even a dot: the last recipient may still wait for one."""
        self._resets = reply.code < 300
        if self._resets:
            return True
        self._manners.lost_its_place("it refused to begin anew")
        self._stop_taking()
        return transaction.end > 0

    def _finish(self, transaction: Transaction) -> None:
        """The last reply to the message that was under way for the longest."""
        assert transaction.outcome is not None
        self._under_way.popleft()
        self._finished += 1
        if self._announced is transaction:
            self._announced = None
        self._learn(transaction, transaction.outcome)
        transaction.settle(transaction.outcome)

    def _learn(self, transaction: Transaction, outcome: Outcome | Fate) -> None:
        is_accepted = isinstance(outcome, Outcome) and outcome.kind is OutcomeKind.ACCEPTED
        if not (is_accepted or self._under_way):  # what was begun behind it is past that already
            self._needs_reset = True
        if is_accepted and self._way is Way.CHUNKED:
            self._manners.took_a_chunk()
        elif outcome is Fate.GIVEN_BACK:
            self._manners.misused(self._way, "it does not understand what it offers")
            self._stop_taking()
        if transaction.is_doubtful:
            self._manners.lost_its_place("it contradicted itself")
            self._stop_taking()

    def _lose_step(self, reply: Reply, stage: Stage, transaction: Transaction, gone: int) -> bool:
        self._manners.lost_its_place(f"{reply.code} {reply.text} to {stage}")
        transaction.settle(transaction.misheard(stage, reply, gone))
        return False

    def _stop_taking(self) -> None:
        """What is under way is heard to its end; what waits goes elsewhere."""
        self.takes_more = False
        self._give_back()

    def _give_back(self) -> None:
        for transaction in self._waiting:
            transaction.settle(Fate.GIVEN_BACK)
        self._waiting.clear()
