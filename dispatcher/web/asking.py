"""Who asks: the context behind a request, and what we know of the visitor in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request
from starlette.types import Scope

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.shelf import Shelf
from dispatcher.web.words import best_language

KEY = "dispatcher"
"""Where the guard leaves an `Asked` in the ASGI scope."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the guard found out about a request, and what all requests to one app share."""

    ctx: Context
    ip: str
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody in front of a page. `network` is what limits count: an IPv4 /24, an IPv6 /64."""

    ip: str
    network: str
    user_agent: str
    locale: str


def context_of(request: Request) -> Context:
    """The context that the app was built for."""
    return _asked(request).ctx


def shelf_of(request: Request) -> Shelf:
    """The latest articles, analysed, for trying queries out: one shelf for pages and API."""
    return _asked(request).shelf


def visitor_of(request: Request) -> Visitor:
    """Who asks, behind the proxies that config trusts."""
    ip, headers = _asked(request).ip, request.headers
    return Visitor(
        ip=ip,
        network=network_of(ip),
        user_agent="".join(c for c in headers.get("user-agent", "")[:300] if c.isprintable()),
        locale=best_language(headers.get("accept-language", ""), context_of(request).settings.site.language),
    )


def address_of(scope: Scope, trusted: Sequence[str]) -> str:
    """The address a request comes from: the last one of X-Forwarded-For that no trusted proxy has put there."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    networks = [ip_network(text) for text in trusted]
    while hops and (ip := _ip(address)) and any(ip in network for network in networks):
        if _ip(hops[-1]) is None:
            break
        address = hops.pop()
    return str(_ip(address) or "0.0.0.0")


def network_of(ip: str) -> str:
    """The network that an address belongs to, as our limits see it."""
    found = _ip(ip) or IPv4Address(0)
    return str(ip_network(f"{found}/{24 if found.version == 4 else 64}", strict=False))


def _asked(request: Request) -> Asked:
    asked: Asked = request.scope[KEY]
    return asked


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
