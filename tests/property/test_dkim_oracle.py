"""DKIM signatures against an independent verifier, on messages of every shape (D1-D4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.delivery.dkim import LIFETIME, OVERSIGNED, SIGNED, SigningKey, load_key, relaxed_body, sign
from dispatcher.errors import TransportError

NOW = datetime.now(UTC)  # the verifier has no clock but the machine's


@cache
def keys() -> tuple[SigningKey, ...]:
    """One of each kind, as files would hold them."""
    made = (generate_private_key(65537, 2048), Ed25519PrivateKey.generate())
    pems = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in made]
    return tuple(load_key(pem, "gazette.example", selector) for pem, selector in zip(pems, ("r1", "e1"), strict=True))


def dns(name: bytes, timeout: int = 5) -> bytes:
    """The records that the keys ask to be published."""
    selector = name.decode().split(".")[0]
    return next(key.record for key in keys() if key.selector == selector).encode()


def verified(message: bytes) -> list[bool]:
    """The verifier's word on each signature of a message."""
    found, count = dkim.DKIM(message, minkey=1024), message.count(b"DKIM-Signature:")
    words = []
    for number in range(count):
        try:
            words.append(found.verify(idx=number, dnsfunc=dns))
        except dkim.ValidationError:  # how it says that the body was changed
            words.append(False)
    return words


def signed(message: bytes) -> bytes:
    return sign(message, keys(), NOW) + message


MESSAGE = (
    b"From: The Gazette <news@gazette.example>\r\nTo: ann@x.example\r\nSubject: =?utf-8?q?W=C3=B6rter?=\r\n words\r\n"
    b"Date: Mon, 02 Mar 2026 07:31:00 +0000\r\nMessage-ID: <1@gazette.example>\r\n"
    b"List-Id: The Gazette <n.gazette.example>\r\n"
    b"List-Unsubscribe: <https://letters.gazette.example/u/abc>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nHello,=20\r\n\r\nworld.\r\n"
)
LINES = st.lists(st.text(st.sampled_from("ab. \t=ö"), max_size=12), max_size=8)


def test_d1_both_kinds_of_key_sign_and_verify_under_their_own_selectors() -> None:
    message = signed(MESSAGE)
    assert verified(message) == [True, True]
    assert re.findall(rb"a=([a-z0-9-]+);[^;]*;\s*d=[^;]*; s=(\w+);", message) == [
        (b"rsa-sha256", b"r1"),
        (b"ed25519-sha256", b"e1"),
    ]


@settings(max_examples=60)
@given(LINES, st.booleans())
def test_any_body_verifies(lines: list[str], ends: bool) -> None:
    body = "\r\n".join(lines).encode() + (b"\r\n" if ends or not lines else b"\r\n\r\n\r\n")
    message = signed(MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body)
    assert verified(message) == [True, True]


@given(LINES)
def test_a_body_in_canonical_form_stays_as_it_is(lines: list[str]) -> None:
    once = relaxed_body("\r\n".join(lines).encode() + b"\r\n")
    assert relaxed_body(once) == once


def test_d2_it_is_relaxed_lapses_no_sooner_than_a_week_and_has_no_length() -> None:
    tags = dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", signed(MESSAGE).decode().partition("\r\nFrom:")[0])))
    assert tags["c"] == "relaxed/relaxed"
    assert int(tags["x"]) - int(tags["t"]) == LIFETIME.total_seconds() >= 7 * 86400
    assert "l" not in tags
    assert tags["d"] == "gazette.example"


@pytest.mark.parametrize("name", OVERSIGNED)
def test_d3_a_second_field_of_an_oversigned_name_breaks_every_signature(name: str) -> None:
    message = signed(MESSAGE)
    assert verified(f"{name}: forged\r\n".encode() + message) == [False, False]


def test_d3_every_field_that_counts_is_covered() -> None:
    message = signed(MESSAGE)
    for name in SIGNED:
        at = message.lower().find(f"\r\n{name}: ".encode())
        if at < 0:
            continue
        at += len(name) + 4
        changed = message[:at] + b"x" + message[at:]
        assert verified(changed) == [False, False], name


def test_d4_nothing_that_relays_rewrite_is_signed_and_no_line_is_too_long() -> None:
    message = b"Received: from a by b\r\nReturn-Path: <x@y.example>\r\n" + MESSAGE
    field = sign(message, keys(), NOW).decode()
    assert not re.search("received|return-path", field)
    assert max(map(len, field.split("\r\n"))) <= 78


def test_a_changed_body_does_not_verify() -> None:
    assert verified(signed(MESSAGE).replace(b"world", b"words")) == [False, False]


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_told_in_words(pem: bytes) -> None:
    with pytest.raises(TransportError, match=r"keys/dkim\.pem: not a private key"):
        load_key(pem, "x.example", "s", where="keys/dkim.pem")
