"""What can be set: one frozen model per section of `config/dispatcher.toml`, its defaults being that file's.

Field names are the file's keys, but for `mail.sender`, whose key is `from`. Everything was checked when it was loaded;
settings built by hand, as in tests, are checked for form too, cadences and queries excepted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, SecretStr

import dispatcher
from dispatcher.config import addresses, urls
from dispatcher.config.archive import ArchiveSettings
from dispatcher.config.digests import DigestSettings, StyleSettings
from dispatcher.config.fields import (
    BounceAddressOrBlank,
    CadenceOrBlank,
    CadenceText,
    DatabaseUrl,
    Duration,
    FilledLine,
    HeaderText,
    Language,
    LanguageOrBlank,
    Line,
    ListenAddress,
    ListIdOrBlank,
    MailboxOrBlank,
    MailboxText,
    Network,
    Paragraph,
    QueryText,
    ReaderEmail,
    Slug,
    SourceUrl,
    WebUrl,
    WebUrlOrBlank,
    Zone,
    ZoneOrBlank,
    at_least,
    type_of_list,
)
from dispatcher.config.letters import LettersSettings, PreheadersSettings, SubjectsSettings
from dispatcher.config.look import ThemeSettings
from dispatcher.config.newsletters import NewsletterEntry
from dispatcher.config.section import Section
from dispatcher.config.sending import (
    AlertsSettings,
    DkimSettings,
    LimitSettings,
    RelaySettings,
    SafetySettings,
    SendSettings,
)

WebhookEvent = Literal["subscribed", "confirmed", "unsubscribed", "sent", "failed", "bounced"]


class SiteSettings(Section):
    """[site]: who publishes, and what readers get who choose no language and no zone."""

    name: FilledLine = "My Newsletter"
    url: WebUrlOrBlank = ""
    language: Language = "en"
    timezone: Zone = "UTC"
    postal_address: Paragraph = ""
    secret: SecretStr = SecretStr("")
    secret_file: Line = ""


class DatabaseSettings(Section):
    """[database]: where everything is kept. The URL is a secret: it may hold a password."""

    url: DatabaseUrl = SecretStr("sqlite:///subscribers.db")
    password_file: Line = ""


class MailSettings(Section):
    """[mail]: what stands in the head of every mail."""

    sender: MailboxText = Field("Newsletter <newsletter@localhost>", alias="from")
    reply_to: MailboxOrBlank = ""
    list_id: ListIdOrBlank = ""
    bounce_address: BounceAddressOrBlank = ""

    @property
    def sender_name(self) -> str:
        """The display name of the sender, perhaps empty."""
        return addresses.mailbox(self.sender).name

    @property
    def sender_address(self) -> str:
        """The bare address of the sender."""
        return addresses.mailbox(self.sender).address

    @property
    def list_label(self) -> str:
        """`list_id`, or one derived from the sender, so that it is as stable as the sender (RFC 2919 §2)."""
        return self.list_id or addresses.derived_list_id(addresses.mailbox(self.sender))


class SourceEntry(Section):
    """[[sources]]: a feed or folder that the operator wants read."""

    name: FilledLine
    url: SourceUrl
    poll_every: Annotated[Duration, at_least("10s")] = timedelta(minutes=15)
    tags: Annotated[tuple[FilledLine, ...], type_of_list] = ()
    priority: int = Field(5, ge=1, le=10)
    allow_private: bool = False


class TopicEntry(Section):
    """[[topics]]: a topic that the publisher offers."""

    slug: Slug
    name: Line = ""
    query: QueryText
    description: Paragraph = ""
    language: LanguageOrBlank = ""
    public: bool = True
    digest: StyleSettings = StyleSettings()


class Follow(Section):
    """A topic that a subscriber follows, at the subscriber's cadence if none is given."""

    topic: FilledLine
    cadence: CadenceOrBlank = ""


def _follow(value: Any) -> Any:
    return {"topic": value} if isinstance(value, str) else value


class SubscriberEntry(Section):
    """[[subscribers]]: a person whom the operator vouches for."""

    email: ReaderEmail
    name: Line = ""
    timezone: ZoneOrBlank = ""
    locale: LanguageOrBlank = ""
    cadence: CadenceText = "daily at 07:30"
    topics: Annotated[tuple[Annotated[Follow, BeforeValidator(_follow)], ...], type_of_list] = ()


class ScheduleSettings(Section):
    """[schedule]: when digests are made."""

    first_digest: Literal["period", "nothing"] = "period"
    send_spread: Duration = timedelta(0)


class IngestSettings(Section):
    """[ingest]: how sources are read."""

    concurrency: int = Field(8, ge=1, le=1000)
    backfill: Duration = timedelta(days=7)
    index_file: str = ""
    user_agent: HeaderText = ""


class TemplatesSettings(Section):
    """[templates]: where the operator's own templates are."""

    folder: FilledLine = "templates"


class WebSettings(Section):
    """[web]: the readers' pages, the API and the admin pages."""

    listen: ListenAddress = "127.0.0.1:8080"
    url: WebUrlOrBlank = ""
    trusted_proxies: Annotated[tuple[Network, ...], type_of_list] = ()
    requests_per_minute: int = Field(300, ge=1, le=1_000_000)

    @property
    def public_url(self) -> str:
        """Where links in mails start, without a slash at its end; empty: mails carry no links to our pages."""
        return self.url.rstrip("/")


class SubscribeSettings(Section):
    """[subscribe]: how strangers become readers."""

    open: bool = True
    own_topics: int = Field(10, ge=0, le=1000)
    confirm_within: Annotated[Duration, at_least("1h")] = timedelta(days=7)
    per_network: int = Field(20, ge=1, le=1_000_000)
    per_hour: int = Field(1000, ge=1, le=1_000_000)
    min_time: Duration = timedelta(seconds=2)
    consent: Paragraph = ""
    privacy_url: WebUrlOrBlank = ""
    disposable_domains_file: Line = ""


class WebhookSettings(Section):
    """[[webhooks]]: a program that is told what happens."""

    name: FilledLine
    url: WebUrl
    secret: SecretStr = SecretStr("")
    secret_file: Line = ""
    events: Annotated[tuple[WebhookEvent, ...], type_of_list] = ()
    allow_private: bool = False


class LogSettings(Section):
    """[log]: how much is told, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class RetentionSettings(Section):
    """[retention]: how long things are kept. What a reader has had is read from deliveries, hence their minimum."""

    articles: Annotated[Duration, at_least("1d")] = timedelta(days=90)
    deliveries: Annotated[Duration, at_least("70d")] = timedelta(days=90)
    attempts: Annotated[Duration, at_least("1d")] = timedelta(days=90)
    unconfirmed: Annotated[Duration, at_least("7d")] = timedelta(days=30)
    networks: Annotated[Duration, at_least("1d")] = timedelta(days=30)
    audit: Annotated[Duration, at_least("1d")] = timedelta(days=730)


class Document(Section):
    """Everything that the file, and the files it includes, may say."""

    include: Annotated[tuple[FilledLine, ...], type_of_list] = ()
    site: SiteSettings = SiteSettings()
    database: DatabaseSettings = DatabaseSettings()
    mail: MailSettings = MailSettings()
    smtp: Annotated[tuple[RelaySettings, ...], type_of_list] = (RelaySettings(),)
    dkim: Annotated[tuple[DkimSettings, ...], type_of_list] = ()
    sources: Annotated[tuple[SourceEntry, ...], type_of_list] = ()
    topics: Annotated[tuple[TopicEntry, ...], type_of_list] = ()
    newsletters: Annotated[tuple[NewsletterEntry, ...], type_of_list] = ()
    subscribers: Annotated[tuple[SubscriberEntry, ...], type_of_list] = ()
    schedule: ScheduleSettings = ScheduleSettings()
    digest: DigestSettings = DigestSettings()
    theme: ThemeSettings = ThemeSettings()
    subjects: SubjectsSettings = SubjectsSettings()
    preheaders: PreheadersSettings = PreheadersSettings()
    letters: LettersSettings = LettersSettings()
    send: SendSettings = SendSettings()
    limits: Annotated[tuple[LimitSettings, ...], type_of_list] = ()
    safety: SafetySettings = SafetySettings()
    alerts: AlertsSettings = AlertsSettings()
    ingest: IngestSettings = IngestSettings()
    templates: TemplatesSettings = TemplatesSettings()
    web: WebSettings = WebSettings()
    subscribe: SubscribeSettings = SubscribeSettings()
    archive: ArchiveSettings = ArchiveSettings()
    webhooks: Annotated[tuple[WebhookSettings, ...], type_of_list] = ()
    log: LogSettings = LogSettings()
    retention: RetentionSettings = RetentionSettings()


class Settings(Document):
    """The settings in force: what was written, where it was written, and what follows from it.

    `file` is the file they were read from, if any; `base` the folder that relative paths are relative to; `origins`
    says of each key that was set, such as "smtp[0].port", which file or environment variable set it.
    """

    file: Path | None = None
    base: Path = Field(default_factory=Path.cwd)
    origins: Mapping[str, str] = Field(default_factory=dict, repr=False)

    def resolve(self, path_text: str) -> Path:
        """The absolute path that `path_text` names; "~" is understood."""
        return Path(os.path.normpath(self.base / os.path.expanduser(path_text)))

    @property
    def database_url(self) -> str:
        """An asynchronous SQLAlchemy URL, an SQLite path in it being absolute. It may hold a password."""
        url = self.database.url.get_secret_value()
        if urls.is_postgresql(url):
            return urls.postgresql_driver_url(url)
        return f"sqlite+aiosqlite:///{self.resolve(urls.sqlite_path(url))}"

    @property
    def user_agent(self) -> str:
        """How we introduce ourselves to the servers we read from."""
        about = f" (+{quote(self.site.url, safe=':/?#[]@!$&*+,;=%~')})" if self.site.url else ""
        return self.ingest.user_agent or f"dispatcher/{dispatcher.__version__}{about}"
