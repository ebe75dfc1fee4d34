"""What can be set of the words that come before all others: letters to new readers, subjects, preheaders."""

from __future__ import annotations

from dispatcher.config.fields import Line
from dispatcher.config.section import Section


class LettersSettings(Section):
    """[letters]: which letters readers get when they come and when they leave."""

    welcome: bool = True
    goodbye: bool = False


class LineSettings(Section):
    """A line of Jinja for each occasion; empty: the templates' own."""

    digest: Line = ""
    instant: Line = ""
    hourly: Line = ""
    daily: Line = ""
    weekly: Line = ""
    monthly: Line = ""
    breaking: Line = ""

    @property
    def given(self) -> dict[str, str]:
        """Those that are not empty, by occasion."""
        return {name: text for name, text in self.model_dump().items() if text}


class SubjectsSettings(LineSettings):
    """[subjects]: what stands in the subject."""


class PreheadersSettings(LineSettings):
    """[preheaders]: what mail programs show beside the subject."""
