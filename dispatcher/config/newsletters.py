"""[[newsletters]]: publications beside the one that `[site]` and `[mail]` make, each with a look and readers.

A topic belongs to one newsletter: to the one that names it, or else to the default one. A newsletter without topics is
written by people, and readers follow the newsletter itself, under its slug.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.config.digests import StyleSettings
from dispatcher.config.fields import (
    BounceAddressOrBlank,
    FilledLine,
    LanguageOrBlank,
    Line,
    ListIdOrBlank,
    MailboxOrBlank,
    Paragraph,
    Slug,
    WebUrlOrBlank,
    type_of_list,
)
from dispatcher.config.look import ThemeSettings
from dispatcher.config.section import Section

DEFAULT = "default"
"""The slug of the newsletter that `[site]` and `[mail]` make."""


class NewsletterEntry(Section):
    """[[newsletters]]: one more publication. What is left empty is as in `[site]` and `[mail]`."""

    slug: Slug
    name: Line = ""
    description: Paragraph = ""
    sender: MailboxOrBlank = Field("", alias="from")
    reply_to: MailboxOrBlank = ""
    list_id: ListIdOrBlank = ""
    bounce_address: BounceAddressOrBlank = ""
    url: WebUrlOrBlank = ""
    language: LanguageOrBlank = ""
    postal_address: Paragraph = ""
    theme: ThemeSettings = ThemeSettings()
    digest: StyleSettings = StyleSettings()
    topics: Annotated[tuple[FilledLine, ...], type_of_list] = ()
