"""Charts: what they draw, what a screen reader hears, and that nothing in them is markup of somebody else's."""

from __future__ import annotations

from xml.etree import ElementTree

from dispatcher.web.admin.charts import Bar, columns, share, told


def bars(*values: int) -> list[Bar]:
    return [Bar(f"{hour:02}:00", value) for hour, value in enumerate(values)]


def test_a_chart_is_well_formed_and_says_what_it_shows() -> None:
    drawn = ElementTree.fromstring(columns("sent", "Sent", bars(1, 3000, 0)))
    assert drawn.findtext("title") == "Sent"
    assert drawn.findtext("desc") == "3,001 in all; most at 01:00: 3,000; in the last hour shown, 0."
    heights = [float(rect.get("height", "")) for rect in drawn.iter("rect")]
    assert heights[1] == max(heights)
    assert 0 < heights[0] < heights[1], "a little is not nothing"
    assert heights[2] == 0


def test_a_chart_of_nothing_draws_nothing_and_does_not_divide_by_it() -> None:
    assert told(bars(0, 0)) == "None in these hours."
    for empty in (bars(), bars(0, 0)):
        assert ElementTree.fromstring(columns("due", "Due", empty)).find("title") is not None
    assert ElementTree.fromstring(share("queue", "Queue", [("queued", 0)])).findtext("desc") == "nothing"


def test_a_share_s_parts_fill_it() -> None:
    drawn = ElementTree.fromstring(share("queue", "Queue", [("queued", 3), ("held", 1), ("deferred", 0)]))
    assert drawn.findtext("desc") == "3 queued, 1 held"
    assert [rect.get("class") for rect in drawn.iter("rect")] == ["empty", "is-queued", "is-held"]
    assert round(sum(float(rect.get("width", "")) for rect in drawn.iter("rect"))) == 480 + 478


def test_labels_are_text_and_no_style_stands_inline() -> None:
    for drawn in (columns("x", "<b>&", [Bar("<script>", 2)]), share("y", "<b>", [("<i>", 1)])):
        assert "<script>" not in drawn
        assert "<b>" not in drawn
        assert "<i>" not in drawn
        assert "style=" not in drawn
