"""The outbox's rules: moves, priorities, lifetimes and retries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.model.values import Blame, DeliveryKind, DeliveryStatus, Outcome, OutcomeKind, Priority
from dispatcher.outbox.priority import LIFETIMES, PRIORITIES, lifetime_of, priority_of
from dispatcher.outbox.retry import UNCERTAIN_LIMIT, Decision, decide
from dispatcher.outbox.transitions import TERMINAL, TRANSITIONS, WAITING, allowed

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
TOMORROW = NOW + timedelta(hours=24)

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 250, "2.0.0", "2.0.0 queued as 1")
BUSY = Outcome(OutcomeKind.DEFERRED, 451, "4.3.0", "4.3.0 busy")
FULL = Outcome(OutcomeKind.DEFERRED, 452, "4.2.2", "4.2.2 full", Blame.ADDRESS_SOFT)
DOWN = Outcome(OutcomeKind.DEFERRED, text="cannot connect", blame=Blame.RELAY)
UNCERTAIN = Outcome(OutcomeKind.UNCERTAIN, text="lost at content", blame=Blame.RELAY)


def _decide(outcome: Outcome, *, attempts: int = 1, expires_at: datetime = TOMORROW, **more: object) -> Decision:
    settings = {"jitter": 0.0, **more}
    return decide(outcome, attempts=attempts, expires_at=expires_at, now=NOW, **settings)  # type: ignore[arg-type]


def _delay(decision: Decision) -> timedelta:
    assert decision.retry_at is not None
    return decision.retry_at - NOW


def test_every_status_has_its_moves() -> None:
    assert set(TRANSITIONS) == set(DeliveryStatus)


def test_waiting_terminal_sending_and_held_are_all_there_is() -> None:
    between = {DeliveryStatus.SENDING, DeliveryStatus.HELD}
    assert WAITING | TERMINAL | between == set(DeliveryStatus)
    assert len(WAITING) + len(TERMINAL) + len(between) == len(DeliveryStatus)


def test_a_delivery_is_sent_only_from_sending_or_by_a_person() -> None:
    assert {before for before in DeliveryStatus if allowed(before, DeliveryStatus.SENT)} == {
        DeliveryStatus.SENDING,
        DeliveryStatus.HELD,
    }


def test_what_is_waiting_can_be_claimed_and_nothing_else_can() -> None:
    assert {before for before in DeliveryStatus if allowed(before, DeliveryStatus.SENDING)} == WAITING


def test_what_was_sent_never_moves_again() -> None:
    assert not any(allowed(DeliveryStatus.SENT, after) for after in DeliveryStatus)


def test_a_message_on_the_wire_cannot_be_cancelled() -> None:
    assert not allowed(DeliveryStatus.SENDING, DeliveryStatus.CANCELLED)


def test_a_person_can_put_back_what_failed_or_expired_and_nothing_that_a_reader_refused() -> None:
    revivable = {before for before in TERMINAL if allowed(before, DeliveryStatus.QUEUED)}
    assert revivable == {DeliveryStatus.FAILED, DeliveryStatus.EXPIRED}


@pytest.mark.parametrize("status", DeliveryStatus)
def test_staying_is_not_a_move(status: DeliveryStatus) -> None:
    assert not allowed(status, status)


def test_every_kind_has_a_priority_and_all_but_digests_a_lifetime() -> None:
    assert set(PRIORITIES) == set(DeliveryKind)
    assert set(LIFETIMES) == set(DeliveryKind) - {DeliveryKind.DIGEST}


def test_breaking_news_leaves_before_alerts_before_confirmations_before_digests_before_webhooks() -> None:
    in_order = [DeliveryKind.BREAKING, DeliveryKind.ALERT, DeliveryKind.CONFIRMATION, DeliveryKind.DIGEST]
    in_order.append(DeliveryKind.WEBHOOK)
    assert [priority_of(kind) for kind in in_order] == sorted(Priority)


def test_breaking_news_is_old_after_four_hours_and_an_alert_after_twelve() -> None:
    assert lifetime_of(DeliveryKind.BREAKING) == timedelta(hours=4)
    assert lifetime_of(DeliveryKind.ALERT) == timedelta(hours=12)


def test_a_digest_has_no_lifetime_of_its_own() -> None:
    with pytest.raises(ValueError, match="cadence"):
        lifetime_of(DeliveryKind.DIGEST)


def test_accepted_is_sent() -> None:
    assert _decide(ACCEPTED) == Decision(DeliveryStatus.SENT, reason="250 2.0.0 queued as 1")


def test_the_first_retry_comes_after_five_to_fifteen_minutes() -> None:
    assert _delay(_decide(BUSY)) == timedelta(minutes=5)
    assert timedelta(minutes=14) < _delay(_decide(BUSY, jitter=0.999)) < timedelta(minutes=15)


def test_later_retries_wait_half_an_hour_and_then_twice_as_long_each_time() -> None:
    late = NOW + timedelta(days=30)
    delays = [_delay(_decide(BUSY, attempts=n, expires_at=late)) for n in range(2, 9)]
    assert [delay / timedelta(minutes=30) for delay in delays] == [1, 2, 4, 8, 16, 16, 16]


def test_an_absurd_number_of_attempts_does_not_overflow() -> None:
    assert _delay(_decide(BUSY, attempts=10**9)) == timedelta(hours=8)


def test_jitter_makes_a_retry_later_and_never_earlier() -> None:
    assert _delay(_decide(BUSY, attempts=2, jitter=0.9)) > _delay(_decide(BUSY, attempts=2))


def test_a_retry_that_would_come_too_late_is_an_expiry() -> None:
    decision = _decide(BUSY, expires_at=NOW + timedelta(minutes=5))
    assert (decision.status, decision.retry_at) == (DeliveryStatus.EXPIRED, None)
    assert "4.3.0 busy" in decision.reason


def test_the_greylisting_retry_is_allowed_once_within_a_short_life() -> None:
    assert _decide(BUSY, expires_at=NOW + timedelta(minutes=6)).status is DeliveryStatus.DEFERRED
    assert _decide(BUSY, attempts=2, expires_at=NOW + timedelta(minutes=6)).status is DeliveryStatus.EXPIRED


@pytest.mark.parametrize(
    ("blame", "suppress", "strike"),
    [
        (Blame.ADDRESS, True, False),
        (Blame.ADDRESS_SOFT, False, True),
        (Blame.MESSAGE, False, False),
        (Blame.NOBODY, False, False),
    ],
)
def test_a_refusal_is_a_failure_and_only_a_dead_address_is_suppressed(
    blame: Blame, suppress: bool, strike: bool
) -> None:
    decision = _decide(Outcome(OutcomeKind.REJECTED, 550, "", "no", blame))
    assert decision == Decision(DeliveryStatus.FAILED, suppress=suppress, soft_bounce=strike, reason="550 no")


def test_a_full_mailbox_is_retried_without_a_strike_and_costs_one_when_it_never_empties() -> None:
    assert _decide(FULL).soft_bounce is False
    expired = _decide(FULL, expires_at=NOW + timedelta(minutes=1))
    assert (expired.status, expired.soft_bounce, expired.suppress) == (DeliveryStatus.EXPIRED, True, False)


def test_a_dead_relay_does_not_count_as_an_attempt_and_is_tried_again_within_seconds() -> None:
    decision = _decide(DOWN)
    assert decision.status is DeliveryStatus.DEFERRED
    assert decision.counts is False
    assert _delay(decision) <= timedelta(seconds=30)


@pytest.mark.parametrize(("down", "wait"), [(0, 15), (14, 15), (60, 60), (200, 200), (300, 300), (86_000, 300)])
def test_a_relay_that_stays_dead_is_asked_less_often_but_every_five_minutes_at_least(down: int, wait: int) -> None:
    decision = _decide(DOWN, failing_since=NOW - timedelta(seconds=down))
    assert _delay(decision) == timedelta(seconds=wait)


def test_a_dead_relay_lets_messages_expire_too() -> None:
    assert _decide(DOWN, expires_at=NOW).status is DeliveryStatus.EXPIRED


def test_uncertain_is_sent_again_soon_and_counts() -> None:
    decision = _decide(UNCERTAIN)
    assert (decision.status, decision.counts) == (DeliveryStatus.DEFERRED, True)
    assert _delay(decision) == timedelta(minutes=1)


def test_uncertain_is_held_when_the_operator_wants_it_held() -> None:
    decision = _decide(UNCERTAIN, on_uncertain="hold")
    assert (decision.status, decision.retry_at) == (DeliveryStatus.HELD, None)


def test_a_message_that_ends_uncertain_again_and_again_is_held_before_the_mailbox_fills_with_copies() -> None:
    assert _decide(UNCERTAIN, attempts=UNCERTAIN_LIMIT - 1).status is DeliveryStatus.DEFERRED
    assert _decide(UNCERTAIN, attempts=UNCERTAIN_LIMIT).status is DeliveryStatus.HELD


def test_the_reason_is_one_line_and_says_each_thing_once() -> None:
    outcome = Outcome(OutcomeKind.REJECTED, 550, "5.1.1", "5.1.1 no such user\nsee https://help.example", Blame.ADDRESS)
    assert _decide(outcome).reason == "550 5.1.1 no such user see https://help.example"
