"""What can be set of digests: for all, and otherwise for those of one newsletter or the section of one topic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dispatcher.config.section import Section

LayoutName = Literal["cards", "list", "headlines", "full"]
OrderName = Literal["newest", "relevant", "ranked"]


class _DigestChoices(Section):
    max_articles: int = Field(20, ge=1, le=1000)
    order: OrderName = "newest"
    layout: LayoutName = "cards"
    summary_length: int = Field(300, ge=0, le=10_000)


class DigestSettings(_DigestChoices):
    """[digest]: what stands in one. What is `inline` limits pictures inside the mail, in number and in octets."""

    inline_pictures: int = Field(8, ge=0, le=50)
    inline_size: int = Field(200_000, ge=1_000, le=2_000_000)
    inline_total: int = Field(1_000_000, ge=1_000, le=10_000_000)


class StyleSettings(_DigestChoices):
    """`digest = {…}` of a newsletter or a topic: what is otherwise there than in [digest]. Only what is set counts."""

    @property
    def stored(self) -> dict[str, Any]:
        """What was set, as JSON: a stored Style."""
        return self.model_dump(exclude_unset=True)
