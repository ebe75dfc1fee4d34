"""Whom a refusal blames, as a table: enhanced codes (RFC 3463, 5248, 7372, 7505) and the big providers' own words.

The first rule that fits wins. A rule fits by its codes, by its words, or by both together; `5.7.*` is every 5.7 code.
`docs/reference/outcomes.md` shows the same table to operators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dispatcher.model.values import Blame


@dataclass(frozen=True, slots=True)
class Rule:
    """If an enhanced code matches one of `codes` and the text holds `words`, `blame` is who it is about."""

    blame: Blame
    codes: tuple[str, ...] = ("*",)
    words: re.Pattern[str] | None = None

    def fits(self, enhanced: str, text: str) -> bool:
        """Whether this rule speaks about such a reply; `enhanced` is empty when the server gave none."""
        return any(fnmatchcase(enhanced, code) for code in self.codes) and (
            self.words is None or self.words.search(text) is not None
        )


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


EXCEPTIONS = (
    # Gmail says 5.2.1 of a closed account and of one that merely receives too fast.
    Rule(Blame.ADDRESS_SOFT, ("5.2.1",), _words(r"receiving mail (at a rate|too quickly)", r"rate limit")),
    # Our own relay does not know us: the operator's matter, and no reason to lose a single message.
    Rule(Blame.RELAY, words=_words(r"relay(ing)? (access )?(is )?(denied|prohibited|not (permitted|allowed))")),
    Rule(Blame.RELAY, words=_words(r"(unable|not (permitted|allowed|authori[sz]ed)) to relay", r"we do not relay")),
    # Postfix says this, whoever the recipient is, to a client that it does not relay for.
    Rule(Blame.RELAY, ("5.7.1",), _words(r"recipient address rejected: access denied")),
    # Microsoft's edge refuses unknown recipients as "access denied", and other things too: a strike, not a verdict.
    Rule(Blame.ADDRESS_SOFT, ("5.4.1",), _words(r"recipient address rejected: access denied")),
    # OpenSMTPD says this where it has no rule for the recipient, be it unknown or ours not to relay to.
    Rule(Blame.ADDRESS_SOFT, ("",), _words(r"^invalid recipient: ")),
)

BY_CODE = (
    Rule(Blame.ADDRESS, ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")),
    Rule(Blame.MESSAGE, ("5.1.7", "5.1.8", "5.1.9", "4.1.7", "4.1.8")),  # about the sender's address
    Rule(Blame.ADDRESS_SOFT, ("5.2.2", "5.2.4", "5.1.4", "5.4.4", "4.1.*", "4.2.1", "4.2.2")),
    Rule(Blame.MESSAGE, ("5.7.*", "4.7.*", "5.6.*", "4.6.*", "5.2.3", "5.3.*", "4.3.4")),
    Rule(Blame.MESSAGE, ("5.4.6", "5.4.14", "5.5.1", "5.5.2", "5.5.4", "5.5.5", "5.5.6")),
)

BY_WORDS = (
    # Reputation and content first: "user unknown" may stand in a spam verdict, never the other way round.
    Rule(
        Blame.MESSAGE,
        words=_words(
            r"\bspam\b|\bspammy\b|unsolicited|\bjunk\b",
            r"block ?list|black ?list|blocked (using|by|for)|\b(spamhaus|barracuda|proofpoint|spamcop)\b|\bs\d{4}\b",
            r"\b(spf|dkim|dmarc|arc)\b|unauthenticated|reverse dns|\bptr\b",
            r"\bsender\b.{0,40}(rejected|denied|blocked|invalid|unknown|not )",
            r"(client|helo|host)\b.{0,30}(rejected|denied)",
            r"polic(y|ies)|reputation|content (rejected|filter)|message (content )?(was )?rejected",
            r"virus|malware|phish",
            r"too (big|large)|exceeds? .{0,40}size|size (limit )?exceed",
        ),
    ),
    Rule(
        Blame.ADDRESS_SOFT,
        words=_words(
            r"over ?quota|quota (is )?exceeded|exceeded .{0,30}quota|(mailbox|user|account).{0,40}out of storage",
            r"(mailbox|inbox|account|user).{0,30}\bfull\b|\bfull\b.{0,20}mailbox",
            r"(mailbox|account|user).{0,40}(temporarily|suspended)|temporarily (disabled|suspended|inactive)",
        ),
    ),
    Rule(
        Blame.ADDRESS,
        words=_words(
            r"(user|recipient|mailbox|address|account) (is |was )?(unknown|not known|not found|invalid|no longer)",
            r"(unknown|invalid|no such|non-?existent) (local )?(user|recipient|mailbox|address|account|destination)",
            r"(user|recipient|mailbox|address|account)\b.{0,60}\b(does ?n.t|does not|did not|do not|don.t) exist",
            r"user does ?n.t have an? .{1,40} account|delivery error: dd",  # Yahoo, AOL
            r"(no|not a (valid|known)) (mailbox|user|recipient)( here| by that name)?\b|not our customer",
            r"(account|mailbox|user) (that you tried to reach |has been |is |was )*(disabled|deactivated|closed)",
            r"domain (does not accept mail|not found|does ?n.t exist)|null mx",
        ),
    ),
)
"""The text table for replies whose enhanced code is missing or says nothing, such as 5.0.0 or 5.5.0."""
