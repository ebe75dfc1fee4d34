"""Written editions by command: kept, shown, proved, scheduled, stopped, and told of; and what is wrong, by line."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import dispatcher, in_json, newsroom, ok
from smtp_server import SmtpServer

WEEK = """---
subject: The week in the harbour
preheader: Cranes, and what they lift
slug: week
topics: [harbour]
send_at: 2190-12-01 07:30
in_reader_zone: true
---
# Dear readers

A **good** week: [more](https://quay.example/more).
"""


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def room(tmp_path: Path, relay: SmtpServer) -> Path:
    """A newsroom with a manuscript, and a relay that takes everything."""
    newsroom(tmp_path)
    config = tmp_path / "config" / "dispatcher.toml"
    config.write_text(config.read_text().replace("port = 1", f"port = {relay.port}"))
    (tmp_path / "week.md").write_text(WEEK)
    return tmp_path


def test_an_edition_goes_from_a_file_to_its_readers(room: Path, relay: SmtpServer) -> None:
    assert "none yet" in ok(room, "editions")
    assert "Subject: The week in the harbour" in ok(room, "editions", "preview", "week.md")
    kept = in_json(room, "editions", "new", "week.md")
    assert (kept["slug"], kept["status"], kept["audience"], kept["version"]) == (
        "week", "draft", {"topics": ["harbour"]}, 1,
    )  # fmt: skip
    assert "version 2" in ok(room, "editions", "new", "week.md", "--newsletter", "default")
    assert "more <https://quay.example/more>" in ok(room, "editions", "preview", "week", "--as", "ann@reader.example")
    for name, words in (("a.html", "<strong>good</strong>"), ("a.txt", "A good week"), ("a.eml", "Message-ID:")):
        assert "wrote" in ok(room, "editions", "preview", "week", "--out", name)
        assert words in (room / name).read_text()
    assert "sent a proof to me@quay.example" in ok(room, "editions", "test", "week", "me@quay.example")
    assert "2190-12-01 07:30 in each reader's zone, for 1 readers" in ok(room, "editions", "schedule", "week")
    assert "draft again" in ok(room, "editions", "unschedule", "week")
    assert "leaves at 2190-01-01" in ok(room, "editions", "schedule", "week", "--at", "2190-01-01T07:30")
    assert "is paused" in ok(room, "editions", "pause", "week")
    assert "goes on" in ok(room, "editions", "resume", "week")
    assert dispatcher(room, "editions", "send", "week").code == 2, "nobody is there to be asked"
    ok(room, "editions", "send", "week", "--yes")
    assert in_json(room, "run", "--once")["send"]["sent"] == 1
    told = in_json(room, "editions", "status", "week")
    assert (told["status"], told["readers"], told["mails"]) == ("sent", 1, {"sent": 1})
    assert "1 sent" in ok(room, "editions", "status", "week")
    (one,) = in_json(room, "deliveries", "list", "--edition", "week")
    assert (one["kind"], one["recipient"]) == ("edition", "ann@reader.example")
    proof, mail = [email.message_from_bytes(m.data, policy=email.policy.default) for m in relay.messages]
    assert (proof["To"], proof["Subject"]) == ("me@quay.example", "[Test] The week in the harbour")
    assert (mail["To"], mail["Subject"]) == ("Ann <ann@reader.example>", "The week in the harbour")
    assert [line["slug"] for line in in_json(room, "editions")] == ["week"]


def test_what_cannot_be_done_is_said_in_a_sentence(room: Path) -> None:
    ok(room, "editions", "new", "week.md")
    assert "cancelled" in ok(room, "editions", "cancel", "week", "--yes")
    (room / "bad.md").write_text(WEEK.replace("topics: [harbour]", "topics: [harbor]").replace("slug", "slugg"))
    for command, code, words in (
        (("new", "none.md"), 3, "none.md: it cannot be read"),
        (("new", "bad.md"), 3, 'bad.md:4: slugg: there is no such key; did you mean "slug"?'),
        (("preview", "nope"), 1, 'there is no edition "nope"'),
        (("preview", "weak"), 1, 'there is no edition "weak"; did you mean "week"?'),
        (("preview", "week.md", "--out", "no/such/folder.html"), 3, "it cannot be written"),
        (("new", "week.md"), 1, 'edition "week" is cancelled: its words stand'),
        (("schedule", "week"), 1, 'edition "week" is cancelled: it cannot be scheduled'),
        (("schedule", "week", "--at", "soon"), 2, "'soon' is not a time"),
        (("resume", "week"), 1, 'edition "week" is not paused but cancelled'),
        (("cancel", "week"), 2, "--yes"),
        (("test", "week", "me"), 1, "me"),
    ):
        said = dispatcher(room, "editions", *command)
        assert (said.code, words in said.err) == (code, True), (command, said)
    (room / "bad.md").write_text(WEEK.replace("topics: [harbour]", "topics: [harbor]"))
    said = dispatcher(room, "editions", "new", "bad.md")
    assert 'bad.md:5: topics: there is no topic "harbor"; did you mean "harbour"?' in said.err
    (room / "bad.md").write_text(WEEK.replace("2190", "2025").replace("slug: week", "slug: past"))
    ok(room, "editions", "new", "bad.md")
    assert "which is over" in dispatcher(room, "editions", "schedule", "past").err
