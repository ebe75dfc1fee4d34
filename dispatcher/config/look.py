"""What can be set of how mails look."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from dispatcher.config.fields import refused
from dispatcher.config.section import Section
from dispatcher.digest.theme import Theme, cleaned, faint, flaw

_OURS = Theme()


class ThemeSettings(Section):
    """[theme]: colours, logo and fonts of mails. A `dark_` colour that is empty is made from its twin."""

    accent: str = _OURS.accent
    paper: str = _OURS.paper
    sheet: str = _OURS.sheet
    ink: str = _OURS.ink
    muted: str = _OURS.muted
    rule: str = _OURS.rule
    dark_accent: str = ""
    dark_paper: str = ""
    dark_sheet: str = ""
    dark_ink: str = ""
    dark_muted: str = ""
    dark_rule: str = ""
    logo: str = ""
    logo_width: int = Field(_OURS.logo_width, ge=16, le=536)
    logo_alt: str = ""
    heading_font: str = _OURS.heading_font
    body_font: str = _OURS.body_font
    images: Literal["remote", "inline", "none"] = "remote"

    @field_validator("*")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if value == "" and cls.model_fields[name].default == "":
            return value
        if wrong := flaw(name, value):
            raise refused(f'"{str(value)[:60]}" {wrong}')
        return cleaned(name, value)


def stored(*layers: ThemeSettings) -> dict[str, Any]:
    """What `Theme.of` needs of a theme: what was chosen, the later layers going before, if it is not the default."""
    chosen = {name: getattr(layer, name) for layer in layers for name in sorted(layer.model_fields_set)}
    return {name: value for name, value in chosen.items() if value != ThemeSettings.model_fields[name].default}


def warnings(*layers: ThemeSettings) -> list[str]:
    """Which words of a theme are too faint to be read well, and what would do."""
    return [str(one) for one in faint(Theme.of(stored(*layers)))]
