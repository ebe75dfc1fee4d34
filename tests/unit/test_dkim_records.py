"""What the DNS may say of a key, and what is made of it (D5)."""

from __future__ import annotations

from functools import cache

import pytest

from dispatcher.delivery.selector import faults, tags_of
from dispatcher.delivery.signing_key import SigningKey, make_ed25519


@cache
def key() -> SigningKey:
    return make_ed25519("gazette.example", "s1")


def test_d5_the_record_that_a_key_asks_for_is_fine_however_it_is_spaced_and_ordered() -> None:
    ours = key().record
    tags = ours.split("; ")
    for record in (ours, ours.replace("; ", ";"), f"{ours};", " ;\t".join(tags), "; ".join(reversed(tags)),
                   ours.replace("v=DKIM1; ", ""), f"{ours}; s=email; h=sha1:sha256; t=s; n=note"):  # fmt: skip
        assert faults(key(), [record]) == [], record


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "there is no such TXT record"),
        (["{ours}", "v=spf1 -all"], "there are 2 TXT records"),
        (["v=spf1 -all"], "it is no DKIM record"),
        (["v=DKIM1; k=ed25519; p="], "the key was revoked"),
        (["v=DKIM1; k=ed25519; p=AAAA"], "that of another key"),
        (["{cut}"], "cut short"),
        (["{ours}; v=DKIM2"], "expected v=DKIM1"),
        (["v=DKIM1; p=AAAA"], "of a key of kind rsa; ours is ed25519"),
        (["{ours}; h=sha1"], "does not allow sha256"),
        (["{ours}; s=other"], "does not allow mail"),
        (["{ours}; t=y:s"], "signatures are only tested"),
    ],
)
def test_d5_whatever_is_wrong_with_a_record_is_said(records: list[str], said: str) -> None:
    ours = key().record
    published = [record.format(ours=ours, cut=ours[:-7]) for record in records]
    assert said in "; ".join(faults(key(), published))


def test_tags_are_read_without_the_blanks_in_them() -> None:
    assert tags_of("v=DKIM1;k = rsa ; p=AB CD\tEF;;") == {"v": "DKIM1", "k": "rsa", "p": "ABCDEF"}
