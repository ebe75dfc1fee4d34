"""People by command: added, changed, paused, unsubscribed, erased, imported and exported."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from command_line import Said, dispatcher, newsroom, spawn

BOB = "bob@reader.example"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return newsroom(tmp_path)


def person(folder: Path, email: str = BOB) -> dict[str, object]:
    found: dict[str, object] = dispatcher(folder, "subscribers", "show", email, "--json").json
    return found


def follows(folder: Path, email: str = BOB) -> dict[str, str]:
    topics = person(folder, email)["topics"]
    assert isinstance(topics, list)
    return {topic["topic"]: topic["cadence"] for topic in topics if topic["status"] == "active"}


def add(folder: Path, *arguments: str) -> Said:
    return dispatcher(folder, "subscribers", "add", BOB, *arguments)


def test_a_person_is_added_and_changed(room: Path) -> None:
    said = add(
        room, "--topic", "harbour", "--topic", "everything = weekly on mon,thu at 08:00", "--timezone", "Asia/Tokyo"
    )
    assert (said.code, said.out, said.err) == (0, f"added {BOB}\n", "")
    assert follows(room) == {"harbour": "daily at 07:30", "everything": "weekly on mon,thu at 08:00"}
    said = dispatcher(room, "subscribers", "set", "BOB@Reader.example", "--cadence", "daily at 9:00", "--name", "Bób")
    assert said.out == f"updated {BOB}\n"
    assert follows(room) == {"harbour": "daily at 09:00", "everything": "weekly on mon,thu at 08:00"}
    assert (person(room)["name"], person(room)["timezone"]) == ("Bób", "Asia/Tokyo")
    assert dispatcher(room, "subscribers", "set", BOB, "--name", "Bób").out == f"unchanged {BOB}\n"


def test_a_cadence_said_for_one_topic_goes_before_a_new_default(room: Path) -> None:
    add(room, "--topic", "harbour", "--topic", "everything")
    dispatcher(room, "subscribers", "set", BOB, "--topic", "harbour=hourly", "--cadence", "daily at 09:00")
    assert follows(room) == {"harbour": "hourly", "everything": "daily at 09:00"}


def test_somebody_added_without_a_topic_is_noticed(room: Path) -> None:
    assert "they follow nothing yet" in add(room).err


def test_a_person_is_paused_and_resumed(room: Path) -> None:
    add(room, "--topic", "harbour")
    assert dispatcher(room, "subscribers", "pause", BOB).out == f"paused {BOB}\n"
    assert person(room)["paused_by"] == "operator"
    assert dispatcher(room, "subscribers", "pause", BOB).code == 1
    assert dispatcher(room, "subscribers", "resume", BOB).out == f"resumed {BOB}\n"
    assert person(room)["status"] == "active"


def test_whoever_left_comes_back_only_with_a_consent(room: Path) -> None:
    add(room, "--topic", "harbour")
    assert dispatcher(room, "subscribers", "remove", BOB, "--yes").out == f"unsubscribed {BOB}\n"
    assert "already" in dispatcher(room, "subscribers", "remove", BOB).out
    said = add(room, "--topic", "harbour")
    assert (said.code, "suppressed (unsubscribed)" in said.err, "--consent" in said.err) == (1, True, True)
    assert dispatcher(room, "subscribers", "resume", BOB).code == 1
    assert add(room, "--topic", "harbour", "--consent", "wrote to us on Monday").code == 0
    assert (person(room)["status"], follows(room)) == ("active", {"harbour": "daily at 07:30"})


def test_whoever_was_erased_is_gone_and_stays_so(room: Path) -> None:
    add(room, "--topic", "harbour", "--name", "Bob")
    assert dispatcher(room, "subscribers", "remove", BOB, "--erase", "--yes").out == f"erased {BOB}\n"
    assert dispatcher(room, "subscribers", "show", BOB).code == 1
    assert "Bob" not in dispatcher(room, "subscribers", "--json").out
    assert BOB not in dispatcher(room, "subscribers", "export").out
    assert add(room, "--consent", "please").code == 1


def test_what_config_says_of_a_person_is_changed_there(room: Path) -> None:
    for change in (("--timezone", "UTC"), ("--topic", "harbour=instant")):
        said = dispatcher(room, "subscribers", "set", "ann@reader.example", *change)
        assert (said.code, "is declared in" in said.err) == (1, True)
    assert dispatcher(room, "subscribers", "set", "ann@reader.example", "--topic", "everything").code == 0
    assert set(follows(room, "ann@reader.example")) == {"harbour", "everything"}


def test_a_long_list_says_that_there_is_more(room: Path) -> None:
    add(room)
    said = dispatcher(room, "subscribers", "--limit", "1", "--json")
    assert (len(said.json), "there are more" in said.err) == (1, True)
    assert dispatcher(room, "subscribers", "--limit", "2").err == ""


def test_an_import_reports_bad_lines_takes_the_rest_and_changes_nothing_the_second_time(room: Path) -> None:
    (room / "people.csv").write_text(
        "email,name,shoe size,topics\n"
        f"{BOB},Bob,44,harbour\n"
        "nobody,Nobody,1,harbour\n"
        "\n"
        "cyd@reader.example,Cyd,40,harbor\n"
    )
    said = dispatcher(room, "subscribers", "import", "people.csv")
    assert said.code == 1
    assert said.out == "3 people read: 1 added, 0 updated, 0 unchanged, 2 bad\n"
    assert said.err.splitlines() == [
        'people.csv: the column "shoe size" is not read',
        'people.csv: line 3: email: "nobody" is not an e-mail address: an email address must have an @-sign',
        'people.csv: line 5: there is no topic "harbor"; did you mean "harbour"?',
    ]
    again = dispatcher(room, "subscribers", "import", "people.csv", "--json")
    assert (again.code, again.json["unchanged"], again.json["created"]) == (1, 1, 0)
    assert [line["line"] for line in again.json["lines"]] == [3, 5]


def test_an_export_goes_to_a_private_file_or_through_a_pipe_and_comes_back_unchanged(room: Path) -> None:
    add(room, "--topic", "everything=instant", "--name", "=HYPERLINK(1)")
    text = dispatcher(room, "subscribers", "export").out
    rows = {row["email"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (rows[BOB]["name"], rows[BOB]["topics"]) == ("'=HYPERLINK(1)", "everything = instant")
    assert dispatcher(room, "subscribers", "export", "out.csv").out == "wrote 2 people to out.csv\n"
    assert (room / "out.csv").stat().st_mode & 0o777 == 0o600
    assert (room / "out.csv").read_text() == text
    said = spawn(room, "subscribers", "import", "-", input=text)
    assert (said.code, said.err) == (0, "")
    assert said.out == "2 people read: 0 added, 0 updated, 2 unchanged, 0 bad\n"
    assert dispatcher(room, "subscribers", "export").out == text


def test_a_file_that_is_no_text_is_refused_before_anybody_is_taken_in(room: Path) -> None:
    (room / "people.csv").write_bytes(f"email,name\n{BOB},Bob\ncyd@reader.example,Zo\xeb\n".encode("latin-1"))
    said = dispatcher(room, "subscribers", "import", "people.csv")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: people.csv: line 3 is not UTF-8")
    assert BOB not in dispatcher(room, "subscribers").out
