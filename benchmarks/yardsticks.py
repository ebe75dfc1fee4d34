"""What sending is held against: how others send mail, each as CPU of its process per message."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jinja2 import Environment
from sqlmodel import Field, Session, SQLModel, create_engine, select

TOOLS = Path(__file__).parent / ".tools"
SMTP_SOURCE = TOOLS / "bin" / "smtp-source"
NODEMAILER = TOOLS / "node_modules" / "nodemailer"
CONNECTIONS = 16
SIZE = 30_000
SENDER = "digest@news.example"
LINE = b"A line of some seventy characters, like those of a message in real life\r\n"
MESSAGE = b"Subject: x\r\n\r\n" + LINE * (SIZE // len(LINE))


def raw_signature(pem: bytes, count: int) -> float:
    """R: CPU seconds of one RSA-2048 signature."""
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey)
    data, padding, sha256 = b"x" * 1000, PKCS1v15(), SHA256()
    started = time.process_time()
    for _ in range(count):
        key.sign(data, padding, sha256)
    return (time.process_time() - started) / count


def smtp_source(port: int, count: int) -> tuple[float, float] | None:
    """S: CPU and wall seconds per message of `smtp-source -d -s 16`; None where it is not installed."""
    if not SMTP_SOURCE.exists():
        return None
    words = [str(SMTP_SOURCE), "-d", "-s", str(CONNECTIONS), "-m", str(count), "-l", str(SIZE),
             "-f", SENDER, "-t", "reader@dest.example", f"127.0.0.1:{port}"]  # fmt: skip
    return _child(words, count)


def nodemailer(port: int, count: int, key: Path | None) -> float | None:
    """CPU seconds per message of nodemailer, pooled, with DKIM if a key is given; None where it is not installed."""
    node = shutil.which("node")
    if node is None or not NODEMAILER.exists():
        return None
    words = [node, str(Path(__file__).parent / "nodemailer.mjs"), "127.0.0.1", str(port), str(count)]
    told = subprocess.run([*words, *([str(key)] if key else [])], capture_output=True, text=True, check=True).stdout
    return float(json.loads(told)["cpu_ms_per_message"]) / 1e3


def aiosmtplib_bytes(port: int, count: int) -> float:
    """A: CPU seconds per message of aiosmtplib's `sendmail(bytes)` on 16 connections."""
    return asyncio.run(_aiosmtplib(port, count))


class NaiveReader(SQLModel, table=True):
    """A row as the naive way has it."""

    __tablename__ = "naive_reader"

    id: int | None = Field(default=None, primary_key=True)
    email: str
    name: str
    is_sent: bool = False


NAIVE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head><body>
<p>Good morning, {{ reader.name }}</p>{% for story in stories %}
<table role="presentation" width="600"><tr><td style="font-family: Georgia, serif; padding: 12px 24px">
<h2 style="margin: 0; font-size: 20px"><a href="{{ story.url }}" style="color: #222">{{ story.title }}</a></h2>
<p style="color: #555; font-size: 14px">{{ story.source }} &middot; {{ story.at }}</p>
<p style="font-size: 16px; line-height: 1.5">{{ story.summary|truncate(300)|wordwrap(76) }}</p></td></tr></table>
{% endfor %}<p><a href="https://news.example/u/{{ reader.id }}">Unsubscribe</a></p></body></html>
"""


def naive(port: int, count: int, pem: bytes) -> float:
    """CPU seconds per message of ORM row, Jinja, EmailMessage, dkimpy and aiosmtplib, one after the other."""
    return asyncio.run(_naive(port, count, pem))


async def _naive(port: int, count: int, pem: bytes) -> float:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine, tables=[NaiveReader.__table__])  # type: ignore[attr-defined]
    template = Environment(autoescape=True).from_string(NAIVE)
    stories = [
        {"title": f"Story {n} of this morning", "url": f"https://news.example/{n}", "source": "Gazette", "at": "07:30",
         "summary": "A sentence of a story that goes on for a while. " * 6}
        for n in range(20)
    ]  # fmt: skip
    with Session(engine) as session:
        session.add_all([NaiveReader(email=f"reader{n}@dest.example", name=f"Reader {n}") for n in range(count)])
        session.commit()
        started = time.process_time()
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
            for reader in session.exec(select(NaiveReader)).all():
                message = EmailMessage()
                message["From"], message["To"], message["Subject"] = SENDER, reader.email, "Your news"
                message.set_content("Please read the HTML part.\n" * 20)
                html = template.render(reader=reader, stories=stories, title="Your news")
                message.add_alternative(html, subtype="html")
                octets = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                signature = dkim.sign(octets, b"bench", b"news.example", pem)
                await smtp.sendmail(SENDER, [reader.email], signature + octets)
                reader.is_sent = True
                session.add(reader)
                session.commit()
        return (time.process_time() - started) / count


async def _aiosmtplib(port: int, count: int) -> float:
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="bench.example")
               for _ in range(CONNECTIONS)]  # fmt: skip
    await asyncio.gather(*(client.connect() for client in clients))
    await asyncio.gather(*(client.ehlo() for client in clients))
    numbers = iter(range(count))

    async def work(client: aiosmtplib.SMTP) -> None:
        for number in numbers:
            await client.sendmail(SENDER, [f"reader{number}@dest.example"], MESSAGE)

    started = time.process_time()
    await asyncio.gather(*map(work, clients))
    taken = time.process_time() - started
    await asyncio.gather(*(client.quit() for client in clients))
    return taken / count


def _child(words: Sequence[str], count: int) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / count, wall / count
