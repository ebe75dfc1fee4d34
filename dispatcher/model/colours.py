"""Colours such as "#a3271b": how bright they are, whether words in one can be read on another, and others near them."""

from __future__ import annotations

import colorsys
from typing import cast

Triple = tuple[float, float, float]

_WHITE, _NEARLY_BLACK, _BLACK = "#ffffff", "#14110d", "#000000"


def contrast(one: str, other: str) -> float:
    """How far apart two colours are, from 1 to 21: the contrast ratio of WCAG 2.2."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1: the relative luminance of WCAG 2.2."""
    red, green, blue = (_linear(part) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mixed(one: str, other: str, share: float) -> str:
    """So much of the one, and the rest of the other."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return _written(cast(Triple, tuple(mine * share + theirs * (1 - share) for mine, theirs in pairs)))


def toned(colour: str, lightness: float, most_colourful: float) -> str:
    """The same hue at another lightness, no more colourful than this; all from 0 to 1."""
    hue, _, saturation = colorsys.rgb_to_hls(*_parts(colour))
    return _written(colorsys.hls_to_rgb(hue, lightness, min(saturation, most_colourful)))


def is_grey(colour: str) -> bool:
    """Whether it has no hue."""
    return len(set(_parts(colour))) == 1


def legible(colour: str, behind: str, ratio: float) -> str:
    """The colour, or the nearest one of its hue that has this contrast; if none has, the best of black and white."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    lighter, darker = (
        next((one for one in _steps(hue, lightness, saturation, way) if contrast(one, behind) >= ratio), "")
        for way in (1, -1)
    )
    found = [one for one in (lighter, darker) if one]
    if not found:
        return readable_on(behind)
    return min(found, key=lambda one: abs(colorsys.rgb_to_hls(*_parts(one))[1] - lightness))


def readable_on(behind: str) -> str:
    """White if it can be read there (4.5), else nearly black, else black: where white cannot, black can."""
    return next((one for one in (_WHITE, _NEARLY_BLACK) if contrast(one, behind) >= 4.5), _BLACK)


def _steps(hue: float, lightness: float, saturation: float, way: int) -> list[str]:
    levels = [lightness + way * step / 100 for step in range(101)]
    return [_written(colorsys.hls_to_rgb(hue, level, saturation)) for level in levels if 0 <= level <= 1]


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> Triple:
    return cast(Triple, tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))


def _written(parts: Triple) -> str:
    return "#" + "".join(f"{round(min(max(part, 0), 1) * 255):02x}" for part in parts)
