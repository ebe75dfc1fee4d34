"""What can be set of digests: for all of them, and otherwise for those of one newsletter or the section of one topic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dispatcher.config.section import Section

LayoutName = Literal["cards", "list", "headlines", "full"]
OrderName = Literal["newest", "relevant", "ranked"]


class DigestSettings(Section):
    """[digest]: what stands in one."""

    max_articles: int = Field(20, ge=1, le=1000)
    order: OrderName = "newest"
    layout: LayoutName = "cards"
    summary_length: int = Field(300, ge=0, le=10_000)


class StyleSettings(DigestSettings):
    """`digest = {…}` of a newsletter or a topic: what is otherwise there than in [digest]. Only what is set counts."""

    @property
    def stored(self) -> dict[str, Any]:
        """What was set, as JSON: a stored Style."""
        return self.model_dump(exclude_unset=True)
