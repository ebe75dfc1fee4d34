"""`dkim keygen`, `dkim show` and `dkim check`, against a DNS server on loopback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import dispatcher, newsroom
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dns_server import dns_server


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return newsroom(tmp_path)


def quoted(strings: list[str]) -> str:
    return " ".join(f'"{string}"' for string in strings)


def with_keys(room: Path, *arguments: str) -> tuple[list[dict[str, object]], dict[str, list[str]]]:
    """Keys made and named in the configuration; what was said of them, and the records to publish."""
    made = dispatcher(room, "dkim", "keygen", "--selector", "s1", *arguments, "--json").json
    entries = "".join(f'[[dkim]]\nselector = "{k["selector"]}"\nkey_file = "{k["key_file"]}"\n' for k in made)
    newsroom(room, more=entries)
    return made, {str(k["name"]): [quoted(k["strings"])] for k in made}


def test_d1_keygen_makes_two_keys_that_only_we_can_read_and_prints_what_to_do_with_them(room: Path) -> None:
    said = dispatcher(room, "dkim", "keygen", "--selector", "s1")
    assert said.code == 0, said.err
    for name in ("s1.pem", "s1-ed25519.pem"):
        file = room / "config" / "dkim" / name
        assert file.stat().st_mode & 0o777 == 0o600
        load_pem_private_key(file.read_bytes(), None)
        assert f'key_file = "config/dkim/{name}"' in said.out
    assert "s1._domainkey.quay.example. IN TXT (" in said.out
    assert "s1-ed25519._domainkey.quay.example. IN TXT (" in said.out
    assert max(map(len, re.findall(r'"([^"]*)"', said.out))) <= 255
    assert "BEGIN" not in said.out
    lines = said.out[said.out.index("[[dkim]]") :]
    newsroom(room, more=lines)
    assert dispatcher(room, "config", "check").code == 0


def test_keygen_overwrites_nothing(room: Path) -> None:
    dispatcher(room, "dkim", "keygen", "--selector", "s1", "--rsa-only")
    before = (room / "config" / "dkim" / "s1.pem").read_bytes()
    again = dispatcher(room, "dkim", "keygen", "--selector", "s1")
    assert again.code == 2
    assert "never overwritten" in again.err
    assert (room / "config" / "dkim" / "s1.pem").read_bytes() == before
    assert not (room / "config" / "dkim" / "s1-ed25519.pem").exists()


def test_keygen_for_another_domain_in_another_folder(room: Path) -> None:
    said = dispatcher(room, "dkim", "keygen", "--domain", "bücher.example", "--out", "keys", "--rsa-only")
    assert said.code == 0, said.err
    assert 'domain = "xn--bcher-kva.example"' in said.out
    assert re.search(r"^s\d{6}\._domainkey\.xn--bcher-kva\.example\. IN TXT", said.out, re.MULTILINE)
    assert [file.suffix for file in (room / "keys").iterdir()] == [".pem"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("keygen", "--selector", "a b"), "is not a selector"),
        (("keygen", "--domain", "a b"), "is not a domain"),
        (("check", "--resolver", "dns.example"), "is no IP address and port"),
    ],
)
def test_what_makes_no_sense_is_said(room: Path, arguments: tuple[str, ...], hint: str) -> None:
    said = dispatcher(room, "dkim", *arguments)
    assert said.code == 2
    assert hint in said.err


def test_show_prints_the_records_of_the_keys_in_the_configuration(room: Path) -> None:
    assert "no [[dkim]] key signs our mail" in dispatcher(room, "dkim", "show").err
    made, _ = with_keys(room)
    said = dispatcher(room, "dkim", "show")
    assert all(str(key["record"]) in said.out for key in made)
    listed = dispatcher(room, "dkim", "show", "--json").json
    assert [(key["selector"], key["active"]) for key in listed] == [("s1", True), ("s1-ed25519", True)]


def test_d5_check_says_that_all_is_fine_once_the_records_are_published(room: Path) -> None:
    _, records = with_keys(room)
    with dns_server(records) as server:
        said = dispatcher(room, "dkim", "check", "--resolver", server)
    assert said.code == 0, said.out + said.err
    assert said.out.count("fine") == 2


def test_d5_check_fails_when_a_record_is_missing_or_that_of_another_key(room: Path) -> None:
    _, records = with_keys(room)
    records["s1._domainkey.quay.example"] = ['"v=DKIM1; k=rsa; p=AAAA"']
    del records["s1-ed25519._domainkey.quay.example"]
    with dns_server(records) as server:
        said = dispatcher(room, "dkim", "check", "--resolver", server, "--json")
    assert said.code == 1
    faults = {one["name"].partition(".")[0]: one["faults"] for one in said.json}
    assert faults == {
        "s1": ["its p= is that of another key"],
        "s1-ed25519": ["there is no such TXT record; publish it"],
    }


def test_d5_check_says_when_nobody_answers(room: Path) -> None:
    with_keys(room)
    with dns_server({}, fails=True) as server:
        said = dispatcher(room, "dkim", "check", "--resolver", server)
    assert said.code == 1
    assert "gave no answer" in said.err


def test_a_command_with_a_key_that_is_gone_says_where_it_is_named(room: Path) -> None:
    made, _ = with_keys(room)
    Path(str(made[0]["key_file"])).unlink()
    for arguments in (("config", "check"), ("status",)):
        said = dispatcher(room, *arguments)
        assert said.code == 3
        assert "dkim[0].key_file" in said.err
        assert "there is no such file" in said.err
