"""When a relay is left alone, when it is asked whether it lives, and how it comes back."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.delivery import breaker, vigil
from dispatcher.delivery.breaker import Breaker, Circuit
from dispatcher.delivery.gate import is_unusable
from dispatcher.delivery.recall import Recall
from dispatcher.delivery.vigil import Look, Vigil
from dispatcher.model.values import Blame, Outcome, OutcomeKind


def _end(b: Breaker, *ends: bool | None, now: float = 0.0) -> bool:
    return any(b.end(b.begin(), works, now, 0.0) for works in ends)


def _opened(now: float = 0.0) -> Breaker:
    b = Breaker()
    b.trip(now, 0.0)
    return b


def _returned(now: float) -> Breaker:
    b = _opened()
    b.probed(True, now, 0.0)
    assert _end(b, *[True] * breaker.ENOUGH, now=now)
    return b


def test_a_relay_that_fails_now_and_then_stays_in_use() -> None:
    b = Breaker()
    assert not _end(b, *[False] * (breaker.IN_A_ROW - 1), True, *[True, True, False] * 50)
    assert b.circuit is Circuit.IN_USE


def test_some_failures_in_a_row_are_enough() -> None:
    b = Breaker()
    assert not _end(b, *[True] * 100, *[False] * (breaker.IN_A_ROW - 1))
    assert _end(b, False)
    assert (b.circuit, b.has_room) == (Circuit.OUT_OF_USE, False)


def test_a_failure_every_other_time_is_enough() -> None:
    b = Breaker()
    assert _end(b, *[False, True] * breaker.RECENT)


def test_ends_that_say_nothing_count_for_nothing() -> None:
    b = Breaker()
    _end(b, *[False] * (breaker.IN_A_ROW - 1), *[None] * 10)
    assert b.circuit is Circuit.IN_USE
    assert _end(b, False)


def test_each_probe_that_fails_doubles_the_pause_up_to_a_limit() -> None:
    b = _opened()
    pauses = []
    for _ in range(10):
        pauses.append(b.probe_at)
        b.probed(False, 0.0, 0.0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_pause_is_up_to_a_quarter_longer() -> None:
    b = Breaker()
    b.trip(100.0, 0.5)
    assert b.probe_at == 101.125


def test_after_a_good_probe_a_few_messages_are_tried_and_then_all() -> None:
    b = _opened()
    b.probed(True, 1.0, 0.0)
    tickets = [b.begin() for _ in range(breaker.AT_ONCE)]
    assert (b.circuit, b.has_room) == (Circuit.ON_TRIAL, False)
    assert not any(b.end(ticket, True, 1.0, 0.0) for ticket in tickets)
    assert b.has_room
    assert _end(b, *[True] * (breaker.ENOUGH - breaker.AT_ONCE))
    assert b.circuit is Circuit.IN_USE


def test_one_failure_on_trial_is_enough() -> None:
    b = _opened()
    b.probed(True, 1.0, 0.0)
    assert _end(b, True, False, now=1.0)
    assert (b.circuit, b.probe_at) == (Circuit.OUT_OF_USE, 3.0)


def test_what_was_begun_before_says_nothing_about_a_relay_that_has_returned() -> None:
    b = Breaker()
    old = b.begin()
    b.trip(0.0, 0.0)
    b.probed(True, 1.0, 0.0)
    assert not b.end(old, False, 1.0, 0.0)
    assert b.circuit is Circuit.ON_TRIAL
    for _ in range(breaker.AT_ONCE):
        b.begin()
    assert not b.end(old, True, 1.0, 0.0)
    assert not b.has_room


def test_a_relay_that_flaps_is_left_alone_for_longer_and_longer() -> None:
    b = _returned(now=10.0)
    b.trip(20.0, 0.0)
    assert b.probe_at == 22.0
    b = _returned(now=10.0)
    b.trip(10.0 + breaker.STEADY, 0.0)
    assert b.probe_at == 11.0 + breaker.STEADY


def test_a_relay_that_is_out_of_use_already_is_not_taken_out_again() -> None:
    b = _opened()
    assert not b.trip(5.0, 0.0)
    assert b.probe_at == 1.0


def test_a_probe_that_comes_too_late_changes_nothing() -> None:
    b = Breaker()
    b.probed(False, 1.0, 0.0)
    assert (b.circuit, b.ticket) == (Circuit.IN_USE, 0)


# Silence


def test_a_relay_from_which_nothing_is_awaited_may_be_silent() -> None:
    watch = Vigil()
    assert watch.look(1e6) is Look.NOTHING
    watch.begin(0.0)
    watch.end(1.0)
    assert watch.look(1e6) is Look.NOTHING


def test_a_silent_relay_is_asked_less_and_less_often_and_then_given_up() -> None:
    watch = Vigil()
    watch.begin(0.0)
    looks = {t: look for t in range(41) if (look := watch.look(float(t))) is not Look.NOTHING}
    asked = [t for t, look in looks.items() if look is Look.ASK]
    assert asked == [2, 4, 8, 16]
    assert next(t for t, look in looks.items() if look is Look.GIVE_UP) == vigil.NOTHING_DONE


def test_every_end_is_a_sign_of_life() -> None:
    watch = Vigil()
    for n in range(10):
        watch.begin(0.0)
        watch.begin(float(n))
    for n in range(10, 19):
        watch.end(float(n))
        assert watch.look(n + 0.9) is Look.NOTHING
    assert watch.has_heard_since(17.0)
    assert not watch.has_heard_since(18.0)


def test_the_silence_before_something_was_awaited_does_not_count() -> None:
    watch = Vigil()
    watch.begin(100.0)
    assert watch.look(101.0) is Look.NOTHING


def test_a_relay_that_greets_slowly_is_given_time() -> None:
    watch = Vigil()
    watch.greeted_in(6.0)
    watch.begin(0.0)
    assert watch.look(8.9) is Look.NOTHING
    assert watch.look(9.0) is Look.ASK
    watch.greeted_in(0.01)
    assert watch.answer_within == vigil.ANSWER_WITHIN
    watch.greeted_in(1000.0)
    assert watch.answer_within == vigil.SLOWEST


def test_our_own_sleep_is_not_the_relays_silence() -> None:
    watch = Vigil()
    watch.begin(0.0)
    watch.skip(50.0)
    assert watch.look(51.0) is Look.NOTHING


# Which outcomes send a message on to the next relay


@pytest.mark.parametrize(
    ("outcome", "is_so"),
    [
        (Outcome(OutcomeKind.DEFERRED, 421, blame=Blame.RELAY), True),
        (Outcome(OutcomeKind.DEFERRED, blame=Blame.RELAY), True),
        (Outcome(OutcomeKind.DEFERRED, 452, "4.3.1"), True),
        (Outcome(OutcomeKind.DEFERRED, 452, "4.3.4", blame=Blame.MESSAGE), False),
        (Outcome(OutcomeKind.DEFERRED, 450, "4.2.0"), False),
        (Outcome(OutcomeKind.UNCERTAIN, blame=Blame.RELAY), False),
        (Outcome(OutcomeKind.REJECTED, 550, "5.1.1", blame=Blame.ADDRESS), False),
        (Outcome(OutcomeKind.ACCEPTED, 250), False),
    ],
)
def test_only_what_was_surely_not_handed_over_takes_another_relay(outcome: Outcome, is_so: bool) -> None:
    assert is_unusable(outcome) is is_so


# Being called back


async def test_those_who_wait_are_called_back_and_may_wait_again() -> None:
    recall: Recall[int, str] = Recall()
    never: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait_twice() -> tuple[int | str, int | str]:
        first = await recall.wait(asyncio.shield(never))
        return first, await recall.wait(asyncio.sleep(0, 7))

    waiting = [asyncio.create_task(wait_twice()) for _ in range(3)]
    await asyncio.sleep(0)
    recall.call_back("go home")
    assert await asyncio.gather(*waiting) == [("go home", 7)] * 3
    assert not any(task.cancelling() for task in waiting)


async def test_what_came_in_the_same_moment_may_be_had_or_not_but_nobody_is_left_cancelled() -> None:
    recall: Recall[int, str] = Recall()
    soon: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def swallowing() -> int:
        try:
            return await soon
        except asyncio.CancelledError:
            return soon.result()

    async def wait() -> tuple[int | str, int]:
        found = await recall.wait(swallowing())
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return found, task.cancelling()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    soon.set_result(7)
    recall.call_back("go home")
    assert await waiting == (7, 0)


@pytest.mark.parametrize("is_first", [True, False])
async def test_who_is_cancelled_as_well_is_cancelled(is_first: bool) -> None:
    recall: Recall[int, str] = Recall()
    waiting = asyncio.create_task(recall.wait(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    if is_first:
        waiting.cancel()
    recall.call_back("go home")
    if not is_first:
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
