"""What a crew decides without a process: how long to wait after a death, who has which share, what was said."""

from __future__ import annotations

import pytest

from dispatcher.config.settings import Settings
from dispatcher.pipeline.send import SendReport
from dispatcher.workers import orders
from dispatcher.workers.crew import MOST_PAUSE, pause_after
from dispatcher.workers.share import Share, settings_for


def test_the_dead_are_replaced_at_once_but_for_those_that_die_one_upon_the_other() -> None:
    pauses = [pause_after(quick_deaths) for quick_deaths in range(12)]
    assert pauses[:5] == [0, 0, 1, 2, 4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MOST_PAUSE


@pytest.mark.parametrize("whole", [1, 2, 3, 7, 16, 50])
@pytest.mark.parametrize("of", [1, 2, 3, 8])
def test_the_parts_make_up_the_whole_and_nobody_goes_without(whole: int, of: int) -> None:
    parts = [Share(number, of).part(whole) for number in range(1, of + 1)]
    assert min(parts) >= 1
    assert max(parts) - min(parts) <= 1
    assert sum(parts) == max(whole, of)


def test_a_workers_settings_differ_in_its_part_of_the_connections_alone() -> None:
    settings = Settings.model_validate({"smtp": [{"max_connections": 7}, {"host": "spare", "max_connections": 1}]})
    second = settings_for(Share.parse("2/3"), settings)
    assert [relay.max_connections for relay in second.smtp] == [2, 1]
    assert second.smtp[1].host == "spare"
    assert second.send == settings.send


def test_a_report_survives_the_pipe_and_anything_else_is_no_report() -> None:
    report = SendReport(sent=3, deferred=2, recovered=1)
    assert orders.understood(f"noise\n{orders.last_words(report)}\n".encode()) == report
    for said in (b"", b"\n", b"noise", b"[1]", b"3", b"\xff", b'{"sent": "x", "other": 1}'):
        assert orders.understood(said) == SendReport()
