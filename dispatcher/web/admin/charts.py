"""Charts as SVG, drawn on the server: columns that a screen reader hears as a title and one sentence.

No inline style and no script: colours come from classes of admin.css, and so follow light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT, BASE = 480, 132, 110  # user units; below the base stand the hours
GAP = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: what it counts, and the label that stands under some of them."""

    label: str
    value: int


def columns(name: str, title: str, bars: Sequence[Bar], *, kind: str = "") -> Markup:
    """A chart of columns. `name` is unique on its page; `kind` a class that says which colour it has."""
    top = max((bar.value for bar in bars), default=0)
    step = WIDTH / max(len(bars), 1)
    parts = [Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d">').format(
        kind, WIDTH, HEIGHT, name, name)]  # fmt: skip
    parts.append(Markup('<title id="{}-t">{}</title><desc id="{}-d">{}</desc>').format(name, title, name, told(bars)))
    parts.append(Markup('<line class="base" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(BASE, WIDTH))
    if top:
        parts.append(Markup('<text class="top" x="0" y="11">{}</text>').format(f"{top:,}"))
    every = max(len(bars) // 6, 1)
    for number, bar in enumerate(bars):
        parts.append(_column(bar, number * step, step - GAP, top))
        if number % every == 0:
            middle = number * step + (step - GAP) / 2
            parts.append(Markup('<text class="hour" x="{:.1f}" y="{}">{}</text>').format(middle, HEIGHT - 6, bar.label))
    return Markup("").join([*parts, Markup("</svg>")])


def told(bars: Sequence[Bar]) -> str:
    """A chart in one sentence."""
    total = sum(bar.value for bar in bars)
    if not total:
        return "None in these hours."
    most = max(bars, key=lambda bar: bar.value)
    return f"{total:,} in all; most at {most.label}: {most.value:,}; in the last hour shown, {bars[-1].value:,}."


def share(name: str, title: str, parts: Sequence[tuple[str, int]]) -> Markup:
    """One bar cut into parts, as of a queue by state. Parts of nothing are left out."""
    total = sum(count for _, count in parts)
    heard = ", ".join(f"{count:,} {label}" for label, count in parts if count) or "nothing"
    drawn = [Markup('<svg class="share" viewBox="0 0 {} 18" role="img" aria-labelledby="{}-t {}-d">').format(
        WIDTH, name, name)]  # fmt: skip
    drawn.append(Markup('<title id="{}-t">{}</title><desc id="{}-d">{}</desc>').format(name, title, name, heard))
    drawn.append(Markup('<rect class="empty" width="{}" height="18" rx="3"/>').format(WIDTH))
    left = 0.0
    for label, count in parts:
        if count:
            width = WIDTH * count / total
            drawn.append(
                Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="18"><title>{}</title></rect>').format(
                    f"is-{label}", left, max(width - 1, 1), f"{label}: {count:,}"
                )
            )
            left += width
    return Markup("").join([*drawn, Markup("</svg>")])


def _column(bar: Bar, left: float, width: float, top: int) -> Markup:
    height = max(round((BASE - 18) * bar.value / top, 1), 1.5) if bar.value else 0
    said = escape(f"{bar.label}: {bar.value:,}")
    shape = '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="1.5"><title>{}</title></rect>'
    return Markup(shape).format(left, BASE - height, width, height, said)
