"""DKIM signatures against an independent verifier, on messages of every shape (D1-D4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_message_standards import content, envelope, every_kind, wire_of

from dispatcher.delivery.dkim import LIFETIME, OVERSIGNED, SIGNED, sign
from dispatcher.delivery.signing_key import SigningKey, load_key, make_ed25519, make_rsa, pem_of, strings_of
from dispatcher.digest.assembly import assemble
from dispatcher.errors import TransportError
from dispatcher.model.content import Story

NOW = datetime.now(UTC)  # the verifier has no clock but the machine's


@cache
def keys() -> tuple[SigningKey, ...]:
    """One of each kind, as files would hold them."""
    made = (make_rsa("gazette.example", "r1"), make_ed25519("gazette.example", "e1"))
    return tuple(load_key(pem_of(key), key.domain, key.selector) for key in made)


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
TEXT = st.text(st.sampled_from("ab. \t=ö\n<&"), max_size=300)


def test_d1_both_kinds_of_key_sign_and_verify_under_their_own_selectors() -> None:
    message = signed(MESSAGE)
    assert verified(message) == [True, True]
    assert re.findall(rb"a=([a-z0-9-]+);[^;]*;\s*d=[^;]*; s=(\w+);", message) == [
        (b"rsa-sha256", b"r1"),
        (b"ed25519-sha256", b"e1"),
    ]


@settings(max_examples=40)
@given(TEXT, TEXT, st.text(max_size=60))
def test_any_message_of_ours_verifies(title: str, summary: str, name: str) -> None:
    made = assemble(wire_of(content(Story(title, "https://gazette.example/1", summary))), envelope(name=name))
    assert verified(signed(made)) == [True, True]


@given(TEXT, TEXT)
def test_the_body_of_a_message_is_in_relaxed_form_as_it_stands(title: str, summary: str) -> None:
    for made in (content(Story(title, "", summary)), content(Story("東京の朝" * 9, "", summary + "朝の。" * 60))):
        body = assemble(wire_of(made), envelope()).partition(b"\r\n\r\n")[2]
        assert Relaxed.canonicalize_body(body) == body


def test_every_kind_of_mail_verifies_and_a_dot_stuffed_one_does_when_its_dots_are_undone() -> None:
    for made in every_kind():
        message = signed(assemble(wire_of(made), envelope()))
        stuffed = re.sub(rb"^\.", b"..", message, flags=re.MULTILINE)
        assert verified(re.sub(rb"^\.", b"", stuffed, flags=re.MULTILINE)) == [True, True]


def test_the_same_message_at_the_same_time_has_the_same_signature() -> None:
    assert sign(MESSAGE, keys(), NOW) == sign(MESSAGE, keys(), NOW)


def test_a_body_hash_that_is_known_is_taken_as_it_is() -> None:
    found = re.search(rb"bh=([^;]+);", sign(MESSAGE, keys(), NOW))
    assert found
    assert sign(MESSAGE, keys(), NOW, body_hash=found[1].decode()) == sign(MESSAGE, keys(), NOW)
    assert b"bh=other;" in sign(MESSAGE, keys(), NOW, body_hash="other")


@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t", b"  \t "])
def test_fields_that_relays_fold_anew_verify_all_the_same(fold: bytes) -> None:
    message = signed(MESSAGE)
    head, _, body = message.partition(b"\r\nFrom:")
    assert verified(head + b"\r\nFrom:" + body.replace(b"\r\n words", fold + b"words", 1)) == [True, True]


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
    with pytest.raises(TransportError, match=r"is not a private key in PEM"):
        load_key(pem, "x.example", "s")


def test_a_key_with_a_password_a_short_one_and_one_of_another_kind_are_refused_in_words() -> None:
    locked = generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(TransportError, match="has a password"):
        load_key(locked, "x.example", "s")
    other = dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TransportError, match="neither an RSA nor an Ed25519 key"):
        load_key(other, "x.example", "s")


def test_a_record_is_cut_into_strings_that_a_txt_record_can_hold() -> None:
    rsa, ed25519 = (strings_of(key.record) for key in keys())
    assert [len(string) for string in rsa][:-1] == [255] * (len(rsa) - 1)
    assert len(rsa) == 2
    assert "".join(rsa) == keys()[0].record
    assert len(ed25519) == 1
