"""Which IP addresses an outgoing request may reach. The SSRF guard asks about the address really connected to.

`ipaddress.is_global` is not enough: on Python 3.11 it passes 192.0.0.8, multicast, 6to4 and NAT64.
Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_PRIVATE = {
    "a loopback address": ("127.0.0.0/8", "::1/128"),
    "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "a shared (carrier) address": ("100.64.0.0/10",),
}
_NEVER = {
    "an unspecified address": ("0.0.0.0/8", "::/128"),
    "a link-local address": ("169.254.0.0/16", "fe80::/10", "fec0::/10"),
    "a protocol address": ("192.0.0.0/24", "192.88.99.0/24", "2001::/23"),
    "an address for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "an address for benchmarks": ("198.18.0.0/15",),
    "a multicast address": ("224.0.0.0/4", "ff00::/8"),
    "a reserved address": ("240.0.0.0/4",),
    "a 6to4 address": ("2002::/16",),
    "a NAT64 address": ("64:ff9b::/96", "64:ff9b:1::/48"),
}
_GLOBAL_UNICAST = IPv6Network("2000::/3")


def refusal(address: str, *, allow_private: bool = False) -> str:
    """Why this IP address must not be connected to, in words; "" if it may be.

    `allow_private` opens loopback, private and shared addresses, and nothing else: link-local stays closed, because
    that is where clouds keep their credentials.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an IP address"
    ip = _unmapped(ip)
    if words := _words_for(ip, _NEVER_NETWORKS):
        return words
    if words := _words_for(ip, _PRIVATE_NETWORKS):
        return "" if allow_private else words
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return "an address outside the public Internet"
    return ""


def _unmapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """::ffff:127.0.0.1 reaches 127.0.0.1, and is judged as that."""
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip


_Networks = list[tuple[IPv4Network | IPv6Network, str]]


def _networks(table: dict[str, tuple[str, ...]]) -> _Networks:
    return [(ip_network(text), words) for words, texts in table.items() for text in texts]


def _words_for(ip: IPv4Address | IPv6Address, networks: _Networks) -> str:
    return next((words for network, words in networks if ip in network), "")


_PRIVATE_NETWORKS = _networks(_PRIVATE)
_NEVER_NETWORKS = _networks(_NEVER)
