"""Logs tell what happened, never to whom."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from dispatcher.observability import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def written(capsys: pytest.CaptureFixture[str], **fields: Any) -> dict[str, Any]:
    logs.setup("info", "json")
    logs.logger("test").info("something happened", **fields)
    return dict(json.loads(capsys.readouterr().err))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ann@reader.example", "a…@reader.example"),
        ("<Ann.Other+news@reader.example>: mailbox full", "<A…@reader.example>: mailbox full"),
        ("550 5.1.1 ann@a.example, ben@b.example unknown", "550 5.1.1 a…@a.example, b…@b.example unknown"),
        ('<"Ann Other"@reader.example>', '<"…@reader.example>'),
        ("büro@bücher.example", "b…@bücher.example"),
        ("mailto:ann@reader.example", "mailto:a…@reader.example"),
        ("no address @ all", "no address @ all"),
        ("", ""),
    ],
)
def test_an_address_is_shortened_to_its_first_letter(text: str, shown: str) -> None:
    assert logs.hide(text) == shown


def test_addresses_are_hidden_however_deep_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError("ann@reader.example is wrong")
    line = written(
        capsys,
        people=["ann@reader.example", {"ben@reader.example": ("cid@reader.example",)}],
        reason=error,
        path=Path("/tmp/ann@reader.example"),
    )
    text = json.dumps(line, ensure_ascii=False)
    assert "ann@" not in text
    assert "ben@" not in text
    assert "cid@" not in text
    assert line["reason"] == "a…@reader.example is wrong"


def test_an_exceptions_text_is_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("ann@reader.example")
    except ValueError as error:
        line = written(capsys, exc_info=error)
    assert "a…@reader.example" in line["exception"]
    assert "ann@" not in line["exception"]


def test_a_line_says_when_who_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(capsys, source_id=7, ok=True, nothing=None, share=0.5, at=datetime(2026, 3, 2, tzinfo=UTC))
    assert (line["event"], line["part"], line["level"]) == ("something happened", "test", "info")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert (line["source_id"], line["ok"], line["nothing"], line["share"]) == (7, True, None, 0.5)
    assert line["at"] == "2026-03-02 00:00:00+00:00"


def test_what_is_less_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    early = logs.logger("made before")
    logs.setup("warning", "console")
    early.info("quiet")
    early.warning("loud")
    told = capsys.readouterr().err
    assert "quiet" not in told
    assert "loud" in told


def test_a_log_that_nobody_can_read_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    logs.setup("info", "json")
    monkeypatch.setattr(sys, "stderr", Gone())
    logs.logger("test").error("nobody hears this", exc_info=ValueError("nor this"))
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    logs.logger("test").info("nor this")
