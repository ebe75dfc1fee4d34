"""Postfix, Exim and OpenSMTPD from Debian's packages, on free loopback ports, side by side.

    with PostfixServer(unpacked / "postfix", ca, resolver) as server:
        ...                                    # talk to server.host, on server.secure_port or server.plain_port
        server.arrived(100)                    # what reached its mailbox, as octets with CRLF

`.ci/run` unpacks the packages and installs nothing; TEST_MAIL_SERVERS names the folder. Configurations are in
tests/corpus/mail_servers. The mailbox takes every address but nobody@, which is refused, and bounced@, which is taken
and then returned. The secure port demands STARTTLS and a login, and offers all the server can; the plain port knows
neither, and leaves out PIPELINING or CHUNKING. `resolver` is the address of a name server for it to ask.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from server_tree import ServerTree

CONFIGURATIONS = Path(__file__).parent / "corpus" / "mail_servers"
USER, PASSWORD = "news", "gr-n.secret"
LARGEST = 200_000
PATIENCE = 120.0
OWNER = "mail"


class MailServer:
    """One server; started by `with`, and gone after it with everything it wrote and every process of it."""

    name = ""
    users: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """What runs it, in the foreground."""

    queue: tuple[str, ...] = ()
    """Where messages lie that have not reached the mailbox yet, as patterns."""

    offers: frozenset[str] = frozenset()
    """What the secure port offers of that which makes sending fast or rich."""

    host = "127.0.0.1"

    def __init__(self, unpacked: Path, ca: trustme.CA, resolver: str) -> None:
        users = {user: number for number, user in enumerate((OWNER, *self.users), start=64_000)}
        self.tree = ServerTree(unpacked, users)
        self.secure_port, self.plain_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self._certify(ca)
        self._configure()
        self.tree.write("etc/resolv.conf", f"nameserver {resolver}\n")
        self.tree.make_folder("var/mail", owner=OWNER)
        self.prepare()

    def prepare(self) -> None:
        """Make what it expects to find."""

    def __enter__(self) -> Self:
        """Start it, and wait until it greets."""
        self._process = self.tree.start(*self.command)
        try:
            for port in (self.secure_port, self.plain_port):
                self._until(lambda port=port: self._greets(port), "does not start")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it, politely first."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
        self.tree.remove()
        if self._process is not None:
            self._process.wait()

    def arrived(self, count: int) -> list[bytes]:
        """The messages in its mailbox, once there are so many and none is under way. AssertionError if never."""
        self._until(
            lambda: len(list(self._mailbox.glob("*"))) >= count and not self._is_busy(), f"did not deliver {count}"
        )
        return [message.read_bytes().replace(b"\n", b"\r\n") for message in self._mailbox.iterdir()]

    def empty(self) -> None:
        """Forget what arrived, once everything has, and what was logged."""
        self._until(lambda: not self._is_busy(), "does not come to rest")
        for message in self._mailbox.glob("*"):
            message.unlink()
        for log in self._logs():
            os.truncate(log, 0)

    def taken(self, count: int) -> Counter[str]:
        """How so many messages were handed over, by its log: "data" or "bdat" for each."""
        self._until(lambda: self.spoken().total() >= count, f"did not log {count} messages")
        return self.spoken()

    def spoken(self) -> Counter[str]:
        """What its log has by now of "data" and "bdat"."""
        raise NotImplementedError

    def log(self) -> str:
        """What it said and logged."""
        return "\n".join(log.read_text(errors="replace") for log in self._logs())

    @property
    def _mailbox(self) -> Path:
        return self.tree.root / "var/mail/inbox/new"

    def _logs(self) -> list[Path]:
        return [self.tree.root / "output", *(log for log in self.tree.root.glob("var/log/**/*") if log.is_file())]

    def _certify(self, ca: trustme.CA) -> None:
        certificate = ca.issue_cert(self.host)
        chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
        self.tree.write("etc/tls/certificate.pem", chain.decode())
        self.tree.write("etc/tls/key.pem", certificate.private_key_pem.bytes().decode(), 0o600)
        self.tree.write("etc/ssl/certs/ca-certificates.crt", ca.cert_pem.bytes().decode())

    def _configure(self) -> None:
        values = {"SECURE": self.secure_port, "PLAIN": self.plain_port, "SIZE": LARGEST,
                  "USER": USER, "PASSWORD": PASSWORD}  # fmt: skip
        folder = CONFIGURATIONS / self.name
        for source in (path for path in folder.rglob("*") if path.is_file()):
            text = re.sub("@([A-Z]+)@", lambda found: str(values[found[1]]), source.read_text(encoding="utf-8"))
            self.tree.write(str(source.relative_to(folder)), text)

    def _greets(self, port: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} has ended:\n{self.log()}"
        try:
            with socket.create_connection((self.host, port), 5) as talk:
                return talk.recv(3) == b"220"
        except OSError:
            return False

    def _is_busy(self) -> bool:
        return any(path.is_file() for pattern in self.queue for path in self.tree.root.glob(pattern))

    def _until(self, is_true: Callable[[], bool], fault: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_true():
            assert time.monotonic() < deadline, f"{self.name} {fault}:\n{self.log()[-4000:]}"
            time.sleep(0.05)


class PostfixServer(MailServer):
    """Postfix, with Cyrus SASL and its password database."""

    name = "postfix"
    users = ("postfix", "postdrop")
    command = ("/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix")
    queue = tuple(f"var/spool/postfix/{name}/**/*" for name in ("incoming", "active", "deferred"))
    offers = frozenset({"chunking", "smtputf8", "envid"})

    def prepare(self) -> None:
        """Its queue, as `postfix check` would make it, and the one who may log in."""
        tree, spool = self.tree, "var/spool/postfix"
        tree.make_folder("var/log", 0o777)
        tree.make_folder("var/lib/postfix", 0o700, "postfix")
        tree.make_folder(f"{spool}/pid")
        tree.make_folder(f"{spool}/public", 0o710, "postfix", "postdrop")
        tree.make_folder(f"{spool}/maildrop", 0o730, "postfix", "postdrop")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
                     "saved", "trace"):  # fmt: skip
            tree.make_folder(f"{spool}/{name}", 0o700, "postfix")
        tree.run("/usr/sbin/saslpasswd2", "-p", "-c", "-f", "/etc/sasldb2", "-u", "postfix.test", USER, told=PASSWORD)
        tree.give("etc/sasldb2", "postfix")

    def spoken(self) -> Counter[str]:
        """Said at the end of each connection."""
        spoken: Counter[str] = Counter()
        for verb, count in re.findall(r"\b(data|bdat)=(\d+)", self.log()):
            spoken[verb] += int(count)
        return spoken


class EximServer(MailServer):
    """Exim, which checks the password itself, and the signatures: its Authentication-Results say what it found."""

    name = "exim"
    users = ("Debian-exim",)
    command = ("/usr/sbin/exim4", "-bdf")
    queue = ("var/spool/exim4/input/**/*",)
    offers = frozenset({"chunking", "smtputf8", "envid"})

    def prepare(self) -> None:
        """Spool and log, and the key, which it reads as a user of its own."""
        for path in ("var/spool/exim4", "var/log/exim4", "run/exim4"):
            self.tree.make_folder(path, 0o750, "Debian-exim")
        self.tree.give("etc/tls/key.pem", "Debian-exim")

    def spoken(self) -> Counter[str]:
        """Said of each message: K is CHUNKING."""
        return Counter("bdat" if " K " in line else "data" for line in re.findall("<= .* P=.*", self.log()))


class OpensmtpdServer(MailServer):
    """OpenSMTPD, with a table of passwords. It knows neither PIPELINING nor CHUNKING nor SMTPUTF8."""

    name = "opensmtpd"
    users = ("opensmtpd", "opensmtpq")
    command = ("/usr/sbin/smtpd", "-d")
    queue = ("var/spool/smtpd/queue/**/*", "var/spool/smtpd/incoming/**/*")

    def prepare(self) -> None:
        """Its empty folder and spool, and the one who may log in."""
        self.tree.make_folder("var/lib/opensmtpd/empty")
        self.tree.make_folder("var/spool/smtpd", 0o711)
        self.tree.make_folder("var/run")
        self.tree.write("etc/smtpd.passwords", f"{USER} {self.tree.run('/usr/libexec/opensmtpd/encrypt', PASSWORD)}\n")

    def spoken(self) -> Counter[str]:
        """Said of each message."""
        return Counter("data" for _ in re.findall("smtp message msgid=", self.log()))


SERVERS = (PostfixServer, EximServer, OpensmtpdServer)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
