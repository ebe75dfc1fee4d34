"""What is said on a line, and what the answers mean. No I/O: octets out, replies in.

    waiting ──(its turn)──▶ under way ──(its last reply)──▶ settled

A message's turn comes when no go-ahead is awaited any more and, with CHUNKING, few enough are under way. Replies come
in the order of commands, and all of one message before those of the next: a reply is to the oldest one under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from dispatcher.delivery.line import Fate
from dispatcher.delivery.manners import Manners, Way
from dispatcher.delivery.outcomes import Stage
from dispatcher.delivery.replies import GARBLED, Reply
from dispatcher.delivery.transaction import CONTENT, DATA, MAIL, RCPT, RSET, WAIT, Step, Transaction
from dispatcher.model.values import Outcome, OutcomeKind

SERVICE_CLOSING = 421

MOST_OCTETS = 1 << 20
"""Of messages that may be under way with CHUNKING; a larger one travels alone."""

SILENCE = 0.2
"""Seconds without a reply after which a message is announced alone, lest the line has died meanwhile."""


class Dialogue:
    """Both sides of one conversation, up to the last reply that makes sense. `most` messages, if given, end it."""

    def __init__(self, way: Way, manners: Manners, most: int = 0) -> None:
        self.takes_more = True
        self.has_said_goodbye = False
        self.said = 0  # octets
        self._way, self._manners = way, manners
        self._most = most
        self._is_chunked, self._is_plain = way is Way.CHUNKED, way is Way.PLAIN
        self._waiting: deque[Transaction] = deque()
        self._under_way: deque[Transaction] = deque()
        self._load = 0  # octets of the messages under way
        self._announced: Transaction | None = None  # its go-ahead is awaited: nothing may be said meanwhile
        self._needs_reset = False
        self._begun = self._finished = 0
        self._unsaid: list[bytes] = []
        self._planned = 0  # octets, those unsaid included
        self._last_heard = float("-inf")

    @property
    def awaits(self) -> Stage | None:
        """What the next reply will be to; None when nothing is awaited."""
        return self._under_way[0].awaits if self._under_way else None

    @property
    def is_watched(self) -> bool:
        """Whether any sender still waits for an answer."""
        return any(not transaction.answer.done() for transaction in (*self._under_way, *self._waiting))

    def enter(self, transaction: Transaction) -> bool:
        """Let a message wait for its turn. Whether there may be something to say now."""
        self._waiting.append(transaction)
        return self._announced is None

    def speak(self, now: float) -> list[bytes]:
        """All that is to be said by now, the messages included whose turn has come."""
        while self._waiting and self._announced is None and self._may_begin(self._waiting[0]):
            transaction = self._waiting.popleft()
            if transaction.fresh_until < now:
                transaction.settle(Fate.LOOK_AGAIN)
            elif not transaction.answer.done():
                self._begin(transaction, now)
        if not self._unsaid:
            return []
        pieces, self._unsaid = self._unsaid, []
        self.said = self._planned
        return pieces

    def listen(self, replies: Iterable[Reply], now: float, gone: int) -> bool:
        """Follow replies; `gone` is how many octets have left us. False when there is nothing more to be said."""
        self._last_heard = now
        return all(self._hear(reply, gone) for reply in replies)

    def wait_in_vain(self) -> None:
        """No reply came in time. Perhaps the relay threw away what we had said ahead."""
        if self._is_chunked or (self.awaits is not CONTENT and not self._is_plain):
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
        self._give_back()

    # Speaking

    def _may_begin(self, transaction: Transaction) -> bool:
        if not self._is_chunked or not self._under_way or not self.takes_more:
            return self.takes_more
        fits = self._load + len(transaction.envelope.message) <= MOST_OCTETS
        return fits and len(self._under_way) < self._manners.depth

    def _begin(self, transaction: Transaction, now: float) -> None:
        """MAIL and RCPT; then the message, or the wait for its go-ahead."""
        if self._needs_reset or (self._is_chunked and self._begun):  # those before it may yet fail
            self._say(b"RSET\r\n")
            transaction.awaits = RSET
            self._needs_reset = False
        self._begun += 1
        transaction.number = self._begun
        self._under_way.append(transaction)
        self._load += len(transaction.envelope.message)
        self._announced = transaction
        if self._is_plain:
            if transaction.awaits is not RSET:
                self._say_next(transaction)
        elif not self._is_chunked:
            self._say(b"%b\r\n%b\r\nDATA\r\n" % transaction.announcement)
        else:
            self._say(b"%b\r\n%b\r\n" % transaction.announcement)
            if self._manners.begins_anew and now - self._last_heard < SILENCE:
                self._hand_over(transaction)

    def _say_next(self, transaction: Transaction) -> None:
        """The one command that is awaited next."""
        mail, rcpt = transaction.announcement
        self._say({MAIL: mail, RCPT: rcpt, DATA: b"DATA"}[transaction.awaits] + b"\r\n")

    def _hand_over(self, transaction: Transaction) -> None:
        """The message itself: from the last of these octets on, the relay may have it."""
        if not self._is_plain:
            self._announced = None
        if self._is_chunked:
            message = transaction.envelope.message
            self._say(b"BDAT %d LAST\r\n" % len(message), message)
        else:
            self._say(transaction.envelope.dotted, b".\r\n")
        transaction.end = self._planned
        if transaction.number == self._most and not self._is_plain:
            self._say(b"QUIT\r\n")  # in one go with the last message (RFC 2920 §3.1)
            self.has_said_goodbye = True
            self._stop_taking()

    def _say(self, *pieces: bytes) -> None:
        self._unsaid += pieces
        for piece in pieces:
            self._planned += len(piece)

    # Listening

    def _hear(self, reply: Reply, gone: int) -> bool:
        if not self._under_way:
            return self._hear_unasked(reply)
        transaction = self._under_way[0]
        if reply.code == SERVICE_CLOSING:
            transaction.settle(transaction.dismissed(reply, gone))
            self._manners.closed_after(self._finished)
            return False
        if self._is_plain and self._unsaid and transaction.awaits is not CONTENT:
            reply = Reply(GARBLED, b"two replies to one command")
        if not 200 <= reply.code < 600:
            return self._lose_step(reply, transaction, gone)
        if transaction.awaits is CONTENT and transaction.end > gone:
            return self._hear_too_early(reply, transaction)
        step = transaction.take(reply)
        return step is WAIT or self._follow(step, reply, transaction, gone)

    def _hear_unasked(self, reply: Reply) -> bool:
        """A server that closes an idle connection may say so first; anything else means that we miscount."""
        if reply.code != SERVICE_CLOSING and not self.has_said_goodbye:
            self._manners.lost_its_place(f"a reply that nothing was asked for: {reply.code} {reply.text}")
        return False

    def _hear_too_early(self, reply: Reply, transaction: Transaction) -> bool:
        """A verdict on a message whose end is still with us. The rest is not sent any more, so the line has to end."""
        if reply.code < 400:
            self._manners.lost_its_place("it accepted a message that it cannot have read")
        transaction.settle(transaction.answered_unread(reply))
        return False

    def _follow(self, step: Step, reply: Reply, transaction: Transaction, gone: int) -> bool:
        match step:
            case Step.DONE:
                self._finish(transaction)
            case Step.GO if transaction.answer.cancelled():
                return False  # what could be said now is the message, or an empty one
            case Step.GO:
                self._hand_over(transaction)
            case Step.GO_ON:
                self._say_next(transaction)
            case Step.BEGIN_ANEW:
                return self._hear_reset(reply, transaction)
            case Step.NOTHING_TO_SEND:
                self._announced, self._needs_reset = None, True
                self._say(b".\r\n")
            case Step.LOST:
                return self._lose_step(reply, transaction, gone)
        return True

    def _hear_reset(self, reply: Reply, transaction: Transaction) -> bool:
        """Where it is refused, never another message, not even a dot: the last recipient may still wait for one."""
        self._manners.begins_anew = reply.code < 300
        if self._manners.begins_anew:
            if self._is_plain:
                self._say_next(transaction)
            return True
        self._manners.lost_its_place("it refused to begin anew")
        self._stop_taking()
        return transaction.end > 0

    def _finish(self, transaction: Transaction) -> None:
        """The last reply to the message that was under way for the longest."""
        assert transaction.outcome is not None
        self._under_way.popleft()
        self._load -= len(transaction.envelope.message)
        self._finished += 1
        if self._announced is transaction:
            self._announced = None
        self._learn(transaction, transaction.outcome)
        transaction.settle(transaction.outcome)

    def _learn(self, transaction: Transaction, outcome: Outcome | Fate) -> None:
        if isinstance(outcome, Outcome) and outcome.kind is OutcomeKind.ACCEPTED:
            if self._is_chunked:
                self._manners.took_a_chunk()
            return
        if not self._under_way:  # what was begun behind it is past that already
            self._needs_reset = True
        if outcome is Fate.GIVEN_BACK:
            self._manners.misused(self._way, "it does not understand what it offers")
            self._stop_taking()
        if transaction.is_doubtful:
            self._manners.lost_its_place("it contradicted itself")
            self._stop_taking()

    def _lose_step(self, reply: Reply, transaction: Transaction, gone: int) -> bool:
        words = reply.text if reply.code == GARBLED else f"{reply.code} {reply.text}"
        self._manners.lost_its_place(f"{words}, to {transaction.awaits}")
        transaction.settle(transaction.misheard(reply, gone))
        return False

    def _stop_taking(self) -> None:
        """What is under way is heard to its end; what waits goes elsewhere."""
        self.takes_more = False
        self._give_back()

    def _give_back(self) -> None:
        for transaction in self._waiting:
            transaction.settle(Fate.GIVEN_BACK)
        self._waiting.clear()
