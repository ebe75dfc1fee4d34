"""From replies to outcomes: what servers say, and whom it is about."""

from __future__ import annotations

import pytest

from dispatcher.delivery.outcomes import LONGEST_TEXT, Stage, classify, clean, enhanced_code
from dispatcher.model.values import Blame, OutcomeKind

ADDRESS, SOFT, MESSAGE, RELAY, NOBODY = Blame.ADDRESS, Blame.ADDRESS_SOFT, Blame.MESSAGE, Blame.RELAY, Blame.NOBODY


@pytest.mark.parametrize(
    ("code", "text", "blame"),
    [
        # The enhanced code decides.
        (550, "5.1.1 <a@b.example>: Recipient address rejected", ADDRESS),
        (550, "5.1.2 Bad destination host", ADDRESS),
        (501, "5.1.3 Bad recipient address syntax", ADDRESS),
        (551, "5.1.6 The mailbox has moved", ADDRESS),
        (556, "5.1.10 Recipient address has null MX", ADDRESS),
        (550, "5.2.1 The account is inactive", ADDRESS),
        (552, "5.2.2 The inbox is out of storage", SOFT),
        (550, "5.1.7 Sender syntax", MESSAGE),
        (550, "5.1.8 Sender domain not found", MESSAGE),
        (550, "5.7.1 Message refused; user unknown to our filter", MESSAGE),
        (550, "5.7.26 This mail is unauthenticated", MESSAGE),
        (550, "5.7.515 Access denied, sending domain does not meet the required level", MESSAGE),
        (554, "5.6.0 Invalid content", MESSAGE),
        (552, "5.3.4 Message too big", MESSAGE),
        (554, "5.4.6 Routing loop", MESSAGE),
        # No enhanced code, or one that says nothing: the words decide.
        (550, "User unknown", ADDRESS),
        (550, "No such user here", ADDRESS),
        (550, "sorry, no mailbox here by that name (#5.1.1)", ADDRESS),
        (550, "5.5.0 invalid recipient", ADDRESS),
        (554, "delivery error: dd This user doesn't have a yahoo.example account (a@b) [0]", ADDRESS),
        (550, "The email account that you tried to reach does not exist", ADDRESS),
        (550, "5.0.0 mailbox disabled", ADDRESS),
        (550, "Mailbox is full", SOFT),
        (554, "Account over quota", SOFT),
        (550, "account temporarily disabled", SOFT),
        (554, "Spam message rejected", MESSAGE),
        (550, "Blocked using a block list: client host", MESSAGE),
        (550, "messages from your address were refused (S3150)", MESSAGE),
        (550, "rejected by DMARC policy of the sender domain", MESSAGE),
        (550, "sender address unknown", MESSAGE),
        # Nothing decides: one strike.
        (550, "Requested action not taken: mailbox unavailable", SOFT),
        (550, "", SOFT),
        (571, "go away", SOFT),
        (599, "x", SOFT),
        (553, "not here", SOFT),
        (556, "", ADDRESS),
        # Our own mistakes cost the address nothing.
        (501, "what?", MESSAGE),
        (503, "out of order", MESSAGE),
        (555, "parameters not recognised", MESSAGE),
    ],
)
def test_a_permanent_refusal_of_a_recipient_blames_the_right_one(code: int, text: str, blame: Blame) -> None:
    outcome = classify(code, "", text, stage=Stage.RCPT)
    expected = OutcomeKind.DEFERRED if code == 552 else OutcomeKind.REJECTED
    assert (outcome.kind, outcome.blame) == (expected, blame)


@pytest.mark.parametrize(
    ("code", "text", "blame"),
    [
        (450, "4.2.1 receiving mail at a rate that", SOFT),
        (452, "4.2.2 full", SOFT),
        (450, "4.1.1 unknown for now", SOFT),
        (450, "User unknown in local table", SOFT),
        (450, "4.2.0 Greylisted, come back", NOBODY),
        (451, "4.3.0 try again later", NOBODY),
        (452, "Too many recipients", NOBODY),
        (451, "4.7.1 Greylisting in action", MESSAGE),
        (421, "4.7.28 unusual rate of mail", RELAY),
        (450, "4.7.27 SPF did not pass", MESSAGE),
        (499, "whatever", NOBODY),
    ],
)
def test_a_temporary_refusal_is_deferred_and_never_damns_an_address(code: int, text: str, blame: Blame) -> None:
    outcome = classify(code, "", text, stage=Stage.RCPT)
    assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, blame)


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH, Stage.RSET])
@pytest.mark.parametrize("code", [421, 454, 535, 550, 554])
def test_before_a_message_is_spoken_of_everything_is_the_relays_fault(stage: Stage, code: int) -> None:
    outcome = classify(code, "", "5.1.1 user unknown, spam, go away", stage=stage)
    assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, RELAY)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.CONTENT])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (421, "4.3.2 closing"),
        (530, "5.7.0 Must issue a STARTTLS command first"),
        (530, "5.7.57 Client not authenticated to send mail"),
        (535, "5.7.8 Bad credentials"),
        (550, "5.7.1 Unable to relay"),
        (554, "5.7.1 <a@b.example>: Relay access denied"),
        (550, "relaying denied"),
    ],
)
def test_a_relay_that_does_not_take_our_mail_at_all_loses_none_of_it(stage: Stage, code: int, text: str) -> None:
    outcome = classify(code, "", text, stage=stage)
    assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, RELAY)


@pytest.mark.parametrize("text", ["5.1.1 no such user", "user unknown", "", "5.2.2 full"])
def test_a_refused_sender_is_never_held_against_the_recipient(text: str) -> None:
    assert classify(550, "", text, stage=Stage.MAIL).blame is MESSAGE


def test_552_after_rcpt_means_too_many_recipients_and_is_temporary() -> None:
    assert classify(552, "", "too much", stage=Stage.RCPT).kind is OutcomeKind.DEFERRED
    assert classify(552, "", "too much", stage=Stage.CONTENT).kind is OutcomeKind.REJECTED


def test_too_many_recipients_by_enhanced_code_is_temporary_whatever_the_basic_code() -> None:
    assert classify(550, "", "5.5.3 too many recipients", stage=Stage.RCPT).kind is OutcomeKind.DEFERRED


@pytest.mark.parametrize(("code", "text"), [(450, "5.1.1 user unknown"), (550, "4.1.1 user unknown")])
def test_where_the_codes_contradict_each_other_temporary_wins(code: int, text: str) -> None:
    outcome = classify(code, "", text, stage=Stage.RCPT)
    assert (outcome.kind, outcome.blame) == (OutcomeKind.DEFERRED, SOFT)


def test_554_after_the_content_is_about_the_content_and_at_rcpt_a_strike() -> None:
    assert classify(554, "", "transaction failed", stage=Stage.CONTENT).blame is MESSAGE
    assert classify(554, "", "transaction failed", stage=Stage.RCPT).blame is SOFT


def test_a_mailbox_that_merely_receives_too_fast_is_not_suppressed() -> None:
    text = "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more"
    assert classify(550, "", text, stage=Stage.RCPT).blame is SOFT


def test_an_accepted_message_keeps_the_servers_words() -> None:
    outcome = classify(250, "", "2.0.0 Ok: queued as 4F1", stage=Stage.CONTENT)
    assert (outcome.kind, outcome.enhanced, outcome.text) == (OutcomeKind.ACCEPTED, "2.0.0", "2.0.0 Ok: queued as 4F1")


@pytest.mark.parametrize("code", [-1, 0, 42, 199, 354, 600, 999])
def test_what_is_no_reply_is_deferred_and_after_the_content_uncertain(code: int) -> None:
    assert classify(code, "", "?", stage=Stage.RCPT).kind is OutcomeKind.DEFERRED
    assert classify(code, "", "?", stage=Stage.CONTENT).kind is OutcomeKind.UNCERTAIN
    assert classify(code, "", "?", stage=Stage.CONTENT).code >= 0


def test_a_given_enhanced_code_is_taken_before_the_one_in_the_text() -> None:
    assert classify(550, "5.7.1", "5.1.1 user unknown", stage=Stage.RCPT).blame is MESSAGE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 no", "5.1.1"),
        (" 5.1.10 no", "5.1.10"),
        ("5.7.1: no", "5.7.1"),
        ("sorry (#5.1.1)", "5.1.1"),
        ("sorry [5.2.2]", "5.2.2"),
        ("5.1.1\n5.1.1 twice", "5.1.1"),
        ("5.1.1.4 is an address", ""),
        ("host 5.1.1.4 is blocked", ""),
        ("running Mailer 4.94.2", ""),
        ("3.1.1 no such class", ""),
        ("5.1", ""),
        ("5.1.1234 too long", ""),
        ("", ""),
    ],
)
def test_an_enhanced_code_is_found_where_servers_put_it_and_nowhere_else(text: str, code: str) -> None:
    assert enhanced_code(text) == code


def test_a_servers_words_are_made_fit_for_a_database_and_a_terminal() -> None:
    raw = b"caf\xe9 \x1b[31mred\x00 \xf0\x9f\x98\x80\nsecond".decode("utf-8", "surrogateescape")
    text = clean(raw)
    text.encode("utf-8")
    assert text == "caf\N{REPLACEMENT CHARACTER}  [31mred  😀\nsecond"


def test_endless_words_are_cut() -> None:
    assert len(classify(550, "", "no " * 5000, stage=Stage.RCPT).text) == LONGEST_TEXT
