"""Whatever templates do: put together from fragments, a digest is what it is when it is rendered in full."""

from __future__ import annotations

import quopri
import random
from collections.abc import Iterable, Iterator, Sequence

import pytest
from awkward_templates import (
    IN_FULL,
    LANTERN,
    PAGES_IN_FULL,
    PAGES_SHARED,
    POOL,
    SHARED,
    STYLE,
    STYLES_IN_FULL,
    outline,
    templates,
)
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.digest.compose import Outline
from dispatcher.digest.composer import Composer
from dispatcher.digest.fragments import Stretch
from dispatcher.digest.render import Templates
from dispatcher.digest.slots import Slot
from dispatcher.digest.transfer import QUOTED_PRINTABLE
from dispatcher.digest.wire import Door, Draft

SIZES = ((3, 2), (2, 2), (3, 2), (2,), (1,), (3, 2), (2, 2, 1), (3, 2))


class Press:
    """A composer, and what it was refused."""

    def __init__(self, made: Templates) -> None:
        self.reasons: list[str] = []
        self._composer = Composer(made, LANTERN, Door(), self.reasons.append)

    def check(self, outlined: Outline) -> None:
        """Compose a digest, and compare."""
        made, full = self._composer.compose(outlined), self._composer.render(outlined)
        assert said(made) == said(full)
        assert sum(stretch.size for stretch in made.html) == sum(stretch.size for stretch in full.html)
        assert not any("otherwise" in reason for reason in self.reasons)


def said(draft: Draft) -> list[list[str | Slot]]:
    """What its readers would read, and their slots, in each part."""
    parts = ((draft.frame.text, draft.text), (draft.frame.html, draft.html))
    return [_joined(draft.subject), *(_joined(_decoded(stretches, encoding)) for encoding, stretches in parts)]


def _decoded(stretches: Sequence[Stretch], encoding: str) -> Iterator[str | Slot]:
    for stretch in stretches:
        content = stretch.content
        if isinstance(content, str) and encoding == QUOTED_PRINTABLE:
            content = quopri.decodestring(content.encode()).decode().replace("\r\n", "\n")
        yield content


def _joined(pieces: Iterable[str | Slot]) -> list[str | Slot]:
    joined: list[str | Slot] = [""]
    for piece in pieces:
        if isinstance(piece, Slot):
            joined += [piece, ""]
        else:
            joined[-1] = f"{joined[-1]}{piece}"
    return joined


def composed(made: Templates) -> list[str]:
    """Compose eight digests with these templates; returns why it was not possible."""
    press, chance = Press(made), random.Random(5)
    for number, sizes in enumerate(SIZES):
        press.check(outline(chance.sample(POOL, sum(sizes)), sizes, number % 3))
    return press.reasons


@pytest.mark.parametrize("name", SHARED)
def test_a_text_that_can_be_shared_is(name: str) -> None:
    assert composed(templates(SHARED[name])) == []


@pytest.mark.parametrize("name", IN_FULL)
def test_a_text_that_cannot_be_shared_is_rendered_in_full(name: str) -> None:
    assert composed(templates(IN_FULL[name])) != []


@pytest.mark.parametrize("name", PAGES_SHARED)
def test_a_page_that_can_be_shared_is(name: str) -> None:
    assert composed(templates(page=PAGES_SHARED[name])) == []


@pytest.mark.parametrize("name", PAGES_IN_FULL)
def test_a_page_that_cannot_be_shared_is_rendered_in_full(name: str) -> None:
    assert composed(templates(page=PAGES_IN_FULL[name])) != []


@pytest.mark.parametrize("style", STYLES_IN_FULL)
def test_a_style_sheet_that_looks_at_neighbours_has_pages_rendered_in_full(style: str) -> None:
    assert composed(templates(page=PAGES_SHARED["a list"], style=STYLE)) == []
    assert composed(templates(page=PAGES_SHARED["a list"], style=style)) != []


some = st.lists(st.sampled_from([*SHARED.values(), *IN_FULL.values()]), min_size=1, max_size=3)
pages = st.lists(st.sampled_from([*PAGES_SHARED.values(), *PAGES_IN_FULL.values()]), min_size=1, max_size=2)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3)
digests = st.lists(st.tuples(shapes, st.integers(0, 2), st.integers()), min_size=4, max_size=6)


@given(some, st.sampled_from([*SHARED.values()]), pages, digests)
def test_put_together_a_digest_is_what_it_is_in_full(
    text: list[str], subject: str, page: list[str], digests: list[tuple[list[int], int, int]]
) -> None:
    blockless = [one for one in dict.fromkeys(text) if "block list" not in one]
    press = Press(templates("\n".join(blockless), "\n".join(page), subject))
    for sizes, more, seed in digests:
        press.check(outline(random.Random(seed).sample(POOL, sum(sizes)), sizes, more))
