"""Whatever stands in a line of JSON: we read back what we wrote, and no line at all stops the reading."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.pipeline import lines
from dispatcher.pipeline.sheet import Input, Row

KNOWN = ("email", "name", "topics")
TEXTS = st.text(st.characters(exclude_categories=("Cs",))).map(str.strip)
PEOPLE = st.lists(st.fixed_dictionaries({"email": TEXTS, "name": TEXTS}), max_size=8)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)


def read(text: str) -> list[Row]:
    return list(lines.Lines(Input(io.StringIO(text, newline=""), len(text), io.BytesIO()), known=KNOWN))


@given(PEOPLE)
def test_what_is_written_is_read_back_as_it_was(people: list[dict[str, str]]) -> None:
    file = io.StringIO()
    for person in people:
        lines.write(file, person)
    assert [row.cells for row in read(file.getvalue())] == people


@given(st.lists(st.text() | st.dictionaries(st.sampled_from(KNOWN) | st.text(), VALUES).map(repr), max_size=8))
def test_every_line_is_a_row_or_a_fault(found: list[str]) -> None:
    text = "\n".join(found)
    for row in read(text):
        assert row.fault or all(isinstance(cell, str) for cell in row.cells.values())
