"""The gate's answers about e-mail, stored for the counts that are shown while somebody builds.

Asking the gate about a million people takes seconds, so what it says is kept in ``permitted_contact`` by the same notes
that keep members right, in the transaction that takes them: of whoever changed, whose permission ran out, and who had a
birthday that matters to it. ``stored_answers`` says whom the table cannot know about yet; those are asked about anew,
so that a count is exact at any moment, also between two beats. Nothing that sends, claims or exports reads the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime

import sqlalchemy as sa
import structlog

from app import clock
from app.consent.gate import EMAIL
from app.consent.subjects import sharers_of
from app.db import ScopedSession, array_text
from app.segments.compiling.permission_sql import StoredAnswers
from app.segments.compiling.scope import Scope, scope_of
from app.segments.keeping.alike_visits import refresh_alike_visits, stored_visits
from app.segments.keeping.edge_people import EdgePeople
from app.segments.keeping.edges import edges_between
from app.segments.keeping.evaluating import EVALUATION_S, Step, attempt
from app.segments.language import rules
from app.segments.models import SegmentUpkeep
from app.segments.problems import SegmentError

log = structlog.get_logger()

# What the gate looks at. Purposes and the house concern everybody, and their notes say so.
LOOKED_AT = ("contact", "identity", "permission", "suppression")
# So many changing people are asked about one by one; with more, the gate is asked about everybody.
CHANGING_MAX = 2_000

NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"


def scope_to_show(session: ScopedSession, *, at: date | None = None) -> Scope:
    """``scope_of``, with what is stored for counts where it can be used: never for sending."""
    return replace(scope_of(session, at=at), stored=stored_answers(session), visits=stored_visits(session))


def stored_answers(session: ScopedSession) -> StoredAnswers | None:
    """For whom the stored answers are not (yet) those of the gate; ``None`` where they cannot be used at all."""
    state = session.execute(sa.text(_STATE), {"kinds": list(LOOKED_AT)}).one_or_none()
    if state is None or state.looked_at is None or state.permitted_on != _today(session):
        return None
    if state.is_everybody or state.is_tightening or state.waiting > CHANGING_MAX:
        return None
    since, until = sorted((state.looked_at, state.now))
    noted = {"organisation_id": session.organisation_id, "kinds": list(LOOKED_AT), "since": since, "until": until}
    changing = session.scalars(sa.text(_CHANGING), noted).all()
    return StoredAnswers(tuple(changing)) if len(changing) <= CHANGING_MAX else None


def keep_permitted(session: ScopedSession, upkeep: SegmentUpkeep) -> Step:
    """Bring the stored answers to today: whoever had a birthday, or everybody. The caller holds ``upkeep``."""
    today = _today(session)
    before = upkeep.permitted_on
    if before == today:
        return Step()
    people = None if before is None or before > today else _with_birthdays(session, before, today)
    try:
        with attempt(session, EVALUATION_S):
            refresh_permitted(session, people)
            if before is None:
                refresh_alike_visits(session, None)
    except SegmentError as problem:
        log.warning("answers of the gate not stored", code=problem.code)
        return Step()
    upkeep.permitted_on = today
    if upkeep.looked_at is None:
        upkeep.looked_at = session.execute(sa.text(f"SELECT {NOW}")).scalar_one()
    session.flush()
    return Step()


def follow_permitted(
    session: ScopedSession, upkeep: SegmentUpkeep, changed: dict[int, set[str]], ended: Iterable[int]
) -> None:
    """Ask the gate anew about whoever changed in a way that it looks at, or whose permission ran out."""
    if upkeep.permitted_on is None:
        return
    people = {one for one, kinds in changed.items() if not kinds.isdisjoint(LOOKED_AT)} | set(ended)
    refresh_permitted(session, sorted(people))


def refresh_permitted(session: ScopedSession, contact_ids: Collection[int] | None) -> None:
    """Make the stored answers about these contacts (``None``: everybody) those that the gate gives now."""
    if contact_ids is not None and not contact_ids:
        return
    if contact_ids is not None:
        session.execute(sa.text(_store(is_some=True)), _parameters(session, contact_ids))
        return
    # Of a house that just moved in nothing was counted yet, and a planner that expects one person loops over everybody
    # for everybody. Whoever is all asked for is joined by hashing, whatever the planner believes.
    session.execute(sa.text("SET LOCAL enable_nestloop = off"))
    session.execute(sa.text(_store(is_some=False)), _parameters(session, contact_ids))
    session.execute(sa.text("SET LOCAL enable_nestloop = on"))


def find_differences(session: ScopedSession) -> set[int]:
    """The contacts about whom the stored answers are not those of the gate, waiting changes included."""
    # As above: a full join of what nobody counted yet would be sought one by one.
    session.execute(sa.text("SET LOCAL enable_nestloop = off"))
    found = set(session.scalars(sa.text(_DIFFERENT), _parameters(session, None)))
    session.execute(sa.text("SET LOCAL enable_nestloop = on"))
    return found


def ended_between(session: ScopedSession, since: datetime, until: datetime) -> set[int]:
    """Whose permission or pause ran out after ``since``, up to and with ``until``: no row changes when one does.

    With whoever shares a mailbox with them: the pause of one keeps still for all.
    """
    parameters = {"organisation_id": session.organisation_id, "since": since, "until": until}
    ended = set(session.scalars(sa.text(_ENDED), parameters))
    return ended.union(*sharers_of(session, ended).values()) if ended else ended


def ended_lately(session: ScopedSession) -> set[int]:
    """Whose permission or pause ran out since the last beat, by the gate's own clock."""
    last = session.execute(sa.text(f"SELECT looked_at, {NOW} AS now FROM segment_upkeep")).one_or_none()
    if last is None or last.looked_at is None:
        return set()
    return ended_between(session, *sorted((last.looked_at, last.now)))


def _today(session: ScopedSession) -> date:
    return clock.today(scope_of(session).time_zone)


def _with_birthdays(session: ScopedSession, before: date, today: date) -> list[int] | None:
    edges = edges_between(rules.Permission(EMAIL, "", is_allowed=True), before, today)
    return None if edges is None else EdgePeople().on(session, edges)


def _parameters(session: ScopedSession, contact_ids: Collection[int] | None) -> dict[str, object]:
    parameters: dict[str, object] = {"organisation_id": session.organisation_id, "channel": EMAIL}
    return parameters if contact_ids is None else parameters | {"ids": array_text(contact_ids)}


# One statement, so that no beat comes between what it says.
_STATE = f"""
SELECT u.permitted_on, u.looked_at, {NOW} AS now, COALESCE(noted.waiting, 0) AS waiting,
       COALESCE(noted.is_everybody, false) AS is_everybody,
       EXISTS (SELECT FROM purpose WHERE purpose.organisation_id = u.organisation_id
                  AND purpose.tightened_at IS NOT NULL) AS is_tightening
  FROM segment_upkeep AS u,
       LATERAL (SELECT sum(c.size) AS waiting, bool_or(c.about = 'everybody') AS is_everybody
                  FROM contact_change AS c
                 WHERE c.organisation_id = u.organisation_id
                   AND (c.kind = ANY (:kinds) OR c.about = 'everybody')) AS noted
"""

_ENDED = """
SELECT identity.contact_id
  FROM permission AS p
  JOIN identity ON identity.organisation_id = p.organisation_id AND identity.subject_key = p.subject_key
 WHERE p.organisation_id = :organisation_id AND p.is_allowed AND p.valid_until > :since AND p.valid_until <= :until
 UNION
SELECT identity.contact_id
  FROM permission AS p
  JOIN identity ON identity.organisation_id = p.organisation_id AND identity.subject_key = p.subject_key
 WHERE p.organisation_id = :organisation_id AND p.paused_until > :since AND p.paused_until <= :until
"""

# Whoever reads a mailbox with one of them is asked about too: what one says counts for all.
_CHANGING = f"""
WITH changing AS (
SELECT noted.id AS contact_id
  FROM contact_change AS c
 CROSS JOIN LATERAL unnest(c.ids) AS noted(id)
 WHERE c.organisation_id = :organisation_id AND c.about = 'contact' AND c.kind = ANY (:kinds)
 UNION
SELECT identity.contact_id
  FROM contact_change AS c
 CROSS JOIN LATERAL unnest(c.subject_keys) AS noted(subject_key)
  JOIN identity ON identity.organisation_id = c.organisation_id AND identity.subject_key = noted.subject_key
 WHERE c.organisation_id = :organisation_id AND c.about = 'address' AND c.kind = ANY (:kinds)
 UNION
{_ENDED}
)
SELECT contact_id FROM changing
 UNION
SELECT other.contact_id
  FROM changing
  JOIN identity AS one ON one.organisation_id = :organisation_id AND one.contact_id = changing.contact_id
   AND one.is_shared
  JOIN identity AS other ON other.organisation_id = one.organisation_id AND other.subject_key = one.subject_key
   AND other.is_shared
"""

_GATE = """
SELECT gate.purpose, gate.contact_id, gate.is_deliverable
  FROM contactable AS gate
 WHERE gate.organisation_id = :organisation_id AND gate.channel = :channel
"""


def _store(*, is_some: bool) -> str:
    of_some = "AND {0}.contact_id = ANY (CAST(:ids AS bigint[]))" if is_some else ""
    return f"""
WITH now AS MATERIALIZED ({_GATE} {of_some.format("gate")}),
     gone AS (
       DELETE FROM permitted_contact AS stored
        WHERE stored.organisation_id = :organisation_id {of_some.format("stored")}
          AND NOT EXISTS (
              SELECT FROM now WHERE now.purpose = stored.purpose AND now.contact_id = stored.contact_id))
INSERT INTO permitted_contact (organisation_id, purpose, contact_id, is_deliverable)
SELECT :organisation_id, now.purpose, now.contact_id, now.is_deliverable
  FROM now
  LEFT JOIN permitted_contact AS stored
    ON stored.organisation_id = :organisation_id AND stored.purpose = now.purpose
   AND stored.contact_id = now.contact_id {of_some.format("stored")}
 WHERE stored.is_deliverable IS DISTINCT FROM now.is_deliverable
    ON CONFLICT (organisation_id, contact_id, purpose) DO UPDATE SET is_deliverable = excluded.is_deliverable
"""


_DIFFERENT = f"""
WITH now AS MATERIALIZED ({_GATE})
SELECT COALESCE(now.contact_id, stored.contact_id)
  FROM now
  FULL JOIN (SELECT * FROM permitted_contact WHERE organisation_id = :organisation_id) AS stored
    ON stored.purpose = now.purpose AND stored.contact_id = now.contact_id
 WHERE stored.is_deliverable IS DISTINCT FROM now.is_deliverable
"""
