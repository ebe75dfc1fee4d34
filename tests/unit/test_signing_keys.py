"""Which keys sign what, what is signed ahead, and what config may say of keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builders import settings

from dispatcher.delivery.signing_key import SigningKey, make_ed25519, pem_of
from dispatcher.errors import ConfigError
from dispatcher.pipeline.signing import Signer, sealed, signed
from dispatcher.pipeline.signing_keys import is_aligned

NOW = datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
MESSAGE = b"From: news@gazette.example\r\nTo: ann@x.example\r\nSubject: Hi\r\n\r\nHello.\r\n"
SHORT_RSA = """-----BEGIN PRIVATE KEY-----
MIIB5gIBADANBgkqhkiG9w0BAQEFAASCAdAwggHMAgEAAmEAzEYViMgnk2uIJnO7
N0dMkW/Q3MPSsf1riXgqtPomoqiPoDloUEt3gVASvk3LPUi6aBuOM9vt6Ukzomif
sot+utn9Vk/7efeDuusZc4PAUwpa0P99yb+Tj8+39RXgJFH/AgMBAAECYQCt2xBE
5CVawPCV2XYDrDkspwAahMf0GP3HeHDQqv7q/Y+QDIwNms1RT7dEJK3PsO7/ij4S
H5vjFGwNPIM10sbC1Be90l8YIhiyU7o9SCtpGRPkaWzAlQA2Cm7rGBQjDdECMQD2
VHr6qHA6quIr3sZhNTtrYCqiWMOP+fW6e0AZOFSeUiAag7RCI1WxhVC6KWHqDXUC
MQDUSvSCDJImDq9zbuyTAV7eTQ/76YAbQlluItnVpxKDuk75SLe9hWseAo/jIQB8
LyMCMQDwI7eoOSD/8KuA/TMEfTKqIRwvHL251IK8A3+flozXs1RcxNysRWo7H65t
bf5ogCkCMFVwdUeB17AJaQOEOSJRAuVlDnHMYAqYgXWaASHDw+fQK8iYQ5q6/4ls
boxy08cnEQIxANn+nEQ2CaLOCfBSkT0ntqMXBGBbb5lXpcySDeDE2IljITtD51KA
roEsmQu4WLl+dw==
-----END PRIVATE KEY-----
"""  # 768 bits: good for nothing but this test


@dataclass(frozen=True)
class Row:
    """What signing reads of a delivery."""

    signature: str = ""
    dated_at: datetime | None = NOW
    created_at: datetime = NOW


@cache
def key(selector: str, domain: str = "gazette.example") -> SigningKey:
    return make_ed25519(domain, selector)


def selectors(message: bytes) -> list[str]:
    return re.findall(r" s=([^;]+);", message.decode())


def with_keys(folder: Path, *entries: dict[str, Any]) -> Any:
    return settings(folder, dkim=[{"selector": "s1", "key_file": "s1.pem"} | entry for entry in entries])


def problems(folder: Path, *entries: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as refused:
        Signer.of(with_keys(folder, *entries))
    return {problem.key: problem.message for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("domain", "sender", "speaks"),
    [
        ("gazette.example", "gazette.example", True),
        ("Gazette.Example", "gazette.example", True),
        ("gazette.example", "news.gazette.example", True),
        ("mail.gazette.example", "gazette.example", True),
        ("a.gazette.example", "b.gazette.example", False),
        ("example", "gazette.example", False),
        ("gazette.example", "example", False),
        ("zette.example", "gazette.example", False),
        ("localhost", "localhost", True),
    ],
)
def test_d2_a_key_speaks_for_its_domain_and_those_above_and_below_it(domain: str, sender: str, speaks: bool) -> None:
    assert is_aligned(domain, sender) is speaks


def test_without_keys_and_for_strangers_a_message_stays_as_it_is() -> None:
    assert Signer().sign(MESSAGE, "gazette.example", NOW) == MESSAGE
    assert Signer([key("e1")]).sign(MESSAGE, "other.example", NOW) == MESSAGE
    assert sealed(Signer(), MESSAGE, "gazette.example", NOW) == ""


def test_every_key_in_use_signs_under_its_own_selector_and_of_several_domains_those_that_speak_for_the_sender() -> None:
    signer = Signer([key("a"), key("b"), key("c", "other.example")], kept=[key("old")])
    made = signer.sign(MESSAGE, "gazette.example", NOW)
    assert made.endswith(b"\r\n" + MESSAGE)
    assert selectors(made) == ["a", "b"]
    assert selectors(signer.sign(MESSAGE, "other.example", NOW)) == ["c"]


def test_a_sender_with_an_international_domain_is_signed_for_as_well() -> None:
    signer = Signer([key("a", "xn--bcher-kva.example")])
    assert selectors(signer.sign(MESSAGE, "bücher.example", NOW)) == ["a"]


def test_a_repeat_after_a_change_of_keys_is_byte_identical_as_long_as_the_old_key_is_kept() -> None:
    before = Signer([key("old")])
    first = before.sign(MESSAGE, "gazette.example", NOW, by=before.names)
    after = Signer([key("new")], kept=[key("old")])
    assert after.sign(MESSAGE, "gazette.example", NOW, by=before.names) == first
    assert selectors(after.sign(MESSAGE, "gazette.example", NOW, by=after.names)) == ["new"]
    assert selectors(Signer([key("new")]).sign(MESSAGE, "gazette.example", NOW, by=before.names)) == ["new"]


def test_what_was_composed_before_there_were_keys_is_signed_once_there_are() -> None:
    assert selectors(Signer([key("a")]).sign(MESSAGE, "gazette.example", NOW, by=Signer().names)) == ["a"]


def test_a_signature_made_ahead_is_used_as_long_as_it_fits() -> None:
    signer = Signer([key("a")])
    row = Row(sealed(signer, MESSAGE, "gazette.example", NOW))
    later = replace(row, signature=row.signature.replace("b=", "b=MADEAHEAD", 1))
    assert b"MADEAHEAD" in signed(signer, later, MESSAGE, "gazette.example")
    assert signed(signer, row, MESSAGE, "gazette.example") == signer.sign(MESSAGE, "gazette.example", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        MESSAGE.replace(b"ann@", b"bob@"),
        MESSAGE.replace(b"Subject: Hi", b"Subject: Ho"),
        MESSAGE + b"One line more.\r\n",
    ],
)
def test_a_signature_made_ahead_that_does_not_fit_any_more_is_made_anew(changed: bytes) -> None:
    signer = Signer([key("a")])
    row = Row(sealed(signer, MESSAGE, "gazette.example", NOW))
    assert signed(signer, row, changed, "gazette.example") == signer.sign(changed, "gazette.example", NOW)


def test_after_a_change_of_keys_what_was_signed_ahead_is_signed_by_the_same_keys_again() -> None:
    before, after = Signer([key("old")]), Signer([key("new")], kept=[key("old")])
    row = Row(sealed(before, MESSAGE, "gazette.example", NOW, by=before.names))
    ahead = signed(before, row, MESSAGE, "gazette.example", by=before.names)
    assert signed(after, row, MESSAGE, "gazette.example", by=before.names) == ahead


@pytest.mark.parametrize("kept", ["nonsense", ":", "x:", "abc:DKIM-Signature: v=1; b=x\r\n"])
def test_what_is_no_signature_made_ahead_is_not_used(kept: str) -> None:
    signer = Signer([key("a")])
    assert signed(signer, Row(kept), MESSAGE, "gazette.example") == signer.sign(MESSAGE, "gazette.example", NOW)


def test_a_key_that_is_not_there_or_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "nonsense.pem").write_text("hello")
    (tmp_path / "short.pem").write_text(SHORT_RSA)
    found = problems(
        tmp_path,
        {},
        {"selector": "s2", "key_file": "nonsense.pem"},
        {"selector": "s3", "key_file": "."},
        {"selector": "s4", "key_file": "short.pem"},
    )
    assert set(found) == {"dkim[0].key_file", "dkim[1].key_file", "dkim[2].key_file", "dkim[3].key_file"}
    assert "there is no such file; `dispatcher dkim keygen` makes keys" in found["dkim[0].key_file"]
    assert "is not a private key in PEM" in found["dkim[1].key_file"]
    assert "cannot be read: is a directory" in found["dkim[2].key_file"]
    assert "is an RSA key of 768 bits, too short to verify anywhere" in found["dkim[3].key_file"]


def test_d1_ed25519_alone_is_refused_and_d2_so_is_a_stranger_and_a_selector_that_stands_twice(tmp_path: Path) -> None:
    (tmp_path / "s1.pem").write_bytes(pem_of(key("s1")))
    found = problems(tmp_path, {}, {"domain": "other.example"}, {})
    assert "has no RSA key beside it" in found["dkim[0].key_file"]
    assert '"other.example" does not speak for the sender\'s domain "gazette.example"' in found["dkim[1].domain"]
    assert '"s1" stands twice for gazette.example' in found["dkim[2].selector"]


def test_a_key_that_is_only_kept_may_have_signed_for_an_earlier_sender(tmp_path: Path) -> None:
    (tmp_path / "s1.pem").write_bytes(pem_of(key("s1")))
    signer = Signer.of(with_keys(tmp_path, {"domain": "other.example", "active": False}))
    assert [one.name for one in signer.keys] == ["s1._domainkey.other.example"]
    assert signer.names == ""
    assert signer.sign(MESSAGE, "gazette.example", NOW) == MESSAGE


def test_a_key_file_that_everybody_can_read_is_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s1.pem").write_bytes(pem_of(key("s1")))
    (tmp_path / "s1.pem").chmod(0o644)
    Signer.of(with_keys(tmp_path, {"active": False}))
    said = "".join(capsys.readouterr())
    assert "can be read by everybody" in said
    (tmp_path / "s1.pem").chmod(0o600)
    Signer.of(with_keys(tmp_path, {"active": False}))
    assert "can be read by everybody" not in "".join(capsys.readouterr())
