"""The keys that `[[dkim]]` names, read from their files, or all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dispatcher.config import Settings
from dispatcher.config.addresses import mailbox
from dispatcher.config.sending import DkimSettings
from dispatcher.delivery.signing_key import RSA_BITS, SigningKey, load_key
from dispatcher.digest.addresses import a_labels
from dispatcher.errors import ConfigError, Problem, TransportError
from dispatcher.observability.logs import logger

log = logger("dkim")

Entry = tuple[SigningKey, DkimSettings]


def keys_of(settings: Settings) -> list[Entry]:
    """Every key with its entry. ConfigError names everything that is wrong with any of them."""
    problems: list[Problem] = []
    keys = [_load(settings, number, problems) for number in range(len(settings.dkim))]
    problems += _misfits(settings, keys)
    if problems:
        raise ConfigError(problems)
    return [(key, entry) for key, entry in zip(keys, settings.dkim, strict=True) if key]


def domain_of(settings: Settings, entry: DkimSettings) -> str:
    """The d= of a key: what its entry says, else the sender's domain, in A-labels."""
    return entry.domain or sender_domain(settings)


def sender_domain(settings: Settings) -> str:
    """The domain of `[mail] from`, in A-labels."""
    return a_labels(settings.mail.sender_address.rpartition("@")[2]).lower()


def sender_domains(settings: Settings) -> list[str]:
    """The domains that newsletters are sent from, the one of `[mail]` first, in A-labels."""
    own = [mailbox(entry.sender).address.rpartition("@")[2] for entry in settings.newsletters if entry.sender]
    return list(dict.fromkeys([sender_domain(settings), *(a_labels(domain).lower() for domain in own)]))


def is_aligned(domain: str, sender_domain: str) -> bool:
    """Whether a signature of `domain` speaks for a sender (D2): the same domain, or one above or below it.

    Two neighbours under one roof would do for DMARC as well, but where the roof is, only the DNS knows. RFC 9989
    """
    mine, theirs = domain.lower(), sender_domain.lower()
    above = "." in mine and theirs.endswith(f".{mine}")
    return mine == theirs or above or ("." in theirs and mine.endswith(f".{theirs}"))


def _load(settings: Settings, number: int, problems: list[Problem]) -> SigningKey | None:
    """One key from its file; what is wrong with it is added to the problems."""
    entry = settings.dkim[number]
    file = settings.resolve(entry.key_file)
    try:
        key = load_key(file.read_bytes(), domain_of(settings, entry), entry.selector)
        if file.stat().st_mode & 0o004:
            log.warning("a DKIM key can be read by everybody on this machine; chmod 600 mends that", file=str(file))
    except OSError as error:
        reason = "there is no such file; `dispatcher dkim keygen` makes keys"
        words = reason if isinstance(error, FileNotFoundError) else f"cannot be read: {(error.strerror or '').lower()}"
        problems.append(_problem(settings, f"dkim[{number}].key_file", f'"{file}": {words}'))
        return None
    except TransportError as error:
        problems.append(_problem(settings, f"dkim[{number}].key_file", f'"{file}": {error}'))
        return None
    if entry.active and not key.is_ed25519 and key.bits < RSA_BITS:
        log.warning("a DKIM key is shorter than it should be", file=str(file), bits=key.bits, expected=RSA_BITS)
    return key


def _misfits(settings: Settings, keys: Sequence[SigningKey | None]) -> Iterator[Problem]:
    """Entries that are well formed and yet of no use."""
    entries = list(zip(settings.dkim, keys, strict=True))
    with_rsa = {key.domain for entry, key in entries if key and entry.active and not key.is_ed25519}
    names: set[tuple[str, str]] = set()
    for number, (entry, key) in enumerate(entries):
        name = (domain_of(settings, entry), entry.selector)
        if name in names:
            yield _problem(settings, f"dkim[{number}].selector", _TWICE.format(*name))
        names.add(name)
        if entry.active and not any(is_aligned(name[0], domain) for domain in sender_domains(settings)):
            senders = '" or "'.join(sender_domains(settings))
            yield _problem(settings, f"dkim[{number}].domain", _STRANGER.format(name[0], senders))
        if key and entry.active and key.is_ed25519 and name[0] not in with_rsa:
            yield _problem(settings, f"dkim[{number}].key_file", _ALONE.format(name[0]))


_TWICE = '"{1}" stands twice for {0}; every key has a selector of its own'
_STRANGER = (
    '"{}" does not speak for the sender\'s domain "{}" (DMARC); expected that one, or one above or below it; '
    "if this key signed for an earlier sender, say active = false"
)
_ALONE = (
    "is an Ed25519 key, and {} has no RSA key beside it; many receivers know only RSA, so make one: "
    "`dispatcher dkim keygen --rsa-only`"
)


def _problem(settings: Settings, key: str, sentence: str) -> Problem:
    """A mistake, with the file or variable where it was made."""
    return Problem(settings.origins.get(key, str(settings.file or "the configuration")), key, sentence)
