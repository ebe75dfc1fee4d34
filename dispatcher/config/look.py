"""What can be set of how mails look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from dispatcher.config.fields import refused
from dispatcher.config.section import Section
from dispatcher.model.theme import OURS, Theme, cleaned, faint, flaw


class ThemeSettings(Section):
    """[theme]: colours, logo and fonts of mails. A `dark_` colour that is empty is made from its twin."""

    accent: str = OURS.accent
    paper: str = OURS.paper
    sheet: str = OURS.sheet
    ink: str = OURS.ink
    muted: str = OURS.muted
    rule: str = OURS.rule
    dark_accent: str = ""
    dark_paper: str = ""
    dark_sheet: str = ""
    dark_ink: str = ""
    dark_muted: str = ""
    dark_rule: str = ""
    logo: str = ""
    logo_width: int = Field(OURS.logo_width, ge=16, le=536)
    logo_alt: str = ""
    heading_font: str = OURS.heading_font
    body_font: str = OURS.body_font
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


def warnings(site: ThemeSettings, newsletters: Sequence[ThemeSettings] = ()) -> list[str]:
    """Where words are too faint to be read well, and what would do: of the site's theme, and of what newsletters have
    otherwise."""
    found = {str(one): f"theme: {one}" for one in faint(Theme.of(stored(site)))}
    for number, own in enumerate(newsletters):
        for one in faint(Theme.of(stored(site, own))):
            found.setdefault(str(one), f"newsletters[{number}].theme: {one}")
    return list(found.values())
