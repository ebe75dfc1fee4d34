"""How results look: for people, for programs, and in a pipe."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.cli import show
from dispatcher.cli.trouble import UsageError, explain
from dispatcher.errors import ConfigError, Problem, QueryError, StoreError
from dispatcher.model.content import Topic
from dispatcher.model.values import Origin

AT = datetime(2026, 3, 2, 7, 31, 5, tzinfo=UTC)
Capture = pytest.CaptureFixture[str]


def test_a_table_in_a_pipe_has_one_line_a_row_and_no_empty_columns(capsys: Capture) -> None:
    rows = [(1, "ann", None, AT, "x" * 300), (20, "ben", "", None, ["a", "b"])]
    show.table("people", ("id", "name", "nothing", "seen", "long"), rows)
    title, head, *lines = capsys.readouterr().out.splitlines()
    assert (title, head.split()) == ("people", ["id", "name", "seen", "long"])
    assert lines == [f" 1  ann   2026-03-02 07:31Z  {'x' * 300}", "20  ben                      a, b"]


def test_an_empty_table_says_what_to_do(capsys: Capture) -> None:
    show.table("people", ("id",), [], empty="nobody yet; add one")
    assert capsys.readouterr().out == "people: nobody yet; add one\n"


def test_facts_leave_out_what_is_empty_but_not_what_is_zero(capsys: Capture) -> None:
    show.facts("Ann", {"name": "Ann", "notes": "", "soft_bounces": 0, "is_new": False, "at": None, "more": {"a": 1}})
    assert capsys.readouterr().out.splitlines() == [
        "Ann", "name          Ann", "soft bounces  0", "is new        no", "more          a: 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[bold]plain[/bold]", "[bold]plain[/bold]"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("turned \u202earound", "turned �around"),
        ("می‌خواهم 👩‍🚀", "می‌خواهم 👩‍🚀"),
        ("two\r\n lines", "two lines"),
    ],
)
def test_text_from_outside_cannot_play_with_the_terminal(text: str, shown: str) -> None:
    assert show.printable(text) == shown


def test_json_holds_instants_durations_sets_and_nouns(capsys: Capture) -> None:
    noun = Topic(slug="sea", name="Sea", query_id=1, origin=Origin.CLI, created_at=AT)
    show.as_json({"at": AT, "for": timedelta(minutes=2), "some": {2, 1}, "noun": noun})
    found = json.loads(capsys.readouterr().out)
    assert (found["at"], found["for"], found["some"]) == ("2026-03-02T07:31:05+00:00", 120.0, [1, 2])
    assert list(found["noun"]) == list(Topic.model_fields)
    assert found["noun"]["origin"] == "cli"


def test_a_note_does_not_get_into_what_a_pipe_carries(capsys: Capture) -> None:
    show.note("there is more")
    assert capsys.readouterr() == ("", "there is more\n")


def test_progress_is_silent_in_a_pipe(capsys: Capture) -> None:
    with show.progress("working", 10) as advance:
        advance(5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("say which"), 2, "Error: say which\n"),
        (StoreError("it is full"), 1, "Error: it is full\n"),
        (ConfigError([Problem("a.toml", "site.x", "unknown key")]), 3, "Error: a.toml: site.x: unknown key\n"),
        (QueryError("odd", text="a (", line=1, column=3), 1, "Error: line 1, column 3: odd\n  a (\n    ^\n"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 1, "Error: x.csv: No such file or directory\n"),
        (OSError(28, "No space left on device"), 1, "Error: No space left on device\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_message_and_its_exit_code(error: BaseException, code: int, text: str, capsys: Capture) -> None:
    assert explain(error) == code
    assert capsys.readouterr() == ("", text)


def test_many_mistakes_in_the_configuration_are_counted_and_listed(capsys: Capture) -> None:
    assert explain(ConfigError([Problem("a.toml", "x", "odd"), Problem("a.toml", "y", "even")])) == 3
    assert capsys.readouterr().err == "Error: 2 mistakes in the configuration\n  a.toml: x: odd\n  a.toml: y: even\n"
