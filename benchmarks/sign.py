"""What it costs to sign: a whole message of 30 KB through the real signer, against one raw RSA-2048 operation (R).

Interleaved, median of nine; the messages differ in what readers' messages differ in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median

from benchmarks.report import Figure, report
from dispatcher.delivery.signing_key import SigningKey, make_ed25519, make_rsa
from dispatcher.pipeline.signing import Signer

ROUNDS, DOMAIN, NOW = 9, "gazette.example", datetime(2026, 3, 2, 7, 31, tzinfo=UTC)
MESSAGES = 40 if os.environ.get("QUICK") else 400
HEAD = """From: The Gazette <news@gazette.example>
To: Reader {number} <reader{number}@mail{number}.example>
Subject: =?utf-8?q?The_town_buys_a_windmill_=E2=80=93_and_nineteen_more?=
Date: Mon, 02 Mar 2026 07:31:00 +0000
Message-ID: <{number:032x}@gazette.example>
List-Unsubscribe: <https://letters.gazette.example/u/{number:064x}>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Reply-To: desk@gazette.example
List-Id: The Gazette <news.gazette.example>
List-Post: NO
Precedence: bulk
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: multipart/alternative;
 boundary="=_0123456789abcdef0123456789abcdef"

"""
LINE = "Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod temp=\n"


def main() -> None:
    """Measure and report."""
    body = LINE * 390
    messages = [(HEAD.format(number=n) + body).replace("\n", "\r\n").encode() for n in range(MESSAGES)]
    rsa, ed25519 = make_rsa(DOMAIN, "r1"), make_ed25519(DOMAIN, "e1")
    ways = {
        "raw": _raw(rsa, messages),
        "rsa": _signing(Signer([rsa]), messages),
        "both": _signing(Signer([rsa, ed25519]), messages),
        "but": _signing(Signer([_Instant(rsa)]), messages),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(_per_message(way))
    found = {name: median(some) for name, some in taken.items()}
    ratio = {name: median(a / b for a, b in zip(taken[name], taken["raw"], strict=True)) for name in ways}
    raw = found["raw"]
    report(
        "sign",
        [
            Figure("one raw RSA-2048 operation (R)", raw, "µs"),
            Figure("a message of 30 KB, RSA", ratio["rsa"] * raw, "µs", raw, 1.2),
            Figure("a message of 30 KB, RSA and Ed25519", ratio["both"] * raw, "µs", raw, 1.4),
            Figure("all of it but the RSA operation", found["but"], "µs", raw, 0.15),
        ],
    )


class _Instant(SigningKey):
    """A key whose operation costs nothing."""

    __slots__ = ()

    def __init__(self, like: SigningKey) -> None:
        super().__init__(like.domain, like.selector, like.key)

    def sign(self, data: bytes) -> bytes:
        """As long as a real one."""
        return bytes(256)


def _raw(key: SigningKey, messages: Sequence[bytes]) -> Callable[[], None]:
    def work() -> None:
        for message in messages:
            key.sign(message[:1500])

    return work


def _signing(signer: Signer, messages: Sequence[bytes]) -> Callable[[], None]:
    def work() -> None:
        for message in messages:
            signer.sign(message, DOMAIN, NOW)

    return work


def _per_message(work: Callable[[], None]) -> float:
    """Microseconds of CPU."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / MESSAGES * 1e6


if __name__ == "__main__":
    main()
