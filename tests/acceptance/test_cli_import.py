"""Long lists by command: what is said of them, what they take of memory, and that they can be cut off anywhere."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Said, dispatcher, newsroom, spawn

BOB = "bob@reader.example"
GROWTH = 12_000  # kB that forty thousand more people may take: a set of their addresses alone would be as much


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return newsroom(tmp_path)


def people(folder: Path, count: int) -> Path:
    path = folder / f"people-{count}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("email", "name", "timezone", "topics"))
        sheet.writerows((f"r{n}@reader.example", f"Reader {n}", "Europe/London", "harbour") for n in range(count))
    return path


def counted(folder: Path) -> int:
    with sqlite3.connect(folder / "subscribers.db") as database:
        return int(database.execute("SELECT count(*) FROM subscriber").fetchone()[0])


def test_lines_of_json_go_in_and_out_by_the_name_of_the_file_or_as_told(room: Path) -> None:
    line = {"email": BOB, "topics": ["harbour", {"topic": "everything", "cadence": "instant"}], "shoe": 44}
    proof = {"consent_at": "2024-05-01T10:11:12Z", "consent_ip": "192.0.2.7", "consent_source": "the fair"}
    (room / "people.jsonl").write_text("\ufeff" + json.dumps(line | proof) + "\n\n{}\n", encoding="utf-8")
    said = dispatcher(room, "subscribers", "import", "people.jsonl")
    assert said.out == "2 people read: 1 added, 0 updated, 0 unchanged, 1 bad\n"
    assert said.err == 'people.jsonl: line 3: there is no e-mail address\npeople.jsonl: "shoe" is not read\n'
    out = dispatcher(room, "subscribers", "export", "--format", "jsonl").out
    bob = next(one for one in map(json.loads, out.splitlines()) if one["email"] == BOB)
    assert bob["topics"] == [{"topic": "harbour"}, {"topic": "everything", "cadence": "instant"}]
    assert (bob["consent_at"], bob["consent_ip"]) == ("2024-05-01T10:11:12+00:00", "192.0.2.7")
    assert dispatcher(room, "subscribers", "export", "out.ndjson").code == 0
    assert (room / "out.ndjson").read_text(encoding="utf-8") == out
    again = spawn(room, "subscribers", "import", "-", "--format", "jsonl", input=out)
    assert (again.code, again.out) == (0, "2 people read: 0 added, 0 updated, 2 unchanged, 0 bad\n")


def test_the_first_bad_lines_are_shown_and_all_of_them_kept_in_a_report(room: Path) -> None:
    (room / "people.csv").write_text("email\n" + "".join(f"=nobody {n}\n" for n in range(30)) + f"{BOB}\n")
    said = dispatcher(room, "subscribers", "import", "people.csv", "--report", "left.csv")
    assert said.code == 1
    shown = said.err.splitlines()
    assert (len(shown), shown[-1]) == (21, "people.csv: 10 more lines were left out; left.csv has all of them")
    rows = list(csv.reader((room / "left.csv").open(encoding="utf-8")))
    assert (rows[0], [row[0] for row in rows[1:]]) == (["line", "reason"], [str(n) for n in range(2, 32)])
    assert (room / "left.csv").stat().st_mode & 0o777 == 0o600
    said = dispatcher(room, "subscribers", "import", "people.csv")
    assert "--report FILE keeps all of them" in said.err
    assert len(dispatcher(room, "subscribers", "import", "people.csv", "--json").json["lines"]) == 30


def test_an_import_of_any_length_takes_hardly_more_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (20_000, 60_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        newsroom(folder)
        peaks.append(peak(folder, "subscribers", "import", str(people(folder, count))))
        assert counted(folder) == count + 1
    assert peaks[1] - peaks[0] < GROWTH
    assert peaks[1] < 200_000


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(folder: Path, *arguments: str) -> int:
    """The most memory that a command had, in kB. Started by a small process: Linux counts what the parent had."""
    command = [sys.executable, "-m", "dispatcher", *arguments]
    found = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=folder, check=True, capture_output=True)
    return int(found.stdout)


def test_an_import_that_was_killed_is_taken_up_by_giving_the_file_again(room: Path) -> None:
    path = people(room, 20_000)
    assert dispatcher(room, "subscribers", "add", BOB).code == 0
    child = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "subscribers", "import", str(path)], cwd=room, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while counted(room) < 3_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    had = counted(room) - 2
    assert 0 < had < 20_000
    said = dispatcher(room, "subscribers", "import", str(path))
    assert said.out == f"20000 people read: {20_000 - had} added, 0 updated, {had} unchanged, 0 bad\n"
    with sqlite3.connect(room / "subscribers.db") as database:
        for table in ("endpoint", "subscription", "schedule", "consent"):
            whole = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert whole in (20_000, 20_001, 20_002), table


def suppressions(room: Path, *arguments: str) -> Said:
    return dispatcher(room, "suppressions", *arguments)


def test_an_address_is_suppressed_and_released_by_command(room: Path) -> None:
    assert suppressions(room).out == "suppressions: nobody\n"
    assert suppressions(room, "--json").json == []
    assert suppressions(room, "add", "Bob@Reader.example").out == "suppressed Bob@Reader.example\n"
    assert suppressions(room, "add", BOB, "--reason", "bounced").out == f"{BOB} is suppressed already\n"
    assert suppressions(room, "add", "nobody").code == 1
    [listed] = suppressions(room, "--json").json
    assert (listed["email"], listed["reason"], listed["scope"]) == (BOB, "operator", "address")
    assert "suppressed (operator)" in dispatcher(room, "subscribers", "add", BOB).err
    assert suppressions(room, "remove", BOB).code == 2
    assert suppressions(room, "remove", BOB, "--newsletter", "--yes").code == 1
    assert suppressions(room, "remove", BOB, "--yes").out == f"{BOB} may be written to again\n"
    assert dispatcher(room, "subscribers", "add", BOB).code == 0
    assert "is not suppressed" in suppressions(room, "remove", BOB, "--yes").err


def test_a_suppression_list_goes_in_and_out_by_command(room: Path) -> None:
    (room / "list.txt").write_text(f"{BOB}\nnobody\ncyd@reader.example\n")
    said = suppressions(room, "import", "list.txt", "--reason", "complained", "--report", "left.csv")
    assert said.code == 1
    assert said.out == "3 addresses read: 2 suppressed, 0 were already, 1 bad; 0 waiting messages ended\n"
    assert "list.txt: line 2: " in said.err
    assert len((room / "left.csv").read_text().splitlines()) == 2
    text = suppressions(room, "export").out
    assert suppressions(room, "export", "out.csv").out == "wrote 2 suppressions to out.csv\n"
    assert (room / "out.csv").read_text() == text
    again = spawn(room, "suppressions", "import", "-", "--json", input=text)
    assert (again.code, again.json["added"], again.json["unchanged"]) == (0, 0, 2)
    said = suppressions(room, "--limit", "1", "--json")
    assert (len(said.json), "there are more" in said.err) == (1, True)
    assert "bob@reader.example  complained" in suppressions(room).out


def test_somebody_who_was_erased_is_listed_without_a_name(room: Path) -> None:
    dispatcher(room, "subscribers", "add", BOB)
    dispatcher(room, "subscribers", "remove", BOB, "--erase", "--yes")
    assert "(erased)" in suppressions(room).out
    assert BOB not in suppressions(room, "--json").out + suppressions(room, "export").out
    assert suppressions(room, "remove", BOB, "--yes").code == 0
