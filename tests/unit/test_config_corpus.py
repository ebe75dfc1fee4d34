"""A corpus of mistakes: each folder holds a config/, perhaps an environment, and the exact lines a user sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dispatcher.config import Checks, load
from dispatcher.errors import ConfigError
from dispatcher.schedule import cadence
from dispatcher.topics import parser

CORPUS = Path(__file__).parents[1] / "corpus" / "config"
CASES = sorted(folder.name for folder in CORPUS.iterdir())
SEVERAL_MISTAKES = {"many-mistakes": 12}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gets_its_one_clear_line(name: str) -> None:
    folder = CORPUS / name
    env = json.loads((folder / "env.json").read_text()) if (folder / "env.json").exists() else {}
    with pytest.raises(ConfigError) as caught:
        load(env={"HOME": str(folder), **env}, cwd=folder, checks=Checks(cadence.parse, parser.parse))
    lines = str(caught.value).splitlines()
    assert lines == (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == SEVERAL_MISTAKES.get(name, 1)


def test_the_corpus_is_large() -> None:
    assert len(CASES) >= 100
