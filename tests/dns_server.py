"""A real DNS server for tests: UDP on loopback, answering from a table of TXT or MX records."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@contextmanager
def dns_server(
    records: Mapping[str, Sequence[str]], *, fails: bool = False, at: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[str]:
    """Serve these records, as zone files write them; yields HOST:PORT. `fails`: SERVFAIL.

    Who asks for MX gets them as such, everybody else as TXT.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(at)
        host, port = listener.getsockname()
        thread = threading.Thread(target=_serve, args=(listener, records, fails), daemon=True)
        thread.start()
        yield f"{host}:{port}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (host, port))
        thread.join()


def _serve(listener: socket.socket, records: Mapping[str, Sequence[str]], fails: bool) -> None:
    while True:
        octets, client = listener.recvfrom(65535)
        if not octets:
            return
        asked = dns.message.from_wire(octets)
        answer = _failure(asked) if fails else _answer(asked, records)
        listener.sendto(answer.to_wire(), client)


def _answer(asked: dns.message.Message, records: Mapping[str, Sequence[str]]) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    name, kind = asked.question[0].name, "MX" if asked.question[0].rdtype == dns.rdatatype.MX else "TXT"
    values = records.get(name.to_text().rstrip("."))
    if values is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    else:
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *values))
    return answer


def _failure(asked: dns.message.Message) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    answer.set_rcode(dns.rcode.SERVFAIL)
    return answer
