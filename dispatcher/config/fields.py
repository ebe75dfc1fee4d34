"""The kinds of value a setting can have: each checks what was written and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

from dispatcher.config import addresses, durations, networks, rates, texts, urls
from dispatcher.errors import CadenceError, QueryError

REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Checks:
    """How to tell whether a cadence or a query is valid: each raises CadenceError or QueryError if it is not."""

    cadence: Callable[[str], object]
    query: Callable[[str], object]


def refused(sentence: str) -> PydanticCustomError:
    """What a validator raises: `sentence` reaches the user as it is."""
    return PydanticCustomError(REFUSED, "{sentence}", {"sentence": sentence})


def at_least(shortest: str) -> AfterValidator:
    """A duration must not be shorter than this."""

    def check(value: timedelta) -> timedelta:
        if value < durations.parse(shortest):
            raise refused(f'"{durations.write(value)}" is too short; expected at least "{shortest}"')
        return value

    return AfterValidator(check)


def at_most(longest: str) -> AfterValidator:
    """A duration must not be longer than this."""

    def check(value: timedelta) -> timedelta:
        if value > durations.parse(longest):
            raise refused(f'"{durations.write(value)}" is too long; expected at most "{longest}"')
        return value

    return AfterValidator(check)


def _checked(check: Callable[[str], str]) -> AfterValidator:
    """Make a validator of a function that raises ValueError with a finished sentence."""

    def validate(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise refused(str(error)) from None

    return AfterValidator(validate)


def _or_blank(check: Callable[[str], str]) -> AfterValidator:
    return _checked(lambda text: check(text) if text else "")


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return durations.parse(value)
    except ValueError as error:
        raise refused(str(error)) from None


def _cadence(text: str, info: ValidationInfo) -> str:
    """Checked by the parser that `load` was given; without one, as when tests build settings, taken as it is."""
    try:
        if isinstance(info.context, Checks):
            info.context.cadence(text)
    except CadenceError as error:
        raise refused(str(error)) from None
    return text


def _query(text: str, info: ValidationInfo) -> str:
    try:
        if isinstance(info.context, Checks):
            info.context.query(text)
    except QueryError as error:
        raise refused(f'"{_shortened(text)}": {error}') from None
    return text


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else one_line[:59] + "…"


def _secret_url(secret: SecretStr) -> SecretStr:
    try:
        return SecretStr(urls.database_url(secret.get_secret_value().strip()))
    except ValueError as error:
        raise refused(str(error)) from None


Line = Annotated[str, _checked(texts.line)]
FilledLine = Annotated[str, _checked(texts.filled_line)]
Paragraph = Annotated[str, _checked(texts.paragraph)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Zone = Annotated[str, _checked(texts.zone)]
ZoneOrBlank = Annotated[str, _or_blank(texts.zone)]
Language = Annotated[str, _checked(texts.locale)]
LanguageOrBlank = Annotated[str, _or_blank(texts.locale)]
Slug = Annotated[str, _checked(texts.slug)]
Selector = Annotated[str, _checked(texts.selector)]
DomainPattern = Annotated[str, _checked(addresses.domain_pattern)]
SenderPattern = Annotated[str, _checked(addresses.sender_pattern)]
MailDomainOrBlank = Annotated[str, _or_blank(addresses.mail_domain)]
RateOrBlank = Annotated[str, _checked(rates.check)]
DayOrBlank = Annotated[str, _or_blank(texts.day)]
Destination = Annotated[str, _checked(addresses.destination)]
Host = Annotated[str, _checked(texts.host)]
ListenAddress = Annotated[str, _or_blank(networks.listen)]
Network = Annotated[str, _checked(networks.network)]
HeaderText = Annotated[str, _checked(texts.header_text)]
CadenceText = Annotated[str, AfterValidator(_cadence)]
CadenceOrBlank = Annotated[str, AfterValidator(lambda text, info: _cadence(text, info) if text else "")]
QueryText = Annotated[str, AfterValidator(_query)]
MailboxText = Annotated[str, _checked(lambda text: str(addresses.mailbox(texts.line(text))))]
MailboxOrBlank = Annotated[str, _or_blank(lambda text: str(addresses.mailbox(texts.line(text))))]
EmailOrBlank = Annotated[str, _or_blank(lambda text: addresses.email(texts.line(text)))]
ReaderEmail = Annotated[str, _checked(lambda text: addresses.reader_email(texts.line(text)))]
BounceAddressOrBlank = Annotated[str, _or_blank(lambda text: addresses.bounce_address(texts.line(text)))]
ListIdOrBlank = Annotated[str, _or_blank(addresses.list_id)]
WebUrl = Annotated[str, _checked(lambda text: urls.web_url(texts.filled_line(text)))]
WebUrlOrBlank = Annotated[str, _or_blank(lambda text: urls.web_url(texts.line(text)))]
SourceUrl = Annotated[str, _checked(lambda text: urls.source_url(texts.filled_line(text)))]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_secret_url)]

type_of_list = Strict(False)  # TOML lists become tuples, which strict validation would refuse
