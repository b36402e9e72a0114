"""Letting people in: set-based, each occurrence once, and everybody who is not let in for a reason that is counted.

Whoever lets people in holds the journey, so that nobody is judged twice at once; contacts that somebody is changing at
this moment are left for the next time. Who may not be mailed for the journey's purpose does not enter a journey that
only mails: they would walk through it and get nothing. Where a step does something else (a tag, a colleague who is
told, a question whether they agree), everybody enters, and the gate decides about each mail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, array_text
from app.journeys import definition as nodes
from app.journeys.entering.holding_out import held_out_of
from app.journeys.entering.occurrences import Occurrence
from app.journeys.spans import Span
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import scope_of
from app.segments.definitions import complete_rule
from app.segments.keeping.evaluating import attempt

# A rule that takes longer for a thousand people is one that cannot be asked at a door.
RULE_WITHIN_S = 60.0
MAILING = (nodes.Send, nodes.Wait, nodes.WaitUntil, nodes.Choose, nodes.Split, nodes.Exit)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of letting people in: how many entered, why others did not, and who must be asked again."""

    entered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    later: tuple[Occurrence, ...] = ()


def enrol(
    session: ScopedSession, journey_id: int, version: int, definition: nodes.Definition, rows: Sequence[Occurrence]
) -> Enrolled:
    """Let everybody of ``rows`` in who may enter now, once for each occurrence, whatever is given twice.

    The caller holds the journey (``watches.hold_journeys``, or its row). ``refused`` counts, by reason: ``gone``,
    ``restricted``, ``inside``, ``came_before``, ``came_lately``, ``same_party``, ``not_meant`` (the journey's rule),
    ``no_permission``. An occurrence that has already let somebody in is not counted. ``later`` holds those whose
    contact somebody was changing. Raises SegmentError where the rule cannot be worked out: nobody is judged then.
    """
    if not rows:
        return Enrolled()
    judged = _judge(session, journey_id, definition, _with_survivors(session, rows))
    refused = Counter(one.reason for one in judged if one.reason not in (None, "already"))
    meant = _meant(session, definition, sorted({one.contact_id for one in judged if one.reason is None}))
    refused["not_meant"] += sum(1 for one in judged if one.reason is None and one.contact_id not in meant)
    entering: dict[int, Any] = {}
    for one in judged:
        if one.reason is None and one.contact_id in meant:
            refused["inside"] += one.contact_id in entering
            entering.setdefault(one.contact_id, one)
    _insert(session, journey_id, version, definition, list(entering.values()))
    seen = {one.place for one in judged}
    later = tuple(row for place, row in enumerate(rows) if place not in seen)
    return Enrolled(len(entering), refused, later)


def needs_permission(definition: nodes.Definition) -> bool:
    """Whether the journey does nothing but mail, so that it has nothing for whom the gate refuses."""
    steps = list(nodes.all_steps(definition.steps))
    return any(isinstance(step, nodes.Send) for step in steps) and all(isinstance(step, MAILING) for step in steps)


def _with_survivors(session: ScopedSession, rows: Sequence[Occurrence]) -> list[Occurrence]:
    """The rows, each of who the contact became part of since."""
    ids = array_text(sorted({row.contact_id for row in rows}))
    found = session.execute(sa.text(_SURVIVORS), {"organisation_id": session.organisation_id, "ids": ids})
    became: dict[int, int] = {row.was: row.id for row in found}
    return [replace(row, contact_id=became[row.contact_id]) if row.contact_id in became else row for row in rows]


_SURVIVORS = """
WITH RECURSIVE became (was, id, depth) AS (
    SELECT c.id, c.merged_into_id, 1 FROM contact AS c
     WHERE c.organisation_id = :organisation_id AND c.id = ANY (CAST(:ids AS bigint[])) AND c.merged_into_id IS NOT NULL
     UNION ALL
    SELECT became.was, c.merged_into_id, became.depth + 1 FROM became
      JOIN contact AS c ON c.organisation_id = :organisation_id AND c.id = became.id
     WHERE c.merged_into_id IS NOT NULL AND became.depth < 50
)
SELECT DISTINCT ON (was) was, id FROM became ORDER BY was, depth DESC
"""

# The contacts are held first, in a statement of its own, so that what is judged is what they are until the commit: who
# is being merged or erased at this moment is skipped, and asked for again. A party is everything one person has for one
# activity on one day, whichever of its lines it was heard by. Who was inside when it happened does not enter because of
# it, although they may have left since: what made them leave must not take them in again.
_HOLD = """
SELECT c.id FROM contact AS c
 WHERE c.organisation_id = :organisation_id AND c.id = ANY (CAST(:contact_ids AS bigint[]))
 ORDER BY c.id
   FOR SHARE SKIP LOCKED
"""

_JUDGE = """
SELECT given.place - 1 AS place, given.contact_id, given.occurrence, given.participation_id,
       CASE WHEN c.state <> 'living' THEN 'gone'
            WHEN c.is_restricted THEN 'restricted'
            WHEN EXISTS (SELECT FROM enrolment AS e WHERE {own} AND e.occurrence = given.occurrence) THEN 'already'
            WHEN given.participation_id IS NOT NULL AND EXISTS (
                 SELECT FROM enrolment AS e
                   JOIN participation AS was ON was.organisation_id = e.organisation_id AND was.id = e.participation_id
                   JOIN participation AS now ON now.organisation_id = e.organisation_id
                                            AND now.id = given.participation_id
                  WHERE {own} AND was.activity_id = now.activity_id AND was.activity_on = now.activity_on
                    AND split_part(e.occurrence, ':', 1) = 'participation'
                    AND split_part(given.occurrence, ':', 1) = 'participation'
                    AND split_part(e.occurrence, ':', 3) = split_part(given.occurrence, ':', 3)) THEN 'same_party'
            WHEN EXISTS (
                 SELECT FROM enrolment AS e
                  WHERE {own} AND (e.state = 'active' OR (e.entered_at <= given.occurred_at
                                                          AND e.left_at > given.occurred_at))) THEN 'inside'
            {reentry}
            WHEN :needs_permission AND NOT EXISTS (
                 SELECT FROM contactable AS k
                  WHERE k.organisation_id = :organisation_id AND k.contact_id = given.contact_id
                    AND k.channel = 'email' AND k.purpose = :purpose) THEN 'no_permission'
       END AS reason
  FROM unnest(CAST(:contact_ids AS bigint[]), CAST(:names AS text[]), CAST(:participation_ids AS bigint[]),
              CAST(:ats AS timestamptz[]))
       WITH ORDINALITY AS given(contact_id, occurrence, participation_id, occurred_at, place)
  JOIN contact AS c ON c.organisation_id = :organisation_id AND c.id = given.contact_id
 WHERE given.contact_id = ANY (CAST(:held AS bigint[]))
 ORDER BY given.contact_id, given.place
"""
_OWN = (
    "e.organisation_id = :organisation_id AND e.journey_id = :journey_id AND e.contact_id = given.contact_id"
    " AND NOT e.is_rehearsal"
)
_REENTRY = {
    "never": f"WHEN EXISTS (SELECT FROM enrolment AS e WHERE {_OWN}) THEN 'came_before'",
    "after_exit": "",
    "days": f"WHEN EXISTS (SELECT FROM enrolment AS e WHERE {_OWN}"
    " AND e.entered_on + make_interval(months => :months, days => :days) > CAST(:today AS date)) THEN 'came_lately'",
    "seconds": f"WHEN EXISTS (SELECT FROM enrolment AS e WHERE {_OWN}"
    " AND e.entered_at + make_interval(months => :months, days => :days, secs => :seconds) > :now) THEN 'came_lately'",
}


def _judge(
    session: ScopedSession, journey_id: int, definition: nodes.Definition, rows: Sequence[Occurrence]
) -> list[Any]:
    parameters: dict[str, object] = {
        "organisation_id": session.organisation_id,
        "contact_ids": array_text(row.contact_id for row in rows),
    }
    held = session.scalars(sa.text(_HOLD), parameters).all()
    reentry = definition.reentry
    kind = reentry if isinstance(reentry, str) else "days" if reentry.is_whole_days else "seconds"
    span = reentry if isinstance(reentry, Span) else Span()
    parameters |= {
        "journey_id": journey_id,
        "names": array_text(row.name for row in rows),
        "participation_ids": array_text(row.participation_id for row in rows),
        "ats": array_text(row.at for row in rows),
        "held": array_text(held),
        "needs_permission": needs_permission(definition),
        "purpose": definition.purpose,
        "months": span.months,
        "days": span.days,
        "seconds": span.seconds,
        "now": clock.now(),
        "today": clock.today(current_organisation(session).time_zone),
    }
    statement = _JUDGE.format(own=_OWN, reentry=_REENTRY[kind])
    return list(session.execute(sa.text(statement), _only_named(statement, parameters)))


def _only_named(statement: str, parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if f":{name}" in statement}


def _meant(session: ScopedSession, definition: nodes.Definition, contact_ids: Sequence[int]) -> frozenset[int]:
    """Those for whom the rule of the journey holds today. Raises SegmentError where that cannot be worked out."""
    if definition.only is None or not contact_ids:
        return frozenset(contact_ids)
    rule = complete_rule(session, definition.only)
    with attempt(session, RULE_WITHIN_S):
        return frozenset(session.scalars(select_members(rule, scope_of(session), only=list(contact_ids))))


_INSERT = """
INSERT INTO enrolment (organisation_id, journey_id, version, contact_id, occurrence, participation_id, state,
                       is_held_out, wake_at, entered_at, entered_on, updated_at)
SELECT :organisation_id, :journey_id, :version, contact_id, occurrence, participation_id, 'active', is_held_out,
       :now, :now, :today, :now
  FROM unnest(CAST(:contact_ids AS bigint[]), CAST(:names AS text[]), CAST(:participation_ids AS bigint[]),
              CAST(:held_outs AS boolean[]))
       AS given(contact_id, occurrence, participation_id, is_held_out)
    ON CONFLICT DO NOTHING
"""


def _insert(
    session: ScopedSession, journey_id: int, version: int, definition: nodes.Definition, rows: Sequence[Any]
) -> None:
    if not rows:
        return
    held = held_out_of(session, journey_id, definition, [row.contact_id for row in rows])
    session.execute(
        sa.text(_INSERT),
        {
            "organisation_id": session.organisation_id,
            "journey_id": journey_id,
            "version": version,
            "now": clock.now(),
            "today": clock.today(current_organisation(session).time_zone),
            "contact_ids": array_text(row.contact_id for row in rows),
            "names": array_text(row.occurrence for row in rows),
            "participation_ids": array_text(row.participation_id for row in rows),
            "held_outs": array_text(row.contact_id in held for row in rows),
        },
    )
