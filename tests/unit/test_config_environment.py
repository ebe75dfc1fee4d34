from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.config import Checks, Settings, load
from dispatcher.errors import ConfigError

ANYTHING = Checks(cadence=str, query=str)


def settings_from(tmp_path: Path, main: str = "", **env: str) -> Settings:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config" / "dispatcher.toml").write_text(main, encoding="utf-8")
    return load(env={f"DISPATCHER_{name}": text for name, text in env.items()}, cwd=tmp_path, checks=ANYTHING)


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    settings = settings_from(tmp_path, '[site]\nname = "Quay"\nlanguage = "de"\n', SITE__NAME="Harbour")
    assert (settings.site.name, settings.site.language) == ("Harbour", "de")
    assert settings.origins["site.name"] == "DISPATCHER_SITE__NAME"
    assert settings.origins["site.language"] == "config/dispatcher.toml"


def test_numbers_truths_and_lists_are_written_as_in_the_file(tmp_path: Path) -> None:
    source = '[[sources]]\nname = "Harbour"\nurl = "https://harbour.example/"\n'
    env = {"SOURCES__0__TAGS": '["sea", "port"]', "SOURCES__0__ALLOW_PRIVATE": "true", "SEND__BATCH": "12"}
    settings = settings_from(tmp_path, source, **env)
    assert settings.sources[0].tags == ("sea", "port")
    assert settings.sources[0].allow_private is True
    assert settings.send.batch == 12


@pytest.mark.parametrize("password", ["12345", "true", "[x]", '"quoted"', "1e5", " blank ", "a=b#c", "2026-01-01"])
def test_text_is_taken_as_it_is_whatever_it_looks_like(tmp_path: Path, password: str) -> None:
    settings = settings_from(tmp_path, SMTP__0__USERNAME="crew", SMTP__0__PASSWORD=password)
    assert settings.smtp[0].password.get_secret_value() == password


def test_a_list_can_be_changed_and_be_made_longer_by_one(tmp_path: Path) -> None:
    settings = settings_from(tmp_path, "[[smtp]]\nport = 26\n", SMTP__0__HOST="a.example", SMTP__1__HOST="b.example")
    assert [(relay.host, relay.port) for relay in settings.smtp] == [("a.example", 26), ("b.example", 25)]


def test_numbers_in_names_are_taken_in_the_order_of_numbers(tmp_path: Path) -> None:
    settings = settings_from(tmp_path, **{f"SMTP__{number}__HOST": f"relay{number}" for number in range(12)})
    assert [relay.host for relay in settings.smtp] == [f"relay{number}" for number in range(12)]


def test_the_key_from_is_set_by_its_own_name(tmp_path: Path) -> None:
    assert settings_from(tmp_path, MAIL__FROM="Quay <q@quay.example>").mail.sender_address == "q@quay.example"


def test_a_whole_list_can_be_given_at_once(tmp_path: Path) -> None:
    settings = settings_from(tmp_path, SMTP='[{host = "a.example"}, {host = "b.example"}]', SMTP__1__PORT="2525")
    assert [(relay.host, relay.port) for relay in settings.smtp] == [("a.example", 25), ("b.example", 2525)]


def test_what_kubernetes_sets_for_a_service_called_dispatcher_is_not_meant_for_us(tmp_path: Path) -> None:
    address = "tcp://10.0.0.9:8000"
    env = {"SERVICE_HOST": "10.0.0.9", "SERVICE_PORT": "8000", "SERVICE_PORT_HTTP": "8000", "PORT": address}
    settings_from(tmp_path, **env, PORT_8000_TCP=address, PORT_8000_TCP_PROTO="tcp", PORT_8000_TCP_ADDR="10.0.0.9")


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DISPATCHER_SITE__NAME: is not UTF-8 text"):
        settings_from(tmp_path, SITE__NAME="Hafen \udcfc")


def test_a_variable_of_another_program_is_left_alone(tmp_path: Path) -> None:
    load(env={"DISPATCHERS_URL": "x", "MY_DISPATCHER_URL": "y", "HOME": str(tmp_path)}, cwd=tmp_path, checks=ANYTHING)
