"""Signed links: what was signed comes back, and nothing else is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import TokenError
from dispatcher.tokens import Keyring, Purpose, key_id

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring({key_id(OLD): OLD, key_id(NEW): NEW}, key_id(NEW))
WORDS = st.text("abcXYZ019_-", max_size=20) | st.integers(0, 2**40)


@given(st.sampled_from(Purpose), st.lists(WORDS, max_size=5), st.integers(1, 10**8))
def test_what_was_signed_comes_back(purpose: Purpose, claims: list[str | int], seconds: int) -> None:
    expires_at = NOW + timedelta(seconds=seconds)
    text = RING.sign(purpose, *claims, expires_at=expires_at)
    token = RING.read(text, purpose, NOW)
    assert (token.claims, token.expires_at) == (tuple(map(str, claims)), expires_at)
    assert RING.sign(purpose, *claims, expires_at=expires_at) == text
    with pytest.raises(TokenError, match="lapsed"):
        RING.read(text, purpose, expires_at)


@given(st.sampled_from(Purpose), st.data())
def test_one_changed_character_makes_a_token_worthless(purpose: Purpose, data: st.DataObject) -> None:
    text = RING.sign(purpose, 12, "x")
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != text[at]))
    with pytest.raises(TokenError):
        RING.read(text[:at] + other + text[at + 1 :], purpose, NOW)


@given(st.text(max_size=600))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(TokenError):
        RING.read(text, Purpose.CONFIRM, NOW)


@pytest.mark.parametrize("mark", ["=", "==", " ", "\n", "."])
def test_a_token_has_one_spelling(mark: str) -> None:
    with pytest.raises(TokenError):
        RING.read(RING.sign(Purpose.SIGN_IN, 1) + mark, Purpose.SIGN_IN, NOW)


def test_a_token_opens_one_door_only() -> None:
    text = RING.sign(Purpose.UNSUBSCRIBE, 1, 1)
    for purpose in set(Purpose) - {Purpose.UNSUBSCRIBE}:
        with pytest.raises(TokenError, match="something else"):
            RING.read(text, purpose, NOW)


def test_an_old_key_still_verifies_and_a_lost_one_does_not() -> None:
    before = Keyring({key_id(OLD): OLD}, key_id(OLD)).sign(Purpose.UNSUBSCRIBE, 7, 1)
    assert RING.read(before, Purpose.UNSUBSCRIBE, NOW).claims == ("7", "1")
    assert RING.sign(Purpose.UNSUBSCRIBE, 7, 1, key_id=key_id(OLD)) == before
    with pytest.raises(TokenError):
        Keyring({key_id(NEW): NEW}, key_id(NEW)).read(before, Purpose.UNSUBSCRIBE, NOW)
    with pytest.raises(TokenError):
        Keyring({}, "").read(before, Purpose.UNSUBSCRIBE, NOW)


def test_a_claim_cannot_smuggle_another_one_in() -> None:
    for claim in ("1.2", "a b", "ä", "x\n"):
        with pytest.raises(ValueError, match="plain word"):
            RING.sign(Purpose.CONFIRM, claim)
    with pytest.raises(TokenError, match="not complete"):
        RING.read(RING.sign(Purpose.CONFIRM, "x"), Purpose.CONFIRM, NOW).number(0)
