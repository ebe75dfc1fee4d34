"""Webhooks' rules: how an event is signed, what an answer means, when it is told again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatcher.delivery.webhook import Webhook, WebhookTransport, key_of, outcome_of, signed
from dispatcher.model.values import Blame, DeliveryStatus, Outcome, OutcomeKind
from dispatcher.outbox.telling import DELAYS, EVERY, decide
from dispatcher.pipeline.hooks import event_id
from dispatcher.pipeline.tell import body_of
from dispatcher.sources.http import Reply

NOW = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
SHOP = Webhook("shop", "https://shop.example/hook", "a secret of at least 24 letters")
DOWN = Outcome(OutcomeKind.DEFERRED, 503, text="away", blame=Blame.RELAY)


def test_a_signature_is_the_one_that_the_convention_publishes() -> None:
    # a key, a message and their signature that are published for it
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    assert signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, at) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_what_its_base64_stands_for_or_else_itself() -> None:
    assert key_of("whsec_YWJj") == b"abc"
    assert key_of("whsec_not base64!") == b"whsec_not base64!"
    assert key_of("plain älphabet") == "plain älphabet".encode()


def test_an_event_has_one_id_and_no_full_stop_in_it() -> None:
    first = event_id(b"key", "sent", "7")
    assert first == event_id(b"key", "sent", "7")
    assert (
        len({first, event_id(b"key", "failed", "7"), event_id(b"key", "sent", "8"), event_id(b"k", "sent", "7")}) == 4
    )
    assert "." not in first


def test_a_body_is_the_same_whatever_order_a_database_gives_its_keys() -> None:
    assert body_of({"b": {"d": 1, "c": "ü"}, "a": 2}) == body_of({"a": 2, "b": {"c": "ü", "d": 1}})
    assert body_of({"a": "ü"}) == '{"a":"ü"}'.encode()


@pytest.mark.parametrize(
    ("statuses", "kind", "blame"),
    [
        ((200, 201, 202, 204, 299), OutcomeKind.ACCEPTED, Blame.NOBODY),
        ((410, 400, 413, 415, 422), OutcomeKind.REJECTED, Blame.MESSAGE),
        ((408, 409, 425), OutcomeKind.DEFERRED, Blame.MESSAGE),
        ((0, 301, 302, 307, 401, 403, 404, 405, 418, 429, 500, 502, 503, 504, 599), OutcomeKind.DEFERRED, Blame.RELAY),
    ],
)
def test_an_answer_means_what_the_table_says(statuses: tuple[int, ...], kind: OutcomeKind, blame: Blame) -> None:
    outcomes = [outcome_of(status, "words") for status in statuses]
    assert {(outcome.kind, outcome.blame) for outcome in outcomes} == {(kind, blame)}
    assert [outcome.code for outcome in outcomes] == list(statuses)


def test_a_redirect_says_what_to_do_about_it_and_words_are_fit_to_keep() -> None:
    assert "put the new URL into config" in outcome_of(302, "the server answered 302 Found").text
    assert outcome_of(500, "a\x1b[31m\0b\udc80").text == "a [31m b\N{REPLACEMENT CHARACTER}"


def test_it_is_told_again_soon_then_hourly_and_never_at_or_after_its_end() -> None:
    delays = [_decide(DOWN, attempts=n).retry_at - NOW for n in range(1, 8)]  # type: ignore[operator]
    assert delays == [*DELAYS, EVERY, EVERY, EVERY]
    late = _decide(DOWN, attempts=5, expires_at=NOW + EVERY)
    assert (late.status, late.retry_at) == (DeliveryStatus.EXPIRED, None)
    assert late.reason == "no time for another try; last: 503 away"
    assert not late.suppress
    assert not late.soft_bounce


def test_it_is_told_no_sooner_than_it_asks_for() -> None:
    for asked, waits in ((timedelta(minutes=20), timedelta(minutes=20)), (timedelta(seconds=1), DELAYS[0])):
        assert _decide(DOWN, retry_after=asked).retry_at == NOW + waits


def test_a_try_is_spread_up_to_a_quarter_later() -> None:
    assert _decide(DOWN, jitter=1.0).retry_at == NOW + DELAYS[0] * 1.25


def test_what_is_refused_for_good_has_failed_and_what_was_taken_was_sent() -> None:
    assert _decide(outcome_of(422, "no such field")).status is DeliveryStatus.FAILED
    assert _decide(outcome_of(422, "no such field")).reason == "422 no such field"
    assert _decide(outcome_of(204)).status is DeliveryStatus.SENT


def _decide(outcome: Outcome, **changes: Any) -> Any:
    return decide(outcome, **{"attempts": 1, "expires_at": TOMORROW, "now": NOW, "jitter": 0.0} | changes)


class Scripted:
    """The client's end of a webhook that answers by a script."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> Reply:
        return self._replies.pop(0)


async def test_a_webhook_that_does_not_work_rests_as_long_as_it_has_not_worked() -> None:
    transport = WebhookTransport(Scripted(*[Reply(503)] * 4, Reply(204)))
    rests, at = [], NOW
    for _ in range(4):
        await transport.send(SHOP, "evt_1", b"{}", at)
        rest = next(s for s in range(1, 400) if not transport.rests("shop", at + timedelta(seconds=s)))
        assert not transport.rests("mill", at), "another one does not rest"
        rests.append(rest)
        at += timedelta(seconds=rest * 10)
    assert rests == [10, 100, 300, 300]
    await transport.send(SHOP, "evt_1", b"{}", at)
    assert not transport.rests("shop", at)


async def test_a_webhook_rests_as_long_as_it_asks_within_reason_and_wakes_when_config_changes() -> None:
    transport = WebhookTransport(
        Scripted(Reply(429, retry_after=timedelta(minutes=30)), Reply(503, retry_after=10 * EVERY))
    )
    assert (await transport.send(SHOP, "evt_1", b"{}", NOW)).retry_after == timedelta(minutes=30)
    assert transport.rests("shop", NOW + timedelta(minutes=29))
    assert not transport.rests("shop", NOW + timedelta(minutes=30))
    assert (await transport.send(SHOP, "evt_1", b"{}", NOW)).retry_after == 6 * EVERY
    transport.forget_troubles()
    assert not transport.rests("shop", NOW)


async def test_a_message_that_one_webhook_will_not_have_does_not_make_it_rest() -> None:
    transport = WebhookTransport(Scripted(Reply(422), Reply(409)))
    for _ in range(2):
        await transport.send(SHOP, "evt_1", b"{}", NOW)
        assert not transport.rests("shop", NOW)
