from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.config import Checks, Settings, load, show
from dispatcher.errors import ConfigError

ANYTHING = Checks(cadence=str, query=str)
RELAY = '[[smtp]]\nusername = "crew"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "pass.txt").write_text("from the file\n")
    return tmp_path


def settings_from(folder: Path, main: str, **env: str) -> Settings:
    (folder / "config" / "dispatcher.toml").write_text(main, encoding="utf-8")
    return load(env={f"DISPATCHER_{name}": text for name, text in env.items()}, cwd=folder, checks=ANYTHING)


def password(settings: Settings) -> str:
    return settings.smtp[0].password.get_secret_value()


def test_a_secret_is_read_from_its_file_without_the_line_end(folder: Path) -> None:
    assert password(settings_from(folder, RELAY + 'password_file = "pass.txt"\n')) == "from the file"


def test_a_file_named_by_the_environment_goes_before_a_secret_in_the_file(folder: Path) -> None:
    settings = settings_from(folder, RELAY + 'password = "old"\n', SMTP__0__PASSWORD_FILE=str(folder / "pass.txt"))
    assert password(settings) == "from the file"


def test_a_secret_in_the_environment_goes_before_a_file_named_in_the_file(folder: Path) -> None:
    settings = settings_from(folder, RELAY + 'password_file = "gone.txt"\n', SMTP__0__PASSWORD="new")
    assert password(settings) == "new"
    assert settings.smtp[0].password_file == ""


def test_a_file_of_another_secret_is_refused_when_it_has_several_lines(folder: Path) -> None:
    (folder / "key.pem").write_text("-----BEGIN\nabc\n-----END\n")
    with pytest.raises(ConfigError, match="has more than one line"):
        settings_from(folder, '[site]\nsecret_file = "key.pem"\n')


def test_a_file_far_too_long_for_a_secret_is_refused(folder: Path) -> None:
    (folder / "disk.img").write_bytes(b"x" * 100_000)
    with pytest.raises(ConfigError, match="is longer than 65536 bytes"):
        settings_from(folder, '[site]\nsecret_file = "disk.img"\n')


def test_the_database_password_is_put_into_the_url(folder: Path) -> None:
    settings = settings_from(folder, '[database]\nurl = "postgresql://ann@db/quay"\npassword_file = "pass.txt"\n')
    assert settings.database_url == "postgresql+psycopg://ann:from%20the%20file@db/quay"


def test_what_is_in_force_is_shown_with_where_it_was_set_and_without_secrets(folder: Path) -> None:
    settings = settings_from(
        folder,
        '[site]\nname = "Quay \\"News\\""\n[database]\nurl = "postgresql://ann:s3cret@db/quay"\n'
        '[[sources]]\nname = "Harbour"\nurl = "https://ann:s3cret@harbour.example/feed"\npoll_every = "90m"\n'
        '[[topics]]\nslug = "sea"\nquery = "sea"\n[[subscribers]]\nemail = "ann@quay.example"\n'
        'topics = ["sea"]\n' + RELAY + 'password_file = "pass.txt"\n',
        SITE__SECRET="s3cret",
    )
    shown = show(settings).splitlines()
    assert not any("s3cret" in line or "from the file" in line for line in shown)
    for line in [
        'name = "Quay \\"News\\""  # config/dispatcher.toml',
        'secret = "******"  # DISPATCHER_SITE__SECRET',
        'url = "postgresql://ann:******@db/quay"  # config/dispatcher.toml',
        'url = "https://ann:******@harbour.example/feed"  # config/dispatcher.toml',
        'poll_every = "1h30m"  # config/dispatcher.toml',
        'topics = ["sea"]  # config/dispatcher.toml',
        "port = 25  # default",
        "public = true  # default",
        'from = "Newsletter <newsletter@localhost>"  # default',
    ]:
        assert line in shown


def test_what_is_shown_is_itself_a_configuration(folder: Path) -> None:
    settings = settings_from(folder, '[[topics]]\nslug = "sea"\nquery = \'a "b c"\'\n[digest]\nmax_articles = 3\n')
    again = settings_from(folder, show(settings))
    assert (again.topics, again.digest) == (settings.topics, settings.digest)
