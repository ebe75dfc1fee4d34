"""What a row of a file says of a person, and what is said of a row that says nothing sensible."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from dispatcher.pipeline.applicants import LONGEST, Applicant, Proof, Refusal, Register
from dispatcher.pipeline.entries import subscriber_entry
from dispatcher.pipeline.lines import Lines
from dispatcher.pipeline.marks import Marks
from dispatcher.pipeline.sheet import Input, Row

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
KNOWN = ("email", "name", "topics", "consent_at")


def read(**cells: str) -> Applicant | Refusal:
    return Register(NOW).read(Row(2, cells))


def applicant(**cells: str) -> Applicant:
    found = read(email="ann@reader.example", **cells)
    assert isinstance(found, Applicant), found
    return found


def lines(text: str) -> Lines:
    return Lines(Input(io.StringIO(text, newline=""), len(text), io.BytesIO()), known=KNOWN, ignored=("consents",))


def test_a_row_is_read_as_config_would_read_it() -> None:
    said = {"name": "Ann", "timezone": "Europe/London", "locale": "pt_BR", "cadence": "daily at 8:00"}
    entry = applicant(**said, topics="energy, sport = weekly on mon at 08:00").entry
    follows = [{"topic": "energy"}, {"topic": "sport", "cadence": "weekly on mon at 08:00"}]
    assert entry == subscriber_entry(email="ann@reader.example", **said, topics=follows)


def test_a_row_that_says_nothing_has_what_config_has_then() -> None:
    assert applicant().entry == subscriber_entry(email="ann@reader.example")
    assert applicant().said == frozenset()


def test_all_that_is_wrong_with_a_row_is_said_at_once() -> None:
    found = read(email="nobody", timezone="Mars/Base", cadence="now and then")
    assert isinstance(found, Refusal)
    assert all(word in found.reason for word in ("nobody", "Mars/Base", "is not a cadence"))


@pytest.mark.parametrize("name", ["A\x07nn", "Ann\u0085", "A" * (LONGEST + 1)])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert isinstance(read(email="ann@reader.example", name=name), Refusal)


def test_a_name_may_be_written_over_several_lines() -> None:
    assert applicant(name="Ann\r\n  Marie").name == "Ann Marie"


def test_an_address_counts_once_however_it_is_written() -> None:
    register = Register(NOW)
    assert isinstance(register.read(Row(2, {"email": "Ann@Reader.example"})), Applicant)
    again = register.read(Row(3, {"email": "ann@reader.example"}))
    assert again == Refusal(3, "ann@reader.example is in this file more than once; the first line counts")


@pytest.mark.parametrize(
    ("cells", "proof"),
    [
        ({"consent_at": "2024-05-01"}, Proof(datetime(2024, 5, 1, tzinfo=UTC), "", "the operator vouches for it")),
        ({"consent_source": "the form"}, Proof(None, "", "the form")),
        ({"consent_source": "the form", "consent": "ticked\nthe box"}, Proof(None, "", "the form; ticked the box")),
        ({"consent_ip": "192.0.2.7"}, Proof(None, "192.0.2.7", "the operator vouches for it")),
        ({"consent_ip": "2001:DB8::1"}, Proof(None, "2001:db8::1", "the operator vouches for it")),
        ({"consent_ip": "192.0.2.7/24"}, Proof(None, "192.0.2.0/24", "the operator vouches for it")),
    ],
)
def test_proof_of_consent_is_what_the_row_says(cells: dict[str, str], proof: Proof) -> None:
    assert applicant(**cells).proof == proof
    assert applicant().proof is None


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("consent_at", "yesterday"),
        ("consent_at", "2031-01-01"),
        ("consent_at", "1930-01-01"),
        ("consent_ip", "here"),
        ("consent", "a\x00b"),
        ("consent_source", "x" * (LONGEST + 1)),
    ],
)
def test_proof_that_proves_nothing_is_named(column: str, text: str) -> None:
    found = read(email="ann@reader.example", **{column: text})
    assert isinstance(found, Refusal)
    assert found.reason.startswith(f"{column}: ")


def test_marks_know_what_came_before() -> None:
    marks = Marks()
    assert [marks.add(f"reader{number}") for number in range(5000)] == [True] * 5000
    assert [marks.add(f"reader{number}") for number in range(5100)] == [False] * 5000 + [True] * 100


def test_lines_of_json_are_rows() -> None:
    text = (
        '{"email": " ann@reader.example ", "Name": "Ann", "consents": [1]}\n'
        "\n  \r\n"
        '{"email":"bob@reader.example","topics":["energy",{"topic":"sport","cadence":"hourly"},{"topic":"art"}]}\n'
        '{"email": "cyd@reader.example", "name": null, "topics": "energy; sport"}'
    )
    assert list(lines(text)) == [
        Row(1, {"email": "ann@reader.example", "name": "Ann"}),
        Row(4, {"email": "bob@reader.example", "topics": "energy; sport = hourly; art"}),
        Row(5, {"email": "cyd@reader.example", "name": "", "topics": "energy; sport"}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "this is not JSON"),
        ("nobody", "this is not JSON"),
        ('["ann@reader.example"]', "expected an object"),
        ("[" * 50_000, "nobody could mean"),
        ('{"email": ' + "9" * 5000 + "}", "nobody could mean"),
        ('{"email": 7}', "email: expected text, not a number"),
        ('{"email": true}', "email: expected text, not true or false"),
        ('{"name": {"first": "Ann"}}', "name: expected text, not an object"),
        ('{"name": ["Ann"]}', "name: expected text, not a list"),
        ('{"name": "\\ud800"}', "name: this is half of a character"),
        ('{"topics": [["energy"]]}', "topics: expected text, not a list"),
        ('{"topics": {"energy": true}}', "topics: expected text, not an object"),
        ('{"topics": [{"slug": "energy"}]}', "topics: expected such as"),
        ('{"consent_at": 1714550000}', "consent_at: expected text, not a number"),
    ],
)
def test_a_line_that_is_no_person_is_a_fault_and_the_next_is_read(line: str, reason: str) -> None:
    bad, good = lines(f'{line}\n{{"email": "bob@reader.example"}}\n')
    assert (bad.number, reason in bad.fault) == (1, True), bad.fault
    assert good == Row(2, {"email": "bob@reader.example"})


def test_a_huge_line_is_a_fault_and_the_next_is_read() -> None:
    huge = '{"name": "' + "x" * 2_500_000 + '"}'
    bad, good = lines(f'{huge}\n{{"email": "bob@reader.example"}}')
    assert "longer than 1,000,000" in bad.fault
    assert good == Row(2, {"email": "bob@reader.example"})


def test_names_that_are_not_read_are_mentioned_once_and_not_without_end() -> None:
    found = lines("".join(f'{{"nmae": 1, "field {number}": 2}}\n' for number in range(100)))
    assert len(list(found)) == 100
    assert len(found.notes) == 20
    assert found.notes[0] == '"nmae" is not read; did you mean "name"?'
