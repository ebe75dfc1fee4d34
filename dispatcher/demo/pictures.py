"""Small landscapes for the sample articles, drawn here so that the demo needs neither files nor a network.

An indexed PNG (PNG specification, third edition, §11) of a sky, a sun and three ranges of hills. The picture is
built column by column and then turned by slicing, which is what makes it fast in plain Python.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sin, sqrt
from random import Random

WIDTH, HEIGHT = 1200, 480
_SKY_STEPS = 160
_SUN = _SKY_STEPS
_STAR = _SKY_STEPS + 1
_HILLS = _SKY_STEPS + 2

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one time of day. `sun` is a disc of `radius` pixels at (x, y), both as parts of the picture."""

    top: Colour
    horizon: Colour
    sun: Colour
    hills: tuple[Colour, Colour, Colour]
    at: tuple[float, float]
    radius: int
    has_stars: bool = False


PALETTES = {
    "dawn": Palette(
        (74, 98, 160),
        (255, 205, 160),
        (255, 240, 205),
        ((196, 132, 128), (128, 88, 112), (62, 52, 82)),
        (0.70, 0.56),
        58,
    ),
    "noon": Palette(
        (58, 134, 204),
        (214, 238, 248),
        (255, 250, 222),
        ((150, 192, 152), (94, 152, 108), (48, 104, 80)),
        (0.24, 0.26),
        44,
    ),
    "dusk": Palette(
        (58, 42, 98), (246, 138, 98), (255, 214, 140), ((150, 74, 100), (92, 48, 86), (44, 28, 60)), (0.34, 0.60), 66
    ),
    "night": Palette(
        (10, 16, 40), (52, 76, 122), (238, 240, 226), ((38, 54, 92), (24, 36, 66), (12, 18, 38)), (0.78, 0.24), 34, True
    ),
    "sea": Palette(
        (86, 150, 178),
        (238, 228, 206),
        (255, 246, 224),
        ((92, 162, 172), (50, 118, 140), (26, 74, 102)),
        (0.52, 0.40),
        50,
    ),
}


@lru_cache(maxsize=64)
def draw(palette: str, seed: str) -> bytes:
    """The picture as PNG bytes. The same palette and seed always give the same picture."""
    colours = PALETTES[palette]
    random = Random(seed)
    ridges = [_ridge(random, level) for level in range(3)]
    stars = _stars(random) if colours.has_stars else {}
    columns = b"".join(_column(x, [ridge[x] for ridge in ridges], colours, stars.get(x, ())) for x in range(WIDTH))
    rows = b"".join(b"\0" + columns[y::HEIGHT] for y in range(HEIGHT))
    return _png(rows, _table(colours))


def _ridge(random: Random, level: int) -> list[int]:
    """The height of one range of hills above the lower edge, for every column; nearer ranges are lower and softer."""
    base = HEIGHT * (0.46 - 0.13 * level)
    waves = [
        (random.uniform(0.6, 1.4) * f, random.uniform(0, 2 * pi), a)
        for f, a in ((1, 46), (2.6, 22), (6, 9 - 2 * level))
    ]
    return [int(base + sum(a * sin(2 * pi * f * x / WIDTH + p) for f, p, a in waves)) for x in range(WIDTH)]


def _stars(random: Random) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for _ in range(170):
        x, y = random.randrange(WIDTH - 1), int(HEIGHT * 0.62 * random.random() ** 1.4)
        for dx in range(random.choice((1, 1, 2))):
            places.setdefault(x + dx, []).append(y)
    return places


def _column(x: int, heights: list[int], colours: Palette, stars: list[int] | tuple[int, ...]) -> bytes:
    column = bytearray(min(_SKY_STEPS - 1, y * _SKY_STEPS * 10 // (HEIGHT * 7)) for y in range(HEIGHT))
    for y in stars:
        column[y] = _STAR
    across = x - colours.at[0] * WIDTH
    if abs(across) < colours.radius:
        half = int(sqrt(colours.radius**2 - across**2))
        middle = int(colours.at[1] * HEIGHT)
        column[middle - half : middle + half] = bytes([_SUN]) * (2 * half)
    for level, height in enumerate(heights):
        column[HEIGHT - height :] = bytes([_HILLS + level]) * height
    return bytes(column)


def _table(colours: Palette) -> bytes:
    sky = [_blend(colours.top, colours.horizon, step / (_SKY_STEPS - 1)) for step in range(_SKY_STEPS)]
    star = _blend(colours.top, (255, 255, 255), 0.7)
    return b"".join(bytes(c) for c in (*sky, colours.sun, star, *colours.hills))


def _blend(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _png(rows: bytes, table: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)  # 8 bits, indexed colour
    chunks = ((b"IHDR", header), (b"PLTE", table), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
