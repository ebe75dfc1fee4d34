"""Where we listen, and whose word about others we take: whether it is well formed."""

from __future__ import annotations

import re
from ipaddress import ip_network

_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]*):(?P<port>[0-9]{1,5})")


def listen(text: str) -> str:
    """A host and a port, such as "127.0.0.1:8080" or "[::1]:8080"; port 0 is any that is free."""
    found = _LISTEN.fullmatch(text.strip())
    if found is None or not found["host"] or int(found["port"]) > 65_535:
        hint = (
            f'; did you mean "127.0.0.1:{text.strip().lstrip(":")}"?' if re.fullmatch(r":?[0-9]+", text.strip()) else ""
        )
        raise ValueError(f'"{text[:60]}" is not a place to listen{hint or "; expected such as 127.0.0.1:8080"}')
    return text.strip()


def listen_pair(text: str) -> tuple[str, int]:
    """The host, without brackets, and the port of what `listen` has checked."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def network(text: str) -> str:
    """An IP address or network, such as "127.0.0.1" or "10.0.0.0/8"."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(f'"{text[:60]}" is not an IP address or network; expected such as "10.0.0.0/8"') from None
