"""Events on their way into the ledger: what a system says is told apart from what happened, and repeats are sifted out.

Pure: no database, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from app.consent.notices import UNKNOWN_LANGUAGE, Wording
from app.consent.precedence import NEGATIVE, POSITIVE, Fact, is_complete

Pair = tuple[bytes, str]
ExternalKey = tuple[str, str]
Slot = tuple[Pair, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A consent event to record. ``address`` (any spelling), its ``subject_key`` where the address is not at hand, or
    ``contact_id`` says whom it is about; the first of them that is there decides.

    ``purpose`` None is all direct marketing and fits a no only. ``wording`` is the text the person saw, word for word;
    where a version of it is known already, ``notice_version_id`` says so instead. ``external_id`` makes a replay from
    the same source harmless.

    ``repeats`` says what a second statement of the same source means. ``fact``: it happened again, record it.
    ``state``: the system reports all it holds; what it said last is no news. ``opt_out``: the system reports opt-outs
    only; the same opt-out is no news unless the person came back in between and it is not known to be the old one.
    """

    channel: str
    purpose: str | None
    action: str
    actor: str
    method: str
    source: str
    address: str | None = None
    subject_key: bytes | None = None
    contact_id: int | None = None
    basis: str | None = None
    occurred_at: datetime | None = None
    actor_id: int | None = None
    external_id: str | None = None
    notice_version_id: int | None = None
    wording: str | None = None
    language: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    valid_until: datetime | None = None
    repeats: Literal["fact", "state", "opt_out"] = "fact"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an event: its id, whether it is new (False for a replay), the action it is stored as, and which
    contact it is about, where known. ``event_id`` is None for an address that cannot exist."""

    event_id: int | None
    is_new: bool
    action: str
    contact_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event with its place in the caller's list, its subject, and, once the locks are held, its number."""

    position: int
    event: NewEvent
    subject_key: bytes
    contact_id: int | None
    recorded_at: datetime
    action: str
    evidence: Mapping[str, Any]
    notice_version_id: int | None = None
    event_id: int = 0

    @property
    def pair(self) -> Pair:
        """The subject and channel whose history this joins."""
        return self.subject_key, self.event.channel

    @property
    def external_key(self) -> ExternalKey | None:
        """What makes a replay recognisable, where the source gives it."""
        return None if self.event.external_id is None else (self.event.source, self.event.external_id)

    @property
    def wording(self) -> Wording | None:
        """The text to find or create a notice version for."""
        shown = (self.event.wording or "").strip()
        if not shown or self.event.purpose is None or self.event.notice_version_id is not None:
            return None
        return Wording(self.event.purpose, self.event.language or UNKNOWN_LANGUAGE, shown, self.event.source)

    @property
    def basis(self) -> str | None:
        """The basis as stored: a no rests on none."""
        return None if self.action in NEGATIVE else self.event.basis

    def as_fact(self) -> Fact:
        """Return what the rule of precedence reads."""
        event = self.event
        return Fact(
            id=self.event_id,
            purpose=event.purpose,
            action=self.action,
            basis=self.basis,
            occurred_at=event.occurred_at,
            recorded_at=self.recorded_at,
            actor=event.actor,
            method=event.method,
            source=event.source,
            notice_version_id=self.notice_version_id,
            evidence=self.evidence,
            valid_until=event.valid_until,
        )

    def as_row(self) -> dict[str, Any]:
        """Return the columns of the ledger that come from the event itself."""
        event = self.event
        copied = ("channel", "purpose", "occurred_at", "actor", "actor_id", "method", "source", "language",
                  "valid_until")  # fmt: skip
        return {name: getattr(event, name) for name in copied} | {
            "id": self.event_id,
            "subject_key": self.subject_key,
            "contact_id": self.contact_id,
            "action": self.action,
            "basis": self.basis,
            "recorded_at": self.recorded_at,
            "notice_version_id": self.notice_version_id,
        }

    def as_evidence(self) -> dict[str, Any] | None:
        """Return the row that stands beside the ledger, where the event came with evidence or a name of its own."""
        if not self.evidence and self.event.external_id is None:
            return None
        return {
            "event_id": self.event_id,
            "subject_key": self.subject_key,
            "contact_id": self.contact_id,
            "source": self.event.source,
            "external_id": self.event.external_id,
            "evidence": dict(self.evidence),
        }

    def recorded(self, *, is_new: bool = True) -> Recorded:
        """Return the result the caller gets for this event."""
        return Recorded(self.event_id or None, is_new, self.action, self.contact_id)


def noted_where_incomplete(draft: Draft) -> Draft:
    """Return the draft as it may be stored: a yes that cannot show its proof becomes a note of what was stated."""
    if draft.action not in POSITIVE:
        return draft
    if draft.basis is not None and draft.event.purpose is not None and is_complete(draft.as_fact()):
        return draft
    return replace(draft, action="noted", evidence={**draft.evidence, "stated": draft.action})


def sift(
    drafts: Iterable[Draft],
    *,
    replays: Mapping[ExternalKey, Recorded],
    histories: Mapping[Pair, Sequence[Fact]],
) -> tuple[list[Draft], dict[int, Recorded]]:
    """Return what is to be appended, and the result of every draft by its position."""
    known = dict(replays)
    said: dict[Slot, Fact] = {
        (pair, fact.purpose, fact.source): fact for pair, facts in histories.items() for fact in facts
    }
    last_yes = {
        pair: max((f.id for f in facts if f.action in POSITIVE), default=0) for pair, facts in histories.items()
    }
    fresh: list[Draft] = []
    results: dict[int, Recorded] = {}
    for draft in drafts:
        slot = (draft.pair, draft.event.purpose, draft.event.source)
        last = said.get(slot)
        if draft.external_key in known:
            results[draft.position] = known[draft.external_key]
        elif last is not None and _is_no_news(draft, last, last_yes=last_yes.get(draft.pair, 0)):
            results[draft.position] = Recorded(last.id, False, last.action, draft.contact_id)
        else:
            fresh.append(draft)
            said[slot] = draft.as_fact()
            results[draft.position] = draft.recorded()
            if draft.action in POSITIVE:
                last_yes[draft.pair] = draft.event_id
            if draft.external_key:
                known[draft.external_key] = draft.recorded(is_new=False)
    return fresh, results


def _is_no_news(draft: Draft, last: Fact, *, last_yes: int) -> bool:
    new = draft.as_fact()
    if draft.event.repeats == "fact" or _said(new) != _said(last):
        return False
    if new.occurred_at is not None and last.occurred_at is not None and new.occurred_at <= last.occurred_at:
        return True
    if draft.event.repeats == "opt_out":
        return last_yes < last.id
    return new.occurred_at is None


def _said(fact: Fact) -> tuple[Any, ...]:
    return fact.action, fact.evidence.get("stated"), fact.basis, fact.method, fact.notice_version_id
