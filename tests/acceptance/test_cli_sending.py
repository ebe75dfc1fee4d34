"""`send pause`, `resume`, `approve`, `status`; a delivery's story and many at once, by command."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from command_line import dispatcher, in_json, newsroom, ok, spawn

ANN = "ann@reader.example"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A newsroom with one article, one reader, and a relay that is not there."""
    newsroom(tmp_path)
    (tmp_path / "news" / "ferry.txt").write_text("A new ferry\nIt crosses the harbour in ten minutes.\n")
    for path in (tmp_path / "news").iterdir():
        os.utime(path, (time.time() - 60,) * 2)
    return tmp_path


def test_send_alone_sends_and_its_options_go_with_it(room: Path) -> None:
    assert in_json(room, "send") == in_json(room, "send", "now")
    assert in_json(room, "send", "--limit", "1", "--at", "2026-03-02T07:31")["sent"] == 0
    assert dispatcher(room, "send", "--limit", "0").code == 2
    assert "resume" in ok(room, "send", "--help")


def test_a_pause_is_seen_everywhere_until_it_is_lifted(room: Path) -> None:
    assert "kept back until `dispatcher send resume`" in ok(room, "send", "pause", "--reason", "wrong \x1b[31mstory")
    assert "kept back already" in ok(room, "send", "pause", "--bulk")
    (pause,) = in_json(room, "send", "status")["pauses"]
    assert (pause["scope"], pause["cause"], pause["by"], pause["reason"]) == (
        "bulk", "operator", "cli", "wrong \x1b[31mstory",
    )  # fmt: skip
    status = ok(room, "send", "status")
    assert "digests and editions kept back by cli since" in status
    assert "\x1b" not in status
    assert "digests and editions: kept back by cli" in ok(room, "status")
    assert in_json(room, "status")["pauses"][0]["scope"] == "bulk"
    assert "all mail: kept back" in ok(room, "send", "pause", "--all")
    assert dispatcher(room, "send", "pause", "--all", "--bulk").code == 2
    assert ok(room, "send", "resume").count("let go again") == 2
    assert "nothing was kept back" in ok(room, "send", "resume")
    assert in_json(room, "send", "status")["pauses"] == []
    assert "nothing waits to be approved" in ok(room, "send", "approve")


def test_a_pause_keeps_a_digest_from_a_process_of_its_own(room: Path) -> None:
    assert spawn(room, "send", "pause").code == 0
    due = _due(room)
    assert in_json(room, "run", "--once", "--at", due)["send"]["deferred"] == 0
    assert spawn(room, "send", "--at", due, "--json").json["deferred"] == 0
    assert in_json(room, "send", "status")["volume"] == {"today": 0, "waiting": 1, "usual": None, "most": None}
    assert spawn(room, "send", "resume").code == 0
    assert spawn(room, "send", "--at", due, "--json").json["deferred"] == 1


def test_deliveries_are_found_by_what_is_known_of_them_and_tell_their_story(room: Path) -> None:
    number = _a_digest_that_failed(room)
    for found in (
        ("--status", "deferred"), ("--kind", "digest"), ("--to", ANN), ("--email", ANN), ("--since", "2026-01-01"),
        ("--relay", "127.0.0.1:1"),
    ):  # fmt: skip
        assert [one["id"] for one in in_json(room, "deliveries", "list", *found)] == [number], found
    for nothing in (
        ("--status", "sent"), ("--kind", "alert"), ("--to", "x@y.example"), ("--code", "550"), ("--code", "5.7.1"),
        ("--since", "2100-01-01"), ("--relay", "elsewhere"), ("--digest", "99"),
    ):  # fmt: skip
        assert "none that fits" in ok(room, "deliveries", "list", *nothing), nothing
    for wrong in (("--status", "lost"), ("--kind", "letter"), ("--code", "5.7"), ("--code", "x")):
        assert dispatcher(room, "deliveries", "list", *wrong).code == 2
    told = ok(room, "deliveries", "show", str(number))
    for words in (
        "planned",
        "try 1: deferred",
        "cannot connect",
        "the way there is at fault",
        "waits for its next try",
    ):
        assert words in told, told
    story = in_json(room, "deliveries", "show", str(number))["story"]
    assert [moment["what"] for moment in story] == [
        "planned", "first taken", "try 1: deferred", "waits for its next try",
    ]  # fmt: skip


def test_many_are_sent_again_by_what_they_have_in_common(room: Path) -> None:
    number = _a_digest_that_failed(room)
    digest = str(in_json(room, "deliveries", "show", str(number))["digest_id"])
    for wrong in (
        (), ("--digest", digest), ("--failed", "--status", "held"), ("--status", "sent"), (str(number), "--failed"),
        (str(number), "--kind", "digest"),
    ):  # fmt: skip
        assert dispatcher(room, "deliveries", "retry", *wrong, "--yes").code == 2, wrong
    assert "nothing has failed" in ok(room, "deliveries", "retry", "--failed", "--digest", digest)
    assert "nothing has failed" in ok(room, "deliveries", "retry", "--status", "deferred", "--kind", "alert")
    chosen = ("--status", "deferred", "--digest", digest, "--kind", "digest", "--since", "2026-01-01")
    assert "1 of 1 queued again" in ok(room, "deliveries", "retry", *chosen, "--yes")
    ok(room, "suppressions", "add", ANN)
    assert in_json(room, "deliveries", "show", str(number))["status"] == "suppressed"


def _due(room: Path) -> str:
    ok(room, "ingest", "--all")
    return str(in_json(room, "subscribers", "show", ANN)["schedules"][0]["next_due_at"])


def _a_digest_that_failed(room: Path) -> int:
    assert in_json(room, "run", "--once", "--at", _due(room))["send"]["deferred"] == 1
    (delivery,) = in_json(room, "deliveries")
    return int(delivery["id"])
