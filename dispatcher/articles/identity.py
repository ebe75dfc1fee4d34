"""What makes an article the same article: its canonical link, and a hash of what it shows."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from dispatcher.model.content import Article

MAX_URL = 2000  # PostgreSQL refuses index entries beyond about 2,700 bytes

# Only names that nobody uses to tell articles apart: a wrong one here would merge different articles.
_TRACKING_PREFIXES = ("utm_", "mtm_", "hsa_", "_hs")
_TRACKING = frozenset(
    """fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid ysclid twclid ttclid igshid igsh mc_cid mc_eid mkt_tok epik
    li_fat_id s_cid cmpid ns_campaign ns_mchannel ns_source ns_linkname xtor ref_src at_medium at_campaign pk_campaign
    pk_kwd pk_source pk_medium vero_id vero_conv oly_anon_id oly_enc_id""".split()  # noqa: SIM905
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOME = re.compile(r"/?(?:index\.\w{3,5}|home|[a-z]{2}(?:-[a-z]{2})?/?)?", re.IGNORECASE)
_HOST = re.compile(r"[^\s<>\"'\\^`{|}/?#@%\x00-\x20]+")


def canonical_url(url: str, base: str = "") -> str:
    """The one form of a link to an article: absolute, without fragment and tracking; "" if it is no http(s) link.

    The case of the path and the order of the parameters stay: servers may tell them apart.
    """
    parts = _split(url, base)
    if parts is None:
        return ""
    kept = [pair for pair in parts.query.split("&") if pair and not _is_tracking(pair)]
    return _assembled(parts._replace(query="&".join(kept), fragment=""))


def absolute_url(url: str, base: str = "") -> str:
    """The link made absolute and otherwise left alone; "" if it is not http(s), or names a user or no host."""
    parts = _split(url, base)
    if parts is None:
        return ""
    return _assembled(parts)


def is_shareable(url: str) -> bool:
    """Whether a canonical link identifies one article wherever it turns up: not "" and no bare home page."""
    if not url:
        return False
    parts = urlsplit(url)
    return bool(parts.query) or _HOME.fullmatch(parts.path) is None


def content_hash(article: Article) -> str:
    """SHA-256 over what a reader sees of an article. Dates are left out: one that is missing differs at every poll."""
    shown = [
        article.title,
        article.url,
        article.summary,
        article.body_html,
        article.body_text,
        list(article.authors),
        list(article.tags),
        article.image_url,
        article.language,
    ]
    return sha256(json.dumps(shown).encode()).hexdigest()


def _split(url: str, base: str) -> SplitResult | None:
    """An http(s) link with a host, resolved against `base`, its scheme in lower case; else None."""
    cleaned = re.sub(r"[\t\r\n]", "", url.encode("utf-8", "replace").decode()).strip()
    if not cleaned or any(ord(character) < 32 for character in cleaned):
        return None
    try:
        parts = urlsplit(urljoin(base, cleaned) if base else cleaned)
        is_usable = parts.scheme in _DEFAULT_PORTS and parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        return None
    return parts if is_usable else None


def _assembled(parts: SplitResult) -> str:
    """The parts put together again in normal form; "" if that is too long to be kept."""
    path = _quoted(parts.path, "/:@!$&'()*+,;=~") or "/"
    query, fragment = (_quoted(text, "/:@!$&'()*+,;=~?") for text in (parts.query, parts.fragment))
    link = parts._replace(netloc=_authority(parts), path=path, query=query, fragment=fragment).geturl()
    return link if len(link) <= MAX_URL else ""


def _authority(parts: SplitResult) -> str:
    """Host in lower case, port only where it is not the default; user names never belong into a mail."""
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{parts.port}"


def _quoted(text: str, safe: str) -> str:
    """Percent-encoded where it must be, with what is encoded already left so, in upper case (RFC 3986 §6.2.2.1)."""
    text = re.sub(r"%(?![0-9a-fA-F]{2})", "%25", text)
    return re.sub(r"%[0-9a-f]{2}", lambda found: found[0].upper(), quote(text, safe=safe + "%"), flags=re.IGNORECASE)


def _is_tracking(pair: str) -> bool:
    name = pair.partition("=")[0].lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)
