"""Whatever stands in a cell: a spreadsheet finds no formula in what we write, and we read back what we wrote."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.pipeline import sheet

COLUMNS = ("email", "name", "notes")
CELLS = st.text(st.characters(exclude_categories=("Cc", "Cs"), include_characters="\t\n")).map(str.strip)
RISKY = st.builds(str.__add__, st.sampled_from(["=", "+", "-", "@", "'=", "''+", "＝", '"', ",", ";"]), CELLS).map(
    str.strip
)
ROWS = st.lists(st.tuples(st.emails(), CELLS | RISKY, CELLS | RISKY), max_size=10)


def written(rows: list[tuple[str, str, str]]) -> str:
    file = io.StringIO()
    sheet.write(file, [COLUMNS, *rows])
    return file.getvalue()


@given(ROWS)
def test_what_is_written_is_read_back_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    text = written(rows)
    source = sheet.Input(io.StringIO(text, newline=""), len(text), io.BytesIO())
    found = [tuple(row.cells.get(name, "") for name in COLUMNS) for row in sheet.Rows(source, known=COLUMNS)]
    assert found == rows


@given(ROWS)
def test_no_cell_begins_like_a_formula(rows: list[tuple[str, str, str]]) -> None:
    cells = [cell for row in csv.reader(io.StringIO(written(rows), newline="")) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) for cell in cells)
