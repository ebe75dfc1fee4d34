"""Styles: how a newsletter's digests are, and what is otherwise in single sections of one.

    [digest] ◁ the newsletter's digest ◁ the topic's digest        what is on the left holds where the right is silent

A layout that the reader chose goes before all of them, and is for the whole digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispatcher.model.values import PLAIN, Style
from dispatcher.pipeline.context import Context


def style(ctx: Context, newsletter_id: int = 0) -> Style:
    """How a newsletter's digests are, where neither a topic nor the reader says otherwise."""
    chosen = ctx.settings.digest
    general = Style(chosen.layout, chosen.order, chosen.max_articles, chosen.summary_length)
    own = ctx.letter(newsletter_id).digest
    return Style.of(own).over(general) if own else general


def sections(
    ctx: Context,
    labels: Iterable[str],
    styles: Mapping[str, Style],
    *,
    layout: str,
    is_readers: bool,
    newsletter_id: int = 0,
) -> dict[str, Any]:
    """Stored Styles of those sections that show something otherwise than a digest of this layout does by itself.

    `is_readers`: the layout is the reader's choice. Without a layout, as in an alert, none has one.
    """
    general, length = style(ctx, newsletter_id), ctx.settings.digest.summary_length
    if not styles and general.summary_length == length:
        return {}
    found: dict[str, Any] = {}
    for label in dict.fromkeys(labels):
        own = styles.get(label, PLAIN).over(general)
        has_layout = bool(layout) and not is_readers and own.layout != layout
        shown = Style(
            layout=own.layout if has_layout else None,
            summary_length=own.summary_length if own.summary_length != length else None,
        )
        if shown != PLAIN:
            found[label] = shown.stored
    return found
