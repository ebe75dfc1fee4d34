"""The demo's readers and the configuration they stand in: invented people with tastes, hours, zones and languages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dispatcher.demo.articles import PAPER
from dispatcher.demo.feed import TWINS
from dispatcher.demo.pages import Account

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # not strftime's, which speaks the machine's language


@dataclass(frozen=True, slots=True)
class SampleReader:
    """One invented reader. `cadence` holds for all topics but those in `instant`.

    It may name the moment at which the demo's digests are due, in the reader's zone: {time}, {day}, {hour}, {minute}.
    """

    email: str
    name: str
    timezone: str
    locale: str
    cadence: str
    topics: tuple[str, ...]
    instant: tuple[str, ...]

    def cadence_at(self, soon: datetime) -> str:
        """The cadence with its moment filled in."""
        local = soon.astimezone(ZoneInfo(self.timezone))
        day = DAYS[local.weekday()]
        return self.cadence.format(time=f"{local:%H:%M}", day=day, hour=local.hour, minute=local.minute)

    def account(self, soon: datetime) -> Account:
        """How the inbox lists the reader."""
        wishes = [f"{self.cadence_at(soon)}, {self.timezone}: {_names(self.topics)}"]
        wishes += [f"instant: {_names(self.instant)}"] if self.instant else []
        return Account(self.email, self.name, "; ".join(wishes))


TOPICS = {
    "everything": ("Everything", "*", "en"),
    "energy": ("Energy and bills", "energy OR electricity OR tariff* OR tag:energy", "en"),
    "transport": ("Getting around", "tag:transport OR tram OR ferry OR train*", "en"),
    "culture": ("Stage, page and screen", "tag:culture NOT tag:food", "en"),
    "science": ("Science", "tag:science OR title:telescope", "en"),
    "football": ("Football", '"larkmere rovers" OR tag:football OR tag:fútbol', "en"),
    "stadtleben": ("Stadtleben", "lang:de", "de"),
    "ville": ("La ville", "lang:fr", "fr"),
    "ciudad": ("La ciudad", "lang:es", "es"),
}


def _reader(
    name: str, timezone: str, locale: str, cadence: str, *topics: str, instant: tuple[str, ...] = ()
) -> SampleReader:
    mailbox = name.split()[0].lower().replace("é", "e")
    return SampleReader(f"{mailbox}@reader.example", name, timezone, locale, cadence, topics, instant)


READERS = (
    _reader("Ada Quill", "Europe/London", "en", "daily at {time}", "energy", "culture", instant=("transport",)),
    _reader("Bruno Adler", "Europe/Berlin", "de", "cron {minute} {hour} * * *", "stadtleben", "science"),
    _reader("Céline Roche", "Europe/Paris", "fr", "weekly on {day} at {time}", "ville", "culture"),
    _reader("Diego Luz", "America/Bogota", "es", "daily at {time}", "ciudad", "football"),
    _reader("Emi Tanaka", "Asia/Tokyo", "en", "instant", "everything"),
    _reader("Finn Okafor", "Africa/Lagos", "en", "instant", "energy", "culture"),
    _reader("Grace Wiremu", "Pacific/Auckland", "en", "daily at {time}", "everything"),
)


def write_config(folder: Path, *, press_url: str, smtp_port: int, soon: datetime, pages: str = "") -> Path:
    """Write the demo's configuration as an operator would; returns the file. `pages` is where they are served."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / "notes").mkdir(exist_ok=True)
    text = f"""# Written by `dispatcher demo`: the configuration of an invented paper.
[site]
name = "{PAPER}"
url = "{press_url}"
timezone = "Europe/London"
postal_address = "4 Cooper Street, Larkmere"

[mail]
from = "{PAPER} <lantern@larkmere.example>"

[[smtp]]
host = "127.0.0.1"
port = {smtp_port}

[web]
listen = "{pages}"
url = "{f"http://{pages}" if pages else ""}"

[[sources]]
name = "{PAPER}"
url = "{press_url}/feed.xml"
poll_every = "10s"
allow_private = true  # the feed is served on this machine

[[sources]]
name = "{TWINS}"
url = "{press_url}/twins.json"
poll_every = "10s"
allow_private = true

[[sources]]
name = "Desk notes"
url = "notes"
poll_every = "10s"

{_topics()}{_readers(soon)}"""
    file = folder / "config" / "dispatcher.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _topics() -> str:
    return "".join(
        f'[[topics]]\nslug = "{slug}"\nname = "{name}"\nquery = \'{query}\'\nlanguage = "{language}"\n\n'
        for slug, (name, query, language) in TOPICS.items()
    )


def _readers(soon: datetime) -> str:
    return "".join(
        f'[[subscribers]]\nemail = "{reader.email}"\nname = "{reader.name}"\ntimezone = "{reader.timezone}"\n'
        f'locale = "{reader.locale}"\ncadence = "{reader.cadence_at(soon)}"\ntopics = [{_followed(reader)}]\n\n'
        for reader in READERS
    )


def _followed(reader: SampleReader) -> str:
    plain = [f'"{slug}"' for slug in reader.topics]
    at_once = [f'{{ topic = "{slug}", cadence = "instant" }}' for slug in reader.instant]
    return ", ".join(plain + at_once)


def _names(slugs: tuple[str, ...]) -> str:
    return ", ".join(TOPICS[slug][0] for slug in slugs)


def next_slot(now: datetime, *, ahead: timedelta) -> datetime:
    """The first full minute that is at least so far ahead."""
    return (now + ahead + timedelta(minutes=1, microseconds=-1)).replace(second=0, microsecond=0)
