"""Settings put together: defaults, then the file and what it includes, then the environment, then files of secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from dispatcher.config import complaints, entries, environment, files, secrets
from dispatcher.config.draft import ENVIRONMENT, Draft
from dispatcher.config.fields import Checks
from dispatcher.config.newsletters import NewsletterEntry
from dispatcher.config.schema import written
from dispatcher.config.settings import Document, Settings, SubscriberEntry, TopicEntry
from dispatcher.errors import ConfigError


def load(
    path: Path | None = None, *, env: Mapping[str, str] = os.environ, cwd: Path | None = None, checks: Checks
) -> Settings:
    """The settings in force, from the file `files.find` finds. ConfigError, with every problem, if any is wrong."""
    here = Path(os.path.abspath(cwd or Path.cwd()))
    file = files.find(path, here, env)
    base = files.base_of(file) if file else here
    draft = files.read(file, here) if file else Draft(ENVIRONMENT)
    environment.apply(draft, env)
    secrets.apply(draft, base)
    entries.check(draft)
    document = _validated(draft, checks)
    sections = {name: getattr(document, name) for name in Document.model_fields}
    return Settings(**sections, file=file, base=base, origins=_origins(draft))


def _validated(draft: Draft, checks: Checks) -> Document:
    document = None
    try:
        document = Document.model_validate(draft.tree, by_alias=True, by_name=False, context=checks)
    except ValidationError as error:
        complaints.note(draft, error)
    problems = draft.problems()
    if document is None or problems:
        raise ConfigError(problems)
    return _with_blanks_filled(document)


def _with_blanks_filled(document: Document) -> Document:
    """What entries leave to the site, and the names of topics that have only a slug."""
    site = document.site

    def topic(entry: TopicEntry) -> TopicEntry:
        name = entry.name or entry.slug.replace("-", " ").capitalize()
        return entry.model_copy(update={"name": name, "language": entry.language or site.language})

    def newsletter(entry: NewsletterEntry) -> NewsletterEntry:
        return entry.model_copy(update={"name": entry.name or entry.slug.replace("-", " ").capitalize()})

    def subscriber(entry: SubscriberEntry) -> SubscriberEntry:
        zone, locale = entry.timezone or site.timezone, entry.locale or site.language
        return entry.model_copy(update={"timezone": zone, "locale": locale})

    filled = {
        "topics": tuple(map(topic, document.topics)),
        "newsletters": tuple(map(newsletter, document.newsletters)),
        "subscribers": tuple(map(subscriber, document.subscribers)),
    }
    return document.model_copy(update=filled)


def _origins(draft: Draft) -> dict[str, str]:
    """Which file or variable each key was set by."""
    places = {keys: draft.place(keys) for keys in draft.walk() if keys}
    return {written(keys): place.key if place.file == ENVIRONMENT else place.file for keys, place in places.items()}
