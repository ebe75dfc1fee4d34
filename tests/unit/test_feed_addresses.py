"""The SSRF guard: every form of address that must not be reached (standards W6), and every URL not to be asked."""

from __future__ import annotations

import pytest
from yarl import URL

from dispatcher.sources.addresses import refusal
from dispatcher.sources.http import Failure, hop

PRIVATE = ["127.0.0.1", "127.255.0.9", "::1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
           "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:c0a8:101"]  # fmt: skip
NEVER = ["0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0", "fec0::1", "192.0.0.1", "192.0.0.8",
         "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1",
         "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "2002:7f00:1::", "2002:a00:1::",
         "64:ff9b::7f00:1", "64:ff9b:1::1", "2001::1", "2001:0:4136:e378::", "2001:db8::1", "3fff::1", "100::1",
         "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1", "::ffff:0:127.0.0.1", "5f00::1", "4000::1",
         "not an address", ""]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450:4001::1",
          "::ffff:8.8.8.8"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_unless_the_source_allows_it(address: str) -> None:
    assert refusal(address)
    assert refusal(address, allow_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_refused_whatever_the_source_allows(address: str) -> None:
    assert refusal(address)
    assert refusal(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a.example/", "only http"),
        ("file:///etc/passwd", "only http"),
        ("gopher://a.example/", "only http"),
        ("/relative", "bare path"),
        ("", "saying where"),
        ("http:///nohost", "host"),
        ("https://user@a.example/", "user name"),
        ("https://user:secret@a.example/", "user name"),
        ("http://a.example:22/", "port 22"),
        ("http://a.example:99999/", "usable"),
        ("http://[::1/", "usable"),
    ],
)
def test_a_url_that_is_not_to_be_asked_is_refused_in_words(url: str, why: str) -> None:
    refused = hop(url, ports=frozenset({80, 443}))
    assert isinstance(refused, Failure)
    assert why in refused.reason
    assert refused.is_permanent


def test_a_redirect_never_goes_from_https_back_to_http() -> None:
    refused = hop("http://a.example/", origin=URL("https://a.example/feed"))
    assert isinstance(refused, Failure)
    assert "https back to http" in refused.reason


def test_a_redirect_may_be_relative_and_loses_its_fragment() -> None:
    assert hop("../new#top", origin=URL("https://a.example/old/feed")) == URL("https://a.example/new")


def test_a_redirect_without_a_place_is_a_failure() -> None:
    assert isinstance(hop("", origin=URL("https://a.example/")), Failure)
