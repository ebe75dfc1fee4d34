"""Errors as a user meets them: one clear message, the right exit code, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import dispatcher, newsroom, spawn

CORPUS = sorted(path for path in (Path(__file__).parents[1] / "corpus" / "config").iterdir() if path.is_dir())


def expected(case: Path) -> list[str]:
    return (case / "expected.txt").read_text(encoding="utf-8").splitlines()


def environment(case: Path) -> dict[str, str]:
    found = case / "env.json"
    return json.loads(found.read_text(encoding="utf-8")) if found.exists() else {}


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_every_mistake_in_the_configuration_gets_its_line(case: Path) -> None:
    said = dispatcher(case, "config", "check", env=environment(case))
    assert (said.code, said.out) == (3, "")
    assert all(line in said.err for line in expected(case))
    assert "Traceback" not in said.err


@pytest.mark.parametrize("case", CORPUS[:: len(CORPUS) // 2][:2], ids=lambda case: case.name)
def test_a_process_of_its_own_shows_the_same_lines(case: Path) -> None:
    said = spawn(case, "run", "--once", env=environment(case))
    assert (said.code, said.out) == (3, "")
    shown = [line.removeprefix("Error:").strip() for line in said.err.splitlines()]
    assert shown[-len(expected(case)) :] == expected(case)


@pytest.mark.parametrize(
    "command", ["status", "run --once", "sources", "subscribers import x.csv", "db current", "config check"]
)
def test_without_a_configuration_a_command_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("email\n")
    said = dispatcher(tmp_path, *command.split())
    assert (said.code, said.out) == (3, "")
    assert "dispatcher init" in said.err
    assert not (tmp_path / "subscribers.db").exists()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "digest.txt.j2:1: Expected an expression"),
        ("one\n{{ storys }}", "digest.txt.j2:2: 'storys' is not defined; did you mean 'stories'?"),
        ("{% personal %}{{ subscriber.nam }}{% endpersonal %}", "did you mean 'name'?"),
    ],
)
def test_config_check_finds_mistakes_in_templates(template: str, message: str, tmp_path: Path) -> None:
    newsroom(tmp_path)
    (tmp_path / "templates" / "email").mkdir(parents=True)
    (tmp_path / "templates" / "email" / "digest.txt.j2").write_text(template)
    said = dispatcher(tmp_path, "config", "check")
    assert (said.code, said.out) == (1, "")
    assert message in said.err


@pytest.mark.parametrize("time", ["", "nonsense", "25", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31"])
@pytest.mark.parametrize(
    "command", [("run", "--once"), ("plan", "--dry-run"), ("send",), ("preview", "ann@reader.example")]
)
def test_a_time_that_is_none_is_a_usage_error(command: tuple[str, ...], time: str, tmp_path: Path) -> None:
    said = dispatcher(newsroom(tmp_path), *command, "--at", time)
    assert (said.code, said.out) == (2, "")
    assert "'--at'" in said.err


@pytest.mark.parametrize(
    "command",
    [
        "articles show x", "articles show 0", "articles list --limit -1", "deliveries list --status lost",
        "deliveries retry", "deliveries retry 1 --failed", "deliveries show 99999999999999999999999",
        "run --at 2026-03-02T07:31", "run --json", "run extra", "topics test x", "demo --port 70000",
        "subscribers show", "subscribers remove ann@reader.example", "topics --nonsense",
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_meant_ends_with_2(command: str, tmp_path: Path) -> None:
    said = dispatcher(newsroom(tmp_path), *command.split())
    assert (said.code, said.out) == (2, "")
    assert "Error: " in said.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("articles show 7", "no article 7"),
        ("deliveries show 7", "no delivery 7"),
        ("deliveries retry 7 --yes", "only what failed, expired, is held or deferred"),
        ("deliveries --email nobody@reader.example", "nobody here has the address"),
        ("sources add news.example/feed", 'did you mean "https://news.example/feed"'),
        ("sources remove Nowhere --yes", "no source is named 'Nowhere'"),
        ("sources check ./nowhere", "there is no file or folder"),
        ("sources remove Desk --yes", "is declared in the configuration"),
        ("topics remove harbour --yes", "is declared in the configuration"),
        ("topics add harbour x", "is declared in the configuration"),
        ("topics add Harbour x", 'did you mean "harbour"?'),
        ("topics test x --article nowhere.txt", "nowhere.txt: No such file"),
        ("topics test x --article news", "news: Is a directory"),
        ("subscribers add ann@reader.example", "here already"),
        ("subscribers add bob@reader", "has no dot"),
        ("subscribers add bob@reader.example --topic harbor", 'did you mean "harbour"?'),
        ("subscribers add bob@reader.example --cadence dayly", 'did you mean "daily at 07:30"?'),
        ("subscribers set ann@reader.example --timezone Europe/Paris", "is declared in"),
        ("subscribers set bob@reader.example --name Bob", "subscribers add"),
        ("subscribers resume ann@reader.example", "only paused people"),
        ("subscribers import nowhere.csv", "nowhere.csv: No such file"),
        ("subscribers export nowhere/people.csv", "nowhere/people.csv: No such file"),
        ("preview bob@reader.example", "nobody here has the address"),
        ("preview ann@reader.example --out nowhere/x.html --at 2031-01-01", None),
        ("db backup", "there is no SQLite file to copy"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(command: str, message: str | None, tmp_path: Path) -> None:
    said = dispatcher(newsroom(tmp_path), *command.split())
    if message is None:
        assert said.code == 0, "nothing was written, because there was nothing to show"
        return
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: ")
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_query_that_does_not_parse_is_shown_with_the_place(tmp_path: Path) -> None:
    said = dispatcher(newsroom(tmp_path), "topics", "add", "wind", "wind AND (sea")
    assert said.err.splitlines()[1:] == ["  wind AND (sea", "           ^"]


def test_a_database_that_is_none_or_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    for url, content, message in (
        ("sqlite:///nowhere/x.db", None, "no such folder"),
        ("sqlite:///garbage.db", b"garbage" * 1000, "not a database"),
    ):
        newsroom(tmp_path, more=f'[database]\nurl = "{url}"\n')
        if content:
            (tmp_path / "garbage.db").write_bytes(content)
        said = spawn(tmp_path, "status")
        assert (said.code, said.out) == (1, "")
        assert message in said.err
        assert "Traceback" not in said.err


def test_a_pipe_that_closes_is_no_error_and_a_full_disk_is_one(tmp_path: Path) -> None:
    for behind, code, err in (
        ("| head -c 1", 0, ""),
        ("> /dev/full", 1, "Error: No space left on device\n"),
        (">&-", 0, ""),
    ):
        line = f"{sys.executable} -m dispatcher --help {behind}"
        done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, err), behind


def test_a_bug_is_called_one_and_its_traceback_is_shown_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dispatcher.store import figures

    async def broken(tx: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(figures, "status", broken)
    said = dispatcher(newsroom(tmp_path), "status")
    assert said.code == 1
    assert "This is a bug in dispatcher" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in dispatcher(tmp_path, "--debug", "status").err
