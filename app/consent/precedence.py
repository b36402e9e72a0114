"""What a history of consent events implies for one purpose: the one function that decides. Pure, and total.

Default deny. A no (withdrawn, objected, refused) acts from the moment it is recorded, whatever time it claims, and ends
every yes before it. It is lifted only by an act of the person that happened after the no was recorded and is a
complete yes in itself. What a machine or a colleague says afterwards never lifts it, however often it is said.

An ending (expired, invalidated) is nobody's no: a complete yes by anybody that happened after it counts again.

A pause is the person's wish not to be contacted for a while. It takes no yes away and needs none to end: it runs out by
itself, or the person ends it earlier (``resumed``). Whoever else says so ends none.

docs/developers/consent.md has the table; tests/consent/test_precedence.py proves I2, I4, I6, I9 and I29.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

POSITIVE = frozenset({"granted", "confirmed"})
NEGATIVE = frozenset({"withdrawn", "objected", "refused"})
ENDING = frozenset({"expired", "invalidated"})
PAUSING = frozenset({"paused", "resumed"})

FIRST_PARTY_ACTORS = frozenset({"contact", "guardian"})

# The acts that leave no doubt that the person did it, each with the evidence it must carry beside the wording.
FIRST_PARTY_METHODS: Mapping[str, tuple[str, ...]] = {
    "form": (),
    "box_ticked": (),
    "preference_page": (),
    "confirmation_page": (),
    "signed_paper_scan": ("scan",),
}

# What each basis must be able to show beside the notice, the date, the method and the source (I29).
EVIDENCE_NEEDED: Mapping[str, tuple[str, ...]] = {
    "consent": (),
    "soft_opt_in": ("transaction", "seller"),
    "impersonal_address": ("legal_person",),
    "service": (),
}

# Where several answers hold at once, the one that can be shown best is named.
_STRENGTH = {"consent": 3, "soft_opt_in": 2, "impersonal_address": 1, "service": 0}
_NEVER_ENDS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A consent event as the rule needs it. ``id`` is the order of recording; ``purpose`` None is all marketing."""

    id: int
    purpose: str | None
    action: str
    basis: str | None = None
    occurred_at: datetime | None = None
    recorded_at: datetime
    actor: str
    method: str
    source: str
    notice_version_id: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    valid_until: datetime | None = None

    @property
    def happened_at(self) -> datetime | None:
        """When the act took place: as claimed, but never later than we heard of it. None where nobody knows."""
        return None if self.occurred_at is None else min(self.occurred_at, self.recorded_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRules:
    """What a purpose asks of a yes. ``allowed_bases`` are those of the purpose that the country knows too."""

    code: str
    is_marketing: bool = True
    needs_confirmation: bool = False
    allowed_bases: frozenset[str] = frozenset()
    retention_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the history implies. ``is_negative`` tells a spoken no from silence; ``since`` None: no record at all.

    ``reason`` is the basis where allowed, else a code: withdrawn, objected, refused, expired, invalidated,
    unconfirmed, incomplete, basis_not_allowed, outdated, noted, paused, no_record. ``valid_until`` and
    ``paused_until`` are judged by the gate: until the second is past, what is allowed is not done.
    """

    is_allowed: bool = False
    is_negative: bool = False
    basis: str | None = None
    reason: str = "no_record"
    since: datetime | None = None
    valid_until: datetime | None = None
    decided_by: int | None = None
    paused_until: datetime | None = None


def decide(facts: Iterable[Fact], rules: PurposeRules) -> Verdict:
    """Return what the facts about one subject and channel imply for one purpose; their order in the list is of no
    account, their ``id`` is."""
    told = sorted((fact for fact in facts if concerns(fact, rules)), key=lambda fact: fact.id)
    verdict = _weighed([fact for fact in told if fact.action not in PAUSING], rules)
    pauses = _standing_pauses(told)
    if not pauses:
        return verdict
    if verdict.since is None:
        verdict = _denied(pauses[0], "paused")
    return replace(verdict, paused_until=max(pause.valid_until or _NEVER_ENDS for pause in pauses))


def _weighed(facts: Iterable[Fact], rules: PurposeRules) -> Verdict:
    """Weigh yes against no, in the order of recording."""
    open_noes: list[Fact] = []
    standing: list[Fact] = []
    ending: Fact | None = None
    silence = Verdict()
    for fact in facts:
        if fact.action in NEGATIVE:
            open_noes.append(fact)
            standing.clear()
        elif fact.action in ENDING:
            ending = fact
            standing.clear()
            silence = _denied(fact, fact.action)
        else:
            reason = flaw(fact, rules) or ("outdated" if ending and not _is_after(fact, ending) else None)
            if reason:
                silence = _denied(fact, reason)
                continue
            open_noes = [no for no in open_noes if not _lifts(fact, no)]
            if not open_noes:
                standing.append(fact)
    if open_noes:
        return _refused(open_noes[0])
    return _allowed(standing, rules) if standing else silence


def concerns(fact: Fact, rules: PurposeRules) -> bool:
    """Whether a fact says anything about a purpose: a no to all direct marketing does, a yes to everything does not.

    A pause is from marketing: what was booked goes on.
    """
    if fact.purpose is None or fact.action in PAUSING:
        is_wide = fact.purpose is None and fact.action in NEGATIVE | ENDING | PAUSING
        return rules.is_marketing and (is_wide or fact.purpose == rules.code)
    return fact.purpose == rules.code


def flaw(fact: Fact, rules: PurposeRules) -> str | None:
    """Return why a fact is no complete yes for a purpose, or None where it is one."""
    if fact.action not in POSITIVE:
        return "unconfirmed" if fact.action == "requested" else "noted"
    if fact.basis is None or fact.basis not in rules.allowed_bases:
        return "basis_not_allowed"
    if (fact.basis == "service") == rules.is_marketing:
        return "basis_not_allowed"
    if not is_complete(fact):
        return "incomplete"
    if fact.basis == "consent" and rules.needs_confirmation and fact.action != "confirmed":
        return "unconfirmed"
    return None


def is_complete(fact: Fact) -> bool:
    """Whether a yes can show when, how, from where and on which wording it was given, and what its basis needs."""
    needed = None if fact.basis is None else EVIDENCE_NEEDED.get(fact.basis)
    if needed is None or fact.happened_at is None or fact.notice_version_id is None:
        return False
    return _shows(fact.method, fact.source, *_named(fact, needed))


def is_first_party(fact: Fact) -> bool:
    """Whether the person did this in person, in a way that leaves no doubt."""
    needed = FIRST_PARTY_METHODS.get(fact.method)
    return fact.actor in FIRST_PARTY_ACTORS and needed is not None and _shows(*_named(fact, needed))


def _named(fact: Fact, names: Iterable[str]) -> list[object]:
    return [fact.evidence.get(name) for name in names]


def _shows(*values: object) -> bool:
    return all(isinstance(value, str | int) and str(value).strip() for value in values)


def _lifts(yes: Fact, no: Fact) -> bool:
    return is_first_party(yes) and _is_after(yes, no)


def _is_after(fact: Fact, earlier: Fact) -> bool:
    return fact.id > earlier.id and fact.happened_at is not None and fact.happened_at >= earlier.recorded_at


def _standing_pauses(facts: Iterable[Fact]) -> list[Fact]:
    standing: list[Fact] = []
    for fact in facts:
        if fact.action == "paused":
            standing.append(fact)
        elif fact.action == "resumed" and is_first_party(fact):
            standing = [pause for pause in standing if not _is_after(fact, pause)]
    return standing


def _refused(no: Fact) -> Verdict:
    return Verdict(is_negative=True, reason=no.action, since=no.recorded_at, decided_by=no.id)


def _denied(fact: Fact, reason: str) -> Verdict:
    return Verdict(reason=reason, since=fact.recorded_at, decided_by=fact.id)


def _allowed(standing: list[Fact], rules: PurposeRules) -> Verdict:
    def weight(fact: Fact) -> tuple[datetime, int, int]:
        return valid_until(fact, rules) or _NEVER_ENDS, _STRENGTH[str(fact.basis)], fact.id

    best = max(standing, key=weight)
    return Verdict(
        is_allowed=True,
        basis=best.basis,
        reason=str(best.basis),
        since=best.happened_at,
        valid_until=valid_until(best, rules),
        decided_by=best.id,
    )


def valid_until(fact: Fact, rules: PurposeRules) -> datetime | None:
    """Return until when a yes counts: what it says itself, and no longer than the purpose keeps one. None: no end."""
    ends = [fact.valid_until] if fact.valid_until is not None else []
    if rules.retention_days is not None and fact.happened_at is not None:
        ends.append(fact.happened_at + timedelta(days=rules.retention_days))
    return min(ends, default=None)
