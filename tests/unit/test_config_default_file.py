"""`config/dispatcher.toml` equals the defaults and explains every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispatcher.config import Checks, Settings, load
from dispatcher.config.schema import Keys, all_keys, header, is_list, model_at, type_at
from dispatcher.config.settings import Document
from dispatcher.schedule import cadence
from dispatcher.topics import parser

CONFIG = Path(__file__).parents[2] / "config"
CHECKS = Checks(cadence.parse, parser.parse)
KEY_LINE = re.compile(r"(?:# )?(?P<key>[a-z_]+) = .+?\s{2,}# \S+.*")


def explained_keys() -> set[str]:
    """Every key that the file shows with a comment behind it, commented out or not, as "section.key"."""
    section, found = "", set()
    for line in (CONFIG / "dispatcher.toml").read_text().splitlines():
        if opened := re.fullmatch(r"(?:# )?(\[\[?[a-z]+\]\]?)", line):
            section = opened[1]
        elif key := KEY_LINE.fullmatch(line):
            found.add(f"{section} {key['key']}".strip())
    return found


def uncommented(text: str) -> str:
    return re.sub(r"^# (?=\[\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)


def sections(settings: Document) -> dict[str, object]:
    return {name: getattr(settings, name) for name in Document.model_fields}


def test_the_file_we_ship_equals_the_defaults() -> None:
    loaded = load(CONFIG / "dispatcher.toml", env={}, checks=CHECKS)
    assert sections(loaded) == sections(Settings())


def test_the_defaults_themselves_would_pass_validation() -> None:
    defaults = Document().model_dump(by_alias=True)
    assert Document.model_validate(defaults, by_alias=True, by_name=False) == Document()


def test_every_key_of_every_section_stands_in_the_file_with_an_explanation() -> None:
    wanted = {f"{header(keys[:-1]) if keys[:-1] else ''} {keys[-1]}".strip() for keys in all_keys() if is_setting(keys)}
    assert explained_keys() == wanted


def is_setting(keys: Keys) -> bool:
    """Whether `keys` is a line of its own: neither a table, nor a list of tables, nor something within a line."""
    is_entry_list = is_list(type_at(keys)) and model_at((*keys, 0)) is not None and len(keys) == 1
    is_line = model_at(keys) is None or len(keys) == 3  # a table in an entry is written on its line
    return isinstance(keys[-1], str) and len(keys) <= 3 and is_line and not is_entry_list


def test_the_examples_in_the_file_are_valid_when_their_comment_signs_are_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    text = uncommented((CONFIG / "dispatcher.toml").read_text())
    with_user = text.replace('username = ""', 'username = "crew"').replace('password = ""', 'password = "anchor"')
    (folder / "dispatcher.toml").write_text(with_user)
    settings = load(env={}, cwd=tmp_path, checks=CHECKS)
    assert [len(settings.smtp), len(settings.sources), len(settings.topics), len(settings.subscribers)] == [1, 1, 1, 1]


def test_the_example_topics_are_valid_when_their_comment_signs_are_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "dispatcher.toml").write_text('include = ["topics.toml"]\n')
    (folder / "topics.toml").write_text(uncommented((CONFIG / "topics.toml").read_text()))
    topics = load(env={}, cwd=tmp_path, checks=CHECKS).topics
    assert [topic.slug for topic in topics] == ["everything", "climate", "our-city-council"]


@pytest.mark.parametrize("name", ["dispatcher.toml", "topics.toml"])
def test_no_line_of_the_files_we_ship_is_longer_than_a_screen_is_wide(name: str) -> None:
    assert all(len(line) <= 120 for line in (CONFIG / name).read_text().splitlines())
