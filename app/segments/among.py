"""Which of some people are in which segments, as of this moment."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope, scope_of
from app.segments.keeping.changed_contacts import is_somebody_waiting
from app.segments.keeping.evaluating import attempt
from app.segments.keeping.kept import Kept, kept_segments
from app.segments.models import SegmentMembership
from app.segments.problems import SegmentMissingError

# For a few hundred people a rule takes milliseconds.
ANSWER_S = 20.0


def members_among(
    session: ScopedSession, contact_ids: Collection[int], segment_ids: Collection[int]
) -> dict[int, frozenset[int]]:
    """Return who of these people is in each of these segments now, by the segment's id.

    Stored members answer where they are those of this moment; else the rule is asked, for these people only. Raises
    SegmentMissingError, or another SegmentError where a rule cannot be worked out: nobody is taken for being in or out.
    """
    if not segment_ids:
        return {}
    kept = {one.segment_id: one for one in kept_segments(session) if one.segment_id in set(segment_ids)}
    missing = [each for each in segment_ids if each not in kept]
    if missing:
        raise SegmentMissingError(missing[0])
    scope, is_waiting = scope_of(session), is_somebody_waiting(session)
    return {
        each: _stored(session, contact_ids, each)
        if _is_of_now(one, scope) and not is_waiting
        else _by_rule(session, contact_ids, one, scope)
        for each, one in kept.items()
    }


def _is_of_now(one: Kept, scope: Scope) -> bool:
    return one.is_current and one.state is not None and one.state.evaluated_on == scope.as_of


def _stored(session: ScopedSession, contact_ids: Collection[int], segment_id: int) -> frozenset[int]:
    stretch = SegmentMembership
    query = sa.select(stretch.contact_id).where(
        stretch.organisation_id == session.organisation_id,
        stretch.segment_id == segment_id,
        stretch.contact_id.in_(contact_ids),
        stretch.left_at.is_(None),
    )
    return frozenset(session.scalars(query))


def _by_rule(session: ScopedSession, contact_ids: Collection[int], one: Kept, scope: Scope) -> frozenset[int]:
    if one.rule is None:
        raise one.problem or SegmentMissingError(one.segment_id)
    with attempt(session, ANSWER_S):
        return frozenset(session.scalars(select_members(one.rule, scope, only=sorted(contact_ids))))
