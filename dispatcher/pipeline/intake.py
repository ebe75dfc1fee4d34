"""Many people at once, each treated as `admission` would treat them alone.

applicants ─▶ looked up ─┬▶ new: enrolled by the thousand       (of whom nobody has heard, nobody has chosen anything)
                         ├▶ as they are: nothing is written, and nobody has to wait for us
                         └▶ changed: admitted one by one        (a reader's own choices stand)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from dispatcher.model.consent import Consent
from dispatcher.model.content import Topic
from dispatcher.model.values import ConsentKind, Origin, SubscriberStatus
from dispatcher.observability.logs import logger
from dispatcher.pipeline.admission import VOUCHED, Known, NotAdmittedError, admit, is_settled, look_up, vouch
from dispatcher.pipeline.applicants import Applicant, Proof, Refusal
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.enrolment import Newcomer, enrol_many
from dispatcher.pipeline.quarantine import apart
from dispatcher.schedule import cadence as cadences
from dispatcher.store import Transaction, bulk, consents, subscribers, suppressions
from dispatcher.store.keys import address_hash

log = logger("roster")

CAREFUL = 50  # people who are there already, in one transaction: as long as some thousand new ones
STRANGER = Known(None, {}, None)
_PROOF = ("address_hash", "address", "topics", "source", "ip", "at")


@dataclass(slots=True)
class TakenIn:
    """What became of the rows of a sheet."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0


@dataclass(slots=True)
class Desk:
    """Where one batch is worked on. What becomes of each applicant is counted in `done`, or added to `refused`."""

    ctx: Context
    slugs: Mapping[str, Topic]
    now: datetime
    done: TakenIn
    refused: list[Refusal]
    changed: list[Applicant] = field(default_factory=list)

    async def take(self, batch: Sequence[Applicant]) -> None:
        """Look everybody up, and write what has to be written."""
        new = await self._sort(batch)
        await apart(new, self._enrol, self._set_aside)
        for start in range(0, len(self.changed), CAREFUL):
            await apart(self.changed[start : start + CAREFUL], self._admit, self._set_aside)

    async def _sort(self, batch: Sequence[Applicant]) -> list[Applicant]:
        """Those who are new; those with whom something else has to be done are `changed`."""
        async with self.ctx.store.read() as tx:
            known = await _known(self.ctx, tx, batch)
            proven = await _proven(self.ctx, tx, [one for one in batch if known[one.email].reader])
        new: list[Applicant] = []
        for one in batch:
            try:
                what = self._verdict(one, known[one.email], proven)
            except NotAdmittedError as error:
                self.refused.append(Refusal(one.line, str(error)))
                continue
            if what == "unchanged":
                self.done.unchanged += 1
            else:
                (new if what == "new" else self.changed).append(one)
        return new

    def _verdict(self, one: Applicant, known: Known, proven: Mapping[str, Sequence[Consent]]) -> str:
        if one.status not in ("", SubscriberStatus.ACTIVE):
            return _stay_away(one, known)
        if known is STRANGER and all(follow.topic in self.slugs for follow in one.topics):
            return "new"
        settled = is_settled(self.ctx, one.entry, self.slugs, one.said, known)
        return "unchanged" if settled and _has_proof(one, proven) else "changed"

    async def _enrol(self, people: Sequence[Applicant]) -> None:
        """Enrol new people together. Whoever has come in by another door meanwhile is admitted with care."""
        async with self.ctx.store.write() as tx:
            await bulk.gather_writes(tx)
            known = await _known(self.ctx, tx, people)
            strangers = [one for one in people if known[one.email] is STRANGER]
            await enrol_strangers(self.ctx, tx, strangers, self.slugs, self.now)
        self.done.created += len(strangers)
        self.changed += [one for one in people if known[one.email] is not STRANGER]

    async def _admit(self, people: Sequence[Applicant]) -> None:
        """Change people who are there already, with the same care as if each came alone."""
        async with self.ctx.store.write() as tx:
            known = await look_up(self.ctx, tx, [one.email for one in people])
            proven = await _proven(self.ctx, tx, people)
            found = [await self._admit_one(tx, one, known[one.email], proven) for one in people]
        for what in found:
            if isinstance(what, Refusal):
                self.refused.append(what)
            else:
                setattr(self.done, what, getattr(self.done, what) + 1)

    async def _admit_one(
        self, tx: Transaction, one: Applicant, known: Known, proven: Mapping[str, Sequence[Consent]]
    ) -> str | Refusal:
        given, by = one.said, Origin.IMPORT
        try:
            what = await admit(self.ctx, tx, one.entry, self.slugs, self.now, origin=by, given=given, known=known)
        except NotAdmittedError as error:
            return Refusal(one.line, str(error))
        if one.proof is None or _has_proof(one, proven):
            return what
        at = one.proof.at or self.now
        await vouch(self.ctx, tx, one.entry, one.proof.source, at, ip=one.proof.ip)
        return "updated" if what == "unchanged" else what

    async def _set_aside(self, one: Applicant, error: Exception) -> None:
        log.error("a row could not be stored and was left out", line=one.line, exc_info=error)
        self.refused.append(Refusal(one.line, "it could not be stored; the log says why"))


def _stay_away(one: Applicant, known: Known) -> str:
    """Somebody who gets no mail where the sheet comes from must get none here: nothing to do if it is so already."""
    if known.reader is not None and one.status == (known.reason or known.reader.status):
        return "unchanged"
    email, status = one.written, one.status[:60]
    raise NotAdmittedError(f'{email} was "{status}" where this file comes from; only who is "active" is taken in')


async def _known(ctx: Context, tx: Transaction, people: Sequence[Applicant]) -> dict[str, Known]:
    """As `look_up`, which costs dear for strangers, who are most of a long list."""
    emails = [one.email for one in people]
    hashes = {email: address_hash(ctx.address_key, email) for email in emails}
    readers = await subscribers.known_emails(tx, emails)
    barred = await suppressions.known_hashes(tx, list(hashes.values()))
    there = [email for email, hashed in hashes.items() if email in readers or hashed in barred]
    return dict.fromkeys(emails, STRANGER) | await look_up(ctx, tx, there)


async def _proven(ctx: Context, tx: Transaction, people: Sequence[Applicant]) -> dict[str, list[Consent]]:
    """What we hold of the consent of those people whose rows bring proof, by address."""
    hashes = {address_hash(ctx.address_key, one.email): one.email for one in people if one.proof}
    return {hashes[hashed]: rows for hashed, rows in (await consents.among_hashes(tx, list(hashes))).items()}


def _has_proof(one: Applicant, proven: Mapping[str, Sequence[Consent]]) -> bool:
    """Whether we hold what a row brings as proof. Of where it was given only the network may be left by now."""
    if one.proof is None:
        return True
    source, at = one.proof.source, one.proof.at
    return any(row.source == source and at in (None, row.at) for row in proven.get(one.email, ()))


async def enrol_strangers(
    ctx: Context, tx: Transaction, people: Sequence[Applicant], slugs: Mapping[str, Topic], now: datetime
) -> None:
    """Enrol people whose addresses are neither known nor suppressed, with the proof of their consent."""
    site, canonical = ctx.settings.site, cache(lambda text: str(cadences.parse(text)))
    letter, looks_back = ctx.newsletter.id or 0, ctx.settings.schedule.first_digest == "period"
    example = Consent(kind=ConsentKind.VOUCHED, newsletter_id=letter, address="", address_hash="", at=now)
    unproven = Proof(now, "", VOUCHED)
    vouched = _consent(unproven, now)
    named: dict[int, list[str]] = {}
    newcomers, proofs = [], []
    for one in people:
        proof, hashed = one.proof or unproven, address_hash(ctx.address_key, one.email)
        newcomers.append(
            Newcomer(
                email=one.email,
                address_hash=hashed,
                name=one.name,
                timezone=one.timezone or site.timezone,
                locale=one.locale or site.language,
                cadence=canonical(one.cadence),
                consent=vouched if proof is unproven else _consent(proof, now),
                follows={slugs[f.topic].id or 0: canonical(f.cadence or one.cadence) for f in one.topics},
            )
        )
        followed = named.setdefault(id(one.topics), [follow.topic for follow in one.topics])
        proofs.append((example, (hashed, one.email, followed, proof.source, proof.ip, proof.at or now)))
    await enrol_many(tx, newcomers, letter, origin=Origin.IMPORT, now=now, looks_back=looks_back)
    await bulk.insert_copies(tx, _PROOF, sorted(proofs, key=lambda copy: copy[1][0]))  # as in the index: it is quicker


def _consent(proof: Proof, now: datetime) -> dict[str, Any]:
    return {"how": Origin.IMPORT.value, "at": (proof.at or now).isoformat(), "by": proof.source}
