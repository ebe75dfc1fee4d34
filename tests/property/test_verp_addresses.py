"""Envelope senders that name their delivery: they come back whatever was done to their case, and cannot be made up."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dispatcher.config import addresses
from dispatcher.delivery.envelope import Envelope, prepare
from dispatcher.delivery.verp import LONGEST_OWN, read_verp, takes_bounces, verp
from dispatcher.model.values import Outcome

OWN, KEY = "bounces@news.example", b"k" * 32
deliveries = st.integers(1, 2**63 - 1)
keys = st.binary(min_size=16, max_size=64)
owns = st.from_regex(r"[a-z0-9+_-]{1,27}@[a-z]{1,20}\.example", fullmatch=True)


@given(own=owns, delivery_id=deliveries, key=keys, upper=st.lists(st.booleans(), min_size=200, max_size=200))
def test_s12_a_delivery_is_known_again_in_whatever_case_its_address_comes_back(
    own: str, delivery_id: int, key: bytes, upper: list[bool]
) -> None:
    address = verp(own, delivery_id, key)
    assert address == verp(own, delivery_id, key)
    returned = "".join(c.upper() if is_upper else c for c, is_upper in zip(address, upper, strict=False))
    assert read_verp(returned + address[len(returned) :], key) == delivery_id


@given(own=owns, delivery_id=deliveries)
def test_s12_it_may_stand_in_an_envelope_and_is_no_longer_than_a_local_part_may_be(own: str, delivery_id: int) -> None:
    address = verp(own, delivery_id, KEY)
    assert len(address.rpartition("@")[0]) <= 64
    envelope = prepare(address, "ann@example.org", b"Subject: x\r\n\r\n")
    assert isinstance(envelope, Envelope)
    assert not isinstance(envelope, Outcome)
    assert envelope.sender == address


@given(delivery_id=deliveries, place=st.integers(0, 100), letter=st.characters(blacklist_categories=["Cs"]))
def test_s12_an_address_that_was_changed_names_nothing(delivery_id: int, place: int, letter: str) -> None:
    address = verp(OWN, delivery_id, KEY)
    named, _, domain = address.rpartition("@")
    start = len("bounces+")
    at = start + place % (len(named) - start)
    changed = named[:at] + letter + named[at + 1 :]
    assume(changed.lower() != named.lower())
    assert read_verp(f"{changed}@{domain}", KEY) is None


@given(delivery_id=deliveries, other=deliveries, key=keys)
def test_s12_neither_another_key_nor_another_delivery_gives_the_same_address(
    delivery_id: int, other: int, key: bytes
) -> None:
    assume(other != delivery_id and key != KEY)
    address = verp(OWN, delivery_id, KEY)
    mac = address.rpartition("@")[0].rpartition("-")[2]
    assert read_verp(address, key) is None
    assert read_verp(f"bounces+{other}-{mac}@news.example", KEY) is None


@given(text=st.text(max_size=120))
def test_whatever_comes_back_is_read_without_a_fuss(text: str) -> None:
    assert read_verp(text, KEY) is None


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("bounces@news.example", True),
        ("news+bounces@news.example", True),
        ("a.b@news.example", True),
        ("x" * LONGEST_OWN + "@news.example", True),
        ("x" * (LONGEST_OWN + 1) + "@news.example", False),
        ('"a b"@news.example', False),
        ("bücher@news.example", False),
        ("a..b@news.example", False),
        ("a@b@news.example", False),
        ("news.example", False),
        ("", False),
    ],
)
def test_an_address_takes_bounces_where_a_delivery_can_be_named_in_it(address: str, is_good: bool) -> None:
    assert takes_bounces(address) is is_good
    if is_good:
        assert addresses.bounce_address(address) == address
    else:
        with pytest.raises(ValueError, match=r"is not an e-mail address|cannot take bounces"):
            addresses.bounce_address(address)
        with pytest.raises(ValueError, match="envelope sender"):
            verp(address, 1, KEY)
