"""What a run would do, and whether a person must look at it first. Pure: no database, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.base import MemberPush

# A refusal that a change of the person's data may end; every other one lasts until the destination says otherwise.
MENDED_BY_NEW_DATA = frozenset({"invalid_field", "invalid_address"})


@dataclass(frozen=True, slots=True)
class Push:
    """Somebody to be made known. ``needs_tag``: our tag is not (known to be) on them yet."""

    contact_id: int
    subject_key: bytes
    is_new: bool
    needs_tag: bool


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody of ours who is no longer wanted there.

    ``is_out``: they said no, here or there, so that nobody needs to be asked. ``is_held_out``: the list holds them out
    by itself, so that nothing of theirs has to be remembered.
    """

    subject_key: bytes
    address: str
    contact_id: int | None
    is_out: bool
    is_held_out: bool


@dataclass(frozen=True, slots=True)
class Funnel:
    """From the segment to those who are pushed: how many, and what keeps the others back.

    ``of`` counts all living contacts. ``segment`` = ``no_address`` + ``not_permitted`` + ``bouncing`` + ``held_out`` +
    ``shared`` + ``wanted``; ``shared``: another contact of the segment has the same address.
    """

    of: int
    segment: int
    no_address: int
    not_permitted: int
    bouncing: int
    held_out: int
    shared: int
    wanted: int


@dataclass(slots=True)
class Plan:
    """The difference between who is wanted and who is there. ``current`` is how many of ours are there.

    ``dropped``: refused before, and not wanted any more either; they are only forgotten.
    """

    funnel: Funnel
    current: int = 0
    unchanged: int = 0
    refused: int = 0
    pushes: list[Push] = field(default_factory=list)
    leavers: list[Leaver] = field(default_factory=list)
    dropped: list[bytes] = field(default_factory=list)

    @property
    def added(self) -> int:
        """How many people would be new there."""
        return sum(push.is_new for push in self.pushes)

    @property
    def removed(self) -> int:
        """How many would lose our tag because they are no longer wanted; those said no do not count."""
        return sum(not leaver.is_out for leaver in self.leavers)

    def counts(self) -> dict[str, int]:
        """The plan as a run stores it."""
        return {
            "of": self.funnel.of,
            "segment": self.funnel.segment,
            "no_address": self.funnel.no_address,
            "not_permitted": self.funnel.not_permitted,
            "bouncing": self.funnel.bouncing,
            "held_out": self.funnel.held_out,
            "shared": self.funnel.shared,
            "wanted": self.funnel.wanted,
            "current": self.current,
            "unchanged": self.unchanged,
            "refused_before": self.refused,
            "add": self.added,
            "update": len(self.pushes) - self.added,
            "remove": self.removed,
            "gone": len(self.leavers) - self.removed,
        }


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A person let a run through the brake. ``size`` is how many additions and removals they saw (None: any)."""

    size: int | None

    def covers(self, size: int, *, brake_pct: int) -> bool:
        """Whether a plan of this size is what the person agreed to, give or take the brake's own share."""
        return self.size is None or size * 100 <= self.size * (100 + brake_pct)


def brake_reason(plan: Plan, *, brake_pct: int, was_everybody: bool, confirmation: Confirmation | None) -> str | None:
    """Return why a plan must wait for a person, or None where it may go ahead.

    ``first_push``: nobody is there yet. ``empty_segment``: everybody would be taken off. ``everybody``: the segment has
    come to hold every contact. ``large_change``: more than ``brake_pct`` of the current size would be added or removed.
    Opt-outs are no part of a plan: they never wait.
    """
    size = plan.added + plan.removed
    if size == 0 or (confirmation is not None and confirmation.covers(size, brake_pct=brake_pct)):
        return None
    if plan.current == 0:
        return "first_push"
    if plan.funnel.segment == 0:
        return "empty_segment"
    if plan.funnel.segment == plan.funnel.of and not was_everybody:
        return "everybody"
    return "large_change" if size * 100 > plan.current * brake_pct else None


def payload_sha256(person: MemberPush) -> bytes:
    """Return the hash by which a payload is known to have been acknowledged (32 bytes; order of fields is nothing)."""
    told: list[object] = [person.email, sorted(person.fields.items()), person.language]
    if person.may_track is not None:
        told.append(person.may_track)
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).digest()


def needs_push(state: str | None, pushed_sha256: bytes | None, refusal_code: str | None, *, wanted: bytes) -> bool:
    """Whether somebody who is wanted must be pushed, by how we know them to be there (None: not at all)."""
    match state:
        case None | "out":
            return True
        case "in":
            return pushed_sha256 != wanted
        case "refused":
            return refusal_code in MENDED_BY_NEW_DATA and pushed_sha256 != wanted
        case _:
            return False  # claimed or uncertain: read back first


def fields_for(values: Mapping[str, str | None], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the destination's fields by tag, from a contact's values.

    What we do not know is left out: the person may have told the destination themselves, and that is not ours to empty.
    """
    return {tag: value for tag, name in mapping.items() if (value := values.get(name))}
