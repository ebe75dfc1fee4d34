"""However a mailbox is spelt, its confirmations are counted together; and other people's are not counted with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.pipeline.limits import counted_domain, mailbox_hash, mailbox_of

WORDS = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9.+_-]{0,12}", fullmatch=True)
HOSTS = st.from_regex(r"[a-z]{3,8}(\.[a-z]{3,8}){1,3}", fullmatch=True).filter(lambda host: "gmail" not in host)


def in_some_case(data: st.DataObject, text: str) -> str:
    return "".join(char.upper() if data.draw(st.booleans()) else char for char in text)


@given(st.data(), WORDS, TAGS)
def test_every_spelling_of_a_gmail_address_is_one_mailbox(data: st.DataObject, local: str, tag: str) -> None:
    dotted = "".join(char + ("." if data.draw(st.booleans()) else "") for char in local[:-1]) + local[-1]
    domain = data.draw(st.sampled_from(["gmail.com", "googlemail.com"]))
    spelt = in_some_case(data, f"{dotted}+{tag}@{domain}")
    assert mailbox_of(spelt) == f"{local}@gmail.com"
    assert mailbox_hash(b"key", spelt) == mailbox_hash(b"key", f"{local}@gmail.com")


@given(st.data(), WORDS, TAGS, HOSTS)
def test_a_tag_and_capitals_make_no_other_mailbox(data: st.DataObject, local: str, tag: str, host: str) -> None:
    assert mailbox_of(in_some_case(data, f"{local}+{tag}@{host}")) == f"{local}@{host}"


@given(WORDS, WORDS, HOSTS)
def test_a_dot_elsewhere_makes_another_mailbox(one: str, other: str, host: str) -> None:
    assert mailbox_of(f"{one}.{other}@{host}") != mailbox_of(f"{one}{other}@{host}")


@given(st.emails())
def test_canonical_is_canonical(address: str) -> None:
    assert mailbox_of(mailbox_of(address)) == mailbox_of(address)
    assert "@" in mailbox_of(address)


@given(WORDS, HOSTS)
def test_subdomains_count_with_their_domain(label: str, host: str) -> None:
    counted = counted_domain(f"x@{host}")
    assert host.endswith(counted)
    assert counted_domain(f"x@{label}.{host}") == counted or len(host.split(".")) == 1


def test_big_providers_have_no_catch_all() -> None:
    assert counted_domain("x@gmail.com") == ""
    assert counted_domain("x@shop.co.uk") == "shop.co.uk"
    assert counted_domain("x@a.b.shop.co.uk") == "shop.co.uk"


def test_two_names_of_one_international_domain_are_one() -> None:
    assert mailbox_of("ann@bücher.example") == mailbox_of("ann@xn--bcher-kva.example")
