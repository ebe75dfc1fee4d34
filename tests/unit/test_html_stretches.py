"""HTML in pieces: what can be cut out of a page, and in which surroundings it stands."""

from __future__ import annotations

import pytest

from dispatcher.digest.fragments import portions
from dispatcher.digest.markup import check_balance, check_edge, check_styles, surroundings
from dispatcher.digest.recorder import UnsharableError
from dispatcher.digest.slots import Slot


@pytest.mark.parametrize(
    "source",
    [
        "",
        "text & more",
        "<p>a<p>b",
        "<tr><td>x",
        "<B>x</b>",
        "<br><img src='a>b'>",
        "<a title='</p>'>x</a>",
        "<!-- <b> -->x",
    ],
)
def test_a_stretch_whose_tags_are_balanced_has_no_effect_on_others(source: str) -> None:
    check_balance(source)


@pytest.mark.parametrize(
    "source",
    [
        "<b>x",
        "x</p>",
        "<b><i>x</b></i>",
        "</td><td>",
        "<div>",
        "<style>p {}</style>",
        "<form></form>",
        "<svg></svg>",
        "<body>",
    ],
)
def test_a_stretch_that_could_change_what_is_around_it_is_refused(source: str) -> None:
    with pytest.raises(UnsharableError):
        check_balance(source)


@pytest.mark.parametrize("source", ["x &am", "x &#12", "<a href='", "<", "<pre>", "a <PRE class='x'>", "<textarea>"])
def test_what_runs_on_is_no_place_to_cut(source: str) -> None:
    with pytest.raises(UnsharableError):
        check_edge(source)


@pytest.mark.parametrize("source", ["", "x &amp;", "R & D", "<pre>x", "<a href=''>", "1 < 2 > 1"])
def test_what_has_come_to_an_end_is(source: str) -> None:
    check_edge(source)


@pytest.mark.parametrize("rule", ["a + b", "a ~ b", "li:first-child", "p:NTH-child(2n)", "td:empty", "a:has(b)"])
def test_rules_that_look_at_neighbours_are_found_wherever_they_stand(rule: str) -> None:
    with pytest.raises(UnsharableError, match="neighbours"):
        check_styles(f"<style>p {{}} </style><STYLE>@media (x) {{ i, {rule} {{ color: red }} }}</style>")


def test_other_rules_are_none_of_them() -> None:
    check_styles(
        "<style>/* a + b */ a > b, a[x~='y'], a:hover, p::before { content: 'a + b'; margin: calc(1px + 1px) }"
    )
    check_styles("<style>a { color: red }</style><p>a + b {</p>")


def test_the_surroundings_of_a_place_are_the_page_and_the_tags_that_are_open() -> None:
    chunks = ["<html><body class='x'><br><p>a</p><div>", "</div><div id='b'>", "</div></body></html>"]
    first, second = surroundings(chunks)
    assert first[1:] == ("<html>", "<body class='x'>", "<div>")
    assert second[1:] == ("<html>", "<body class='x'>", "<div id='b'>")
    assert first[0] == second[0]
    styled = next(surroundings(["<style>p {}</style>" + chunks[0], *chunks[1:]]))
    assert styled[0] != first[0]


@pytest.mark.parametrize("chunks", [["<a title='", "'>x</a>"], ["<style>p", "</style>"], ["<p></div>", "</p>"]])
def test_a_place_within_a_tag_or_a_style_sheet_is_none(chunks: list[str]) -> None:
    with pytest.raises(UnsharableError):
        list(surroundings(chunks))


def test_a_long_text_is_cut_between_lines_and_most_portions_survive_a_change() -> None:
    lines = [f"line {n} of a long text\n" for n in range(400)]
    slot = Slot("{{ subscriber.name }}", "x", 1)
    before = list(portions(["".join(lines), slot, "short"]))
    assert "".join(map(str, before)) == "".join([*lines, str(slot), "short"])
    assert all(str(one).endswith("\n") for one in before[:-2])
    lines[200] = "another line\n"
    after = list(portions(["".join(lines), slot, "short"]))
    assert len(set(before) - set(after)) <= 2
    assert len(before) > 10
