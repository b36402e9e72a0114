"""The members of a segment at this moment, for whoever acts on them: what is stored, and the rule where that is old.

Evaluating a rule for everybody costs what the house is big. Membership is stored and follows within seconds, and who
changed since is known by name; so the rule is asked about these alone, and the answer is exact all the same.
"""

from __future__ import annotations

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope, scope_of
from app.segments.definitions import find_segment
from app.segments.keeping.alike import find_alike, kinds_of_likeness
from app.segments.keeping.changed_contacts import count_waiting, peek_changed
from app.segments.keeping.kept import Kept, kept_segment
from app.segments.keeping.permitted import ended_lately
from app.segments.language import rules
from app.segments.models import SegmentMembership
from app.segments.problems import SegmentMissingError

# With more people changing than these, everybody is asked about.
CHANGING_MAX = 2_000

Members = sa.Select[int] | sa.CompoundSelect[int]


def select_current_members(session: ScopedSession, segment_id: int) -> Members:
    """Select ``contact_id`` of the living members at this moment, each once, without an order.

    A segment whose rule cannot be worked out, or names what is gone, has its last good members. One that was never
    worked out, or not since its rule or the day changed, is asked by its rule. Raises SegmentMissingError, or what is
    wrong with the rule where there are no members to fall back on.
    """
    find_segment(session, segment_id)
    scope, kept = scope_of(session), kept_segment(session, segment_id)
    if kept is None:
        raise SegmentMissingError(segment_id)
    if _is_broken(kept):
        return _stored(segment_id)
    if kept.rule is None:
        raise kept.problem or SegmentMissingError(segment_id)
    if not kept.is_current or kept.state is None or kept.state.evaluated_on != scope.as_of:
        return select_members(kept.rule, scope)
    changing = _changing(session, kept.rule)
    if changing is None:
        return select_members(kept.rule, scope)
    return _with_changing(segment_id, kept.rule, scope, sorted(changing))


def _is_broken(kept: Kept) -> bool:
    """Whether a segment was worked out once, and cannot be now."""
    if kept.state is None or kept.state.evaluated_on is None:
        return False
    return kept.rule is None or kept.problem is not None or kept.state.problem is not None


def _changing(session: ScopedSession, rule: rules.Rule) -> set[int] | None:
    """Whom the stored members need not be right about; None for (nearly) everybody."""
    if count_waiting(session) > CHANGING_MAX:
        return None
    changed = peek_changed(session)
    if changed.is_everybody:
        return None
    people = changed.contacts.keys() | ended_lately(session)
    kinds, how_far = kinds_of_likeness([rule])
    lost: set[int] = changed.lost_keys
    for _ in range(how_far):
        people, lost = people | find_alike(session, people, lost, kinds), set()
    return set(people) if len(people) <= CHANGING_MAX else None


def _stored(segment_id: int) -> sa.Select[int]:
    m = SegmentMembership
    return (
        sa.select(m.contact_id)
        .join(Contact, sa.and_(Contact.organisation_id == m.organisation_id, Contact.id == m.contact_id))
        .where(m.segment_id == segment_id, m.left_at.is_(None), Contact.state == "living")
    )


def _with_changing(segment_id: int, rule: rules.Rule, scope: Scope, changing: list[int]) -> Members:
    if not changing:
        return _stored(segment_id)
    ids = sa.literal(changing, sa.ARRAY(sa.BigInteger))
    others = _stored(segment_id).where(SegmentMembership.contact_id != sa.all_(ids))
    return sa.union_all(others, select_members(rule, scope, only=changing))
