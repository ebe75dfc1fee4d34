from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from dispatcher.config import Checks, Settings, find, load
from dispatcher.config.settings import DatabaseSettings, MailSettings, SiteSettings, SubscriberEntry
from dispatcher.errors import ConfigError

ANYTHING = Checks(cadence=str, query=str)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files under a folder's config/ and give the folder."""

    def write(main: str = "", **others: str) -> Path:
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "dispatcher.toml").write_text(main, encoding="utf-8")
        for name, text in others.items():
            (tmp_path / "config" / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def loaded(folder: Path, env: Mapping[str, str] | None = None) -> Settings:
    return load(env=env or {}, cwd=folder, checks=ANYTHING)


def problems(folder: Path, env: Mapping[str, str] | None = None, path: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, env=env or {}, cwd=folder, checks=ANYTHING)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    settings = load(env={"HOME": str(tmp_path)}, cwd=tmp_path, checks=ANYTHING)
    assert settings.file is None
    assert settings.base == tmp_path
    assert [relay.host for relay in settings.smtp] == ["localhost"]
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/subscribers.db"


def test_the_file_asked_for_goes_before_all_others(write: Write) -> None:
    folder = write()
    other = folder / "other.toml"
    env = {"DISPATCHER_CONFIG": str(other)}
    assert find(Path("this.toml"), folder, env) == folder / "this.toml"
    assert find(None, folder, env) == other
    assert find(None, folder, {}) == folder / "config" / "dispatcher.toml"


def test_a_file_in_the_home_of_configurations_is_found_last(tmp_path: Path) -> None:
    file = tmp_path / "home" / "dispatcher" / "dispatcher.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert find(None, tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "home")}) == file
    assert find(None, tmp_path, {"XDG_CONFIG_HOME": "home", "HOME": str(tmp_path)}) is None, "a relative one is ignored"


def test_paths_are_relative_to_the_folder_that_holds_config(write: Write) -> None:
    folder = write('[database]\nurl = "sqlite:///data/quay.db"\n')
    settings = load(Path("config/dispatcher.toml"), env={}, cwd=folder, checks=ANYTHING)
    assert settings.base == folder
    assert settings.database_url == f"sqlite+aiosqlite:///{folder}/data/quay.db"
    assert settings.resolve("../x") == folder.parent / "x"
    assert settings.resolve("/srv/x") == Path("/srv/x")


def test_paths_of_a_file_elsewhere_are_relative_to_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "quay.toml").touch()
    assert load(tmp_path / "quay.toml", env={}, checks=ANYTHING).base == tmp_path


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_names_the_driver(scheme: str) -> None:
    settings = Settings(database=DatabaseSettings(url=SecretStr(f"{scheme}://ann@db/quay")))
    assert settings.database_url == "postgresql+psycopg://ann@db/quay"


def test_entries_of_included_files_come_after_those_of_the_file(write: Write) -> None:
    topic = '[[topics]]\nslug = "{0}"\nquery = "{0}"\n'
    folder = write(
        'include = ["b.toml", "a.toml"]\n' + topic.format("one"), a=topic.format("three"), b=topic.format("two")
    )
    settings = loaded(folder)
    assert [entry.slug for entry in settings.topics] == ["one", "two", "three"]
    assert settings.origins["topics[2].slug"] == "config/a.toml"


def test_entries_get_from_the_site_what_they_leave_out(write: Write) -> None:
    folder = write(
        '[site]\nlanguage = "pt_br"\ntimezone = "America/Bahia"\n'
        '[[topics]]\nslug = "sea-ice"\nquery = "ice"\n'
        '[[subscribers]]\nemail = "Ann@Harbour.Example"\ntopics = ["sea-ice", {topic = "fog", cadence = "instant"}]\n'
        '[[topics]]\nslug = "fog"\nname = "Ice"\nlanguage = "de"\nquery = "eis"\n'
    )
    settings = loaded(folder)
    ann = settings.subscribers[0]
    assert (ann.email, ann.timezone, ann.locale) == ("Ann@harbour.example", "America/Bahia", "pt-BR")
    assert [(follow.topic, follow.cadence) for follow in ann.topics] == [("sea-ice", ""), ("fog", "instant")]
    assert [(topic.name, topic.language) for topic in settings.topics] == [("Sea ice", "pt-BR"), ("Ice", "de")]


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / "quay.toml").write_bytes(b'\xef\xbb\xbf[site]\r\nname = "Hafen"\r\n')
    assert load(tmp_path / "quay.toml", env={}, checks=ANYTHING).site.name == "Hafen"


def test_a_file_asked_for_that_is_missing_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, path=Path("no.toml")) == ["no.toml: there is no such file"]


def test_a_folder_asked_for_is_answered_with_the_file_in_it(write: Write) -> None:
    folder = write()
    assert problems(folder, path=folder / "config") == [
        f'config: is a folder, not a file; did you mean "{folder}/config/dispatcher.toml"?'
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(write: Write) -> None:
    folder = write()
    (folder / "config" / "dispatcher.toml").chmod(0)
    assert problems(folder) == ["config/dispatcher.toml: cannot be read: permission denied"]


def test_a_link_that_leads_nowhere_is_not_silently_replaced_by_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "dispatcher.toml").symlink_to(tmp_path / "gone")
    assert problems(tmp_path) == ["config/dispatcher.toml: there is no such file"]


def test_thousands_of_nested_keys_are_one_mistake(write: Write) -> None:
    folder = write(".".join(["a"] * 3000) + " = 1\n")
    assert len(problems(folder)) == 1


def test_invisible_characters_are_spelt_out_in_messages(write: Write) -> None:
    folder = write('[site]\n"na\\nme" = 1\ntimezone = "\\u001b[31m\\u202eUTC"\n')
    assert [line.isprintable() for line in problems(folder)] == [True, True]


def test_problems_stand_in_the_order_of_the_files(write: Write) -> None:
    folder = write(
        'include = ["a.toml"]\n[log]\nlevel = 1\n[[topics]]\nslug = "x"\n[site]\nname = ""\n',
        a='[[sources]]\nname = "x"\nurl = "https://"\n[[topics]]\nslug = "x"\nquery = "y"\n',
    )
    assert [line.rsplit(": ", 1)[0] for line in problems(folder, {"DISPATCHER_SITE__URL": "x"})] == [
        "config/dispatcher.toml: log.level",
        "config/dispatcher.toml: topics[0].query",
        "config/dispatcher.toml: site.name",
        "config/a.toml: topics[0].slug",
        "config/a.toml: sources[0].url",
        "environment: DISPATCHER_SITE__URL",
    ]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().site.name = "Another"  # type: ignore[misc]


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = Settings(
        site=SiteSettings(secret=SecretStr("starfish")),
        database=DatabaseSettings(url=SecretStr("postgresql://ann:starfish@db/quay")),
    )
    assert "starfish" not in repr(settings) + str(settings)


def test_settings_built_by_hand_take_field_names_and_lists() -> None:
    settings = Settings(
        mail=MailSettings(sender="News <n@x.example>"), subscribers=(SubscriberEntry(email="a@x.example"),)
    )
    assert settings.mail.sender_name == "News"
    assert settings.subscribers[0].cadence == "daily at 07:30"
    assert settings.retention.deliveries == timedelta(days=90)


def test_we_introduce_ourselves_with_version_and_site() -> None:
    assert Settings(site=SiteSettings(url="https://häfen.example/a b".replace(" ", "%20"))).user_agent.isascii()
    assert "(+https://harbour.example/)" in Settings(site=SiteSettings(url="https://harbour.example/")).user_agent
