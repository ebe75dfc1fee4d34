"""What an operator does by command, and what is shown for it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from builders import atom
from command_line import dispatcher, in_json, newsroom, ok

from dispatcher import clock
from dispatcher.model.values import DeliveryStatus

ANN = "ann@reader.example"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A newsroom with two articles in its folder."""
    newsroom(tmp_path)
    (tmp_path / "news" / "ferry.txt").write_text("A new ferry\nIt crosses the harbour in ten minutes.\n")
    (tmp_path / "news" / "wind.md").write_text("---\ntitle: Wind [strong] \x1b[31mtoday\n---\nHold on to your hats.\n")
    for path in (tmp_path / "news").iterdir():
        os.utime(path, (time.time() - 60,) * 2)  # what was written just now might still be being written
    return tmp_path


def test_init_makes_a_folder_in_which_everything_works_and_touches_nothing_again(tmp_path: Path) -> None:
    said = ok(tmp_path, "init", "--name", 'The "Quay"', "--sender", "The Quay <news@quay.example>")
    assert said.count("wrote") == 3
    assert (tmp_path / "config" / "secret").stat().st_mode & 0o777 == 0o600
    before = {path: path.read_bytes() for path in (tmp_path / "config").iterdir()}
    assert "nothing was changed" in ok(tmp_path, "init")
    assert {path: path.read_bytes() for path in (tmp_path / "config").iterdir()} == before
    shown = in_json(tmp_path, "config", "show")
    assert (shown["site"]["name"], shown["mail"]["from"]) == ('The "Quay"', "The Quay <news@quay.example>")
    assert shown["site"]["secret"] == "******"
    assert "fine (0 sources, 0 topics, 0 subscribers)" in ok(tmp_path, "config", "check")
    assert "one pass at" in ok(tmp_path, "run", "--once")


def test_init_leaves_the_operators_own_configuration_as_it_is(tmp_path: Path) -> None:
    newsroom(tmp_path)
    ok(tmp_path, "init")
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["dispatcher.toml"]


def test_init_refuses_a_sender_that_is_none_before_it_writes(tmp_path: Path) -> None:
    assert dispatcher(tmp_path, "init", "--sender", "nobody").code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_group_of_commands_alone_is_its_list(room: Path) -> None:
    ok(room, "ingest", "--all")
    for group in ("sources", "topics", "subscribers", "articles", "deliveries", "webhooks"):
        assert ok(room, group) == ok(room, group, "list")
        assert in_json(room, group) == in_json(room, group, "list")


def test_a_pass_says_what_it_did_and_what_went_wrong(room: Path) -> None:
    done = in_json(room, "run", "--once")
    assert set(done) == {"config", "ingest", "plan", "presign", "send", "settle", "tell", "archive", "prune"}
    assert done["ingest"]["new"] == 2
    said = dispatcher(newsroom(room, more='[[sources]]\nname = "Gone"\nurl = "gone"\n'), "run", "--once")
    assert (said.code, "failed 1" in said.out) == (0, True)
    assert "`dispatcher sources` says why" in said.err
    assert "there is no file or folder" in ok(room, "sources")


def test_a_source_is_added_listed_and_removed(room: Path) -> None:
    atom(room / "feed.xml", ("one", "A bridge opens", clock.now()))
    assert "A bridge opens" in ok(room, "sources", "check", "feed.xml")
    assert "try it with `dispatcher sources check feed.xml`" in ok(room, "sources", "add", "feed.xml", "--tag", "local")
    assert dispatcher(room, "sources", "add", "feed.xml").code == 1
    added = {source["name"]: source for source in in_json(room, "sources")}["feed.xml"]
    assert (added["url"], added["tags"], added["origin"]) == (str(room / "feed.xml"), ["local"], "cli")
    ok(room, "ingest", "--all")
    assert "its articles stay" in ok(room, "sources", "remove", "feed.xml", "--yes")
    assert {source["name"]: source["is_paused"] for source in in_json(room, "sources")} == {
        "Desk": False,
        "feed.xml": True,
    }
    ok(room, "sources", "add", "feed.xml")
    assert not {source["name"]: source["is_paused"] for source in in_json(room, "sources")}["feed.xml"]


def test_a_saved_feed_shows_what_would_be_stored_of_it(room: Path) -> None:
    (room / "saved.xml").write_text(
        "<rss version='2.0'><channel><title>t</title><link>/</link><description>d</description><item><guid>g-7</guid>"
        "<title>A bridge opens</title><link>/bridge?utm_source=rss</link></item></channel></rss>"
    )
    said = ok(room, "sources", "test", "saved.xml", "--url", "https://gazette.example/feed")
    assert all(word in said for word in ("1 article", "A bridge opens", "g-7", "https://gazette.example/bridge\n"))
    (found,) = in_json(room, "sources", "test", "saved.xml", "--url", "https://gazette.example/feed")
    assert (found["title"], found["url"]) == ("A bridge opens", "https://gazette.example/bridge")
    assert "there is no file" in dispatcher(room, "sources", "test", "nowhere.xml").err


def test_a_source_is_listed_with_how_it_fares(room: Path) -> None:
    ok(room, "ingest", "--all")
    (desk,) = in_json(room, "sources")
    assert (desk["polls"], desk["not_modified"], desk["broken_since"]) == (1, 0, None)
    assert desk["articles_a_day"] >= 0
    assert "next poll" in ok(room, "sources")


def test_a_path_on_the_command_line_is_relative_to_where_one_stands(room: Path) -> None:
    below = room / "below"
    (below / "stories").mkdir(parents=True)
    config = str(room / "config" / "dispatcher.toml")
    ok(below, "--config", config, "sources", "add", "stories")
    assert {source["url"] for source in in_json(room, "sources")} == {"news", str(below / "stories")}


def test_a_topic_is_added_counted_and_removed(room: Path) -> None:
    ok(room, "topics", "add", "wind", "wind OR storm", "--private", "--description", "All that blows")
    ok(room, "subscribers", "add", "bob@reader.example", "--topic", "wind=instant")
    ok(room, "ingest", "--all")
    wind = {topic["slug"]: topic for topic in in_json(room, "topics")}["wind"]
    assert (wind["name"], wind["matches"], wind["readers"], wind["is_public"]) == ("Wind", 1, 1, False)
    assert ok(room, "topics", "remove", "wind", "--yes") == "removed wind\n"
    assert "wind" not in {topic["slug"] for topic in in_json(room, "topics")}


@pytest.mark.parametrize(
    ("query", "code"), [("ferry", 0), ("ferry -harbour", 1), ('"ten minutes"', 0), ("fer* wind", 1)]
)
def test_topics_test_says_whether_and_why_an_article_matches(query: str, code: int, room: Path) -> None:
    said = dispatcher(room, "topics", "test", query, "--article", "news/ferry.txt")
    assert said.code == code
    assert said.out.startswith("match" if code == 0 else "no match")
    found = dispatcher(room, "topics", "test", query, "--article", "news/ferry.txt", "--json")
    assert (found.code, found.json["matched"]) == (code, code == 0)


def test_topics_are_suggested_from_a_file_an_article_and_a_word(room: Path) -> None:
    ok(room, "topics", "add", "gulls", "ferry gull", "--name", "Gulls")
    from_file = in_json(room, "topics", "suggest", "news/ferry.txt")
    assert "ferry" in " ".join(one["query"] for one in from_file["phrases"])
    assert {"slug": "gulls", "name": "Gulls", "missing": ["gull"], "forbidden": []} in from_file["topics"]
    assert "gulls" in ok(room, "topics", "suggest", "news/ferry.txt")
    assert "forms" in ok(room, "topics", "suggest", "ferries")
    assert "no article has the id 4711" in dispatcher(room, "topics", "suggest", "4711").err


def test_topics_stats_tells_what_each_finds(room: Path) -> None:
    ok(room, "topics", "add", "gulls", "ferry gull")
    assert "gulls" in in_json(room, "topics", "stats")["silent"]
    assert "never matched anything: " in ok(room, "topics", "stats")


def test_topics_test_marks_the_words_it_found(room: Path) -> None:
    assert "A new **ferry**" in ok(room, "topics", "test", "ferry", "--article", "news/ferry.txt")


def test_an_article_is_shown_with_the_topics_it_matches(room: Path) -> None:
    ok(room, "ingest", "--all")
    ferry = next(article for article in in_json(room, "articles") if "ferry" in article["title"])
    shown = in_json(room, "articles", "show", str(ferry["id"]))
    assert (shown["topics"], shown["sources"]) == (["everything", "harbour"], ["Desk"])
    assert "harbour in ten minutes" in ok(room, "articles", "show", str(ferry["id"]))


def test_nothing_from_outside_moves_the_terminals_cursor(room: Path) -> None:
    ok(room, "ingest", "--all")
    assert "\x1b" not in ok(room, "articles")
    assert "Wind [strong]" in ok(room, "articles"), "what looks like markup is shown as it is"


def test_a_preview_shows_the_next_digest_and_changes_nothing(room: Path) -> None:
    assert "there is nothing new for them" in ok(room, "preview", ANN)
    ok(room, "ingest", "--all")
    before = in_json(room, "status")
    assert "A new ferry" in ok(room, "preview", ANN.upper())
    for suffix, start in ((".html", b"<!"), (".txt", b"The Quay"), (".eml", b"Date:")):
        assert "wrote" in ok(room, "preview", ANN, "--out", f"page{suffix}")
        assert (room / f"page{suffix}").read_bytes().lstrip().lower().startswith(start.lower()) or suffix == ".eml"
    assert b"Message-ID:" in (room / "page.eml").read_bytes()
    assert in_json(room, "status") == before
    ok(room, "subscribers", "pause", ANN)
    assert "they are paused" in ok(room, "preview", ANN)


def test_a_preview_says_why_each_story_is_there_or_is_not(room: Path) -> None:
    assert "nothing would be sent" in ok(room, "preview", ANN, "--why")
    ok(room, "ingest", "--all")
    said = ok(room, "preview", ANN, "--why")
    assert "A new ferry" in said
    assert " of 2 in " in said or " of 1 in " in said
    (message,) = in_json(room, "preview", ANN)["messages"]
    story = message["stories"][0]
    assert (story["place"], story["fate"], story["priority"], story["told_by"]) == (1, "chosen", 5, 1)
    assert story["score"] == pytest.approx(story["relevance"] * story["freshness"], abs=0.001)
    ok(room, "subscribers", "pause", ANN)
    assert "they are paused" in ok(room, "preview", ANN, "--why")


def test_what_is_due_can_be_seen_before_it_is_planned(room: Path) -> None:
    ok(room, "ingest", "--all")
    due = in_json(room, "subscribers", "show", ANN)["schedules"][0]["next_due_at"]
    assert in_json(room, "plan", "--dry-run") == []
    planned = in_json(room, "plan", "--dry-run", "--at", due)
    assert [(one["email"], one["stories"]) for one in planned] == [(ANN, ["A new ferry"])]
    assert ANN in ok(room, "plan", "--dry-run", "--at", due)
    assert in_json(room, "status")["deliveries"]["queued"] == 0


def test_a_delivery_that_found_no_relay_tells_its_story_and_can_be_sent_again(room: Path) -> None:
    ok(room, "ingest", "--all")
    due = in_json(room, "subscribers", "show", ANN)["schedules"][0]["next_due_at"]
    assert in_json(room, "run", "--once", "--at", due)["send"]["deferred"] == 1
    [delivery] = in_json(room, "deliveries", "--status", "deferred", "--email", ANN)
    assert "cannot connect to 127.0.0.1:1" in ok(room, "deliveries", "show", str(delivery["id"]))
    assert in_json(room, "deliveries", "show", str(delivery["id"]))["attempts_made"][0]["outcome"] == "deferred"
    assert dispatcher(room, "deliveries", "retry", str(delivery["id"])).code == 2, "nobody is here to answer"
    assert "1 of 1 queued again" in ok(room, "deliveries", "retry", str(delivery["id"]), "--yes")
    assert in_json(room, "status")["deliveries"]["queued"] == 1
    assert "nothing has failed" in ok(room, "deliveries", "retry", "--failed")


def test_status_counts_everything_that_flows_through_the_pipe(room: Path) -> None:
    ok(room, "ingest", "--all")
    found = in_json(room, "status")
    counted = {
        name: found[name] for name in ("articles", "matches", "subscribers", "subscriptions", "sources", "topics")
    }
    assert counted == {"articles": 2, "matches": 3, "subscribers": 1, "subscriptions": 1, "sources": 1, "topics": 2}
    assert found["deliveries"] == {status.value: 0 for status in DeliveryStatus}
    assert found["daemon"] is None
    assert "not running" in ok(room, "status")


def test_the_database_is_copied_and_tells_its_revision(room: Path) -> None:
    from dispatcher.store import schema

    assert ok(room, "db", "current").startswith("empty")
    assert not (room / "subscribers.db").exists(), "looking makes no file"
    assert f"the schema is at {schema.HEAD}" in ok(room, "db", "upgrade")
    assert in_json(room, "db", "current") == {"revision": schema.HEAD, "newest": schema.HEAD}
    ok(room, "db", "backup", "copy.db")
    assert dispatcher(room, "db", "backup", "copy.db").code == 1
    assert "unable to open" in dispatcher(room, "db", "backup", "nowhere/copy.db").err
    assert (room / "copy.db").read_bytes().startswith(b"SQLite")


@pytest.mark.parametrize("step", ["ingest", "plan", "send", "settle", "archive", "prune"])
def test_every_step_is_a_command_that_reports_in_numbers(step: str, room: Path) -> None:
    assert all(isinstance(number, int) for number in in_json(room, step).values())
    assert ok(room, step).startswith(f"{step}\n")


async def test_another_time_is_refused_while_a_daemon_runs_but_one_may_look_ahead(room: Path) -> None:
    from dispatcher.pipeline.context import load_settings, open_context
    from dispatcher.store.instances import DAEMON

    async with open_context(load_settings(room / "config" / "dispatcher.toml", env={}), role=DAEMON):
        for command in (("run", "--once"), ("ingest",), ("plan",), ("send",)):
            said = await asyncio.to_thread(dispatcher, room, *command, "--at", "2026-03-02T07:31")
            assert (said.code, "a daemon (pid" in said.err) == (1, True), command
        for harmless in (("plan", "--dry-run", "--at", "2026-03-02T07:31"), ("ingest",)):
            assert (await asyncio.to_thread(dispatcher, room, *harmless)).code == 0
        assert "running, pid" in (await asyncio.to_thread(dispatcher, room, "status")).out
    assert "not running" in (await asyncio.to_thread(dispatcher, room, "status")).out
