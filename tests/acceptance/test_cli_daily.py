"""A week in the life of a newsletter: the real command, a real feed on disk, a real SMTP server."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from pathlib import Path

from builders import atom
from command_line import spawn
from smtp_server import SmtpServer

CONFIG = """
[site]
name = "The Daily Example"

[mail]
from = "The Daily Example <news@news.example>"

[[smtp]]
host = "127.0.0.1"
port = {port}

[[sources]]
name = "Gazette"
url = "{feed}"

[[topics]]
slug = "everything"
name = "All the news"
query = "*"

[[subscribers]]
email = "ann@reader.example"
name = "Ann"
timezone = "Europe/London"
cadence = "daily at 07:30"
topics = ["everything"]
"""
BEFORE = ("one", "Energy prices fall", datetime(2026, 3, 1, 23, tzinfo=UTC))
AFTER = ("two", "A bridge opens", datetime(2026, 3, 2, 12, tzinfo=UTC))


def test_a_daily_reader_gets_one_digest_a_day_with_what_is_new(tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    with SmtpServer() as server:
        (tmp_path / "config").mkdir()
        config = CONFIG.format(port=server.port, feed=feed.as_uri())
        (tmp_path / "config" / "dispatcher.toml").write_text(config)

        def sent_at(time: str) -> list[str]:
            """The texts of what a pass at this time sends."""
            before = len(server.messages)
            said = spawn(tmp_path, "run", "--once", "--at", time, "--json")
            assert said.code == 0, said
            texts = [text_of(kept.data) for kept in server.messages[before:]]
            assert said.json["send"]["sent"] == len(texts)
            return texts

        atom(feed, BEFORE)
        assert sent_at("2026-03-02T07:00") == []
        [first] = sent_at("2026-03-02T07:31")
        assert "Energy prices fall" in first
        assert sent_at("2026-03-02T07:32") == []
        atom(feed, AFTER, BEFORE)
        [second] = sent_at("2026-03-03T07:31+00:00")
        assert "A bridge opens" in second
        assert "Energy prices fall" not in second
        assert sent_at("2026-03-04T07:31") == []
        assert {kept.recipients for kept in server.messages} == {("ann@reader.example",)}


def text_of(data: bytes) -> str:
    body = email.message_from_bytes(data, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())
