"""When likely-same people and the household of a contact last came, stored for the counts that are shown.

Finding everybody alike to one of some hundred thousand people takes seconds, and "a likely-same person came since" asks
for no more than their latest visit. ``alike_visit`` holds it, kept as the gate's answers are (``permitted.py``): in the
transaction that takes notes, of whoever changed and whoever is (or was) alike to them, and filled anew together with
them. No day changes it. ``stored_visits`` says about whom the table cannot know yet; those are looked up, so that a
count is exact at any moment. Members are never evaluated from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from app.contacts import likeness
from app.db import ScopedSession, array_text
from app.segments.compiling.scope import StoredVisits
from app.segments.keeping.alike import find_alike
from app.segments.keeping.changed_contacts import Changed
from app.segments.keeping.difference import FEW

# What a latest visit, or who is alike, is made of.
LOOKED_AT = frozenset({"contact", "participation"})
# So many are looked up one by one; while more are changing, everybody is.
CHANGING_MAX = 1_000
KINDS = ("person", "household")


def follow_alike_visits(session: ScopedSession, changed: Changed) -> None:
    """Work out anew what is stored of whoever changed, and of everybody who is alike to them, or was."""
    touched = {one for one, kinds in changed.contacts.items() if not kinds.isdisjoint(LOOKED_AT)}
    if touched or changed.lost_keys:
        refresh_alike_visits(session, touched | find_alike(session, touched, changed.lost_keys, KINDS))


def refresh_alike_visits(session: ScopedSession, contact_ids: Collection[int] | None) -> None:
    """Make what is stored of these contacts (``None``: everybody) what their likely-same people's histories say."""
    if contact_ids is not None:
        if contact_ids:
            _refresh_some(session, contact_ids)
        return
    # Nothing may have been counted yet of a house that just moved in; see ``permitted.refresh_permitted``.
    session.execute(sa.text("SET LOCAL enable_nestloop = off"))
    session.execute(sa.text(_store(_ALL)), _parameters(session, ()))
    session.execute(sa.text("SET LOCAL enable_nestloop = on"))


def _refresh_some(session: ScopedSession, contact_ids: Collection[int]) -> None:
    given, raw = _parameters(session, contact_ids), session.connection().connection.driver_connection
    if len(contact_ids) > FEW or raw is None:
        session.execute(sa.text(_STORE_SOME), given)
    else:
        # Planning it takes longer than executing it: it is prepared the first time, and not after it came a few times.
        raw.execute(re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", _STORE_SOME), given, prepare=True)


def find_differing_visits(session: ScopedSession) -> set[int]:
    """The contacts of whom something else is stored than is true now, waiting changes included."""
    session.execute(sa.text("SET LOCAL enable_nestloop = off"))
    found = set(session.scalars(sa.text(_DIFFERENT), _parameters(session, ())))
    session.execute(sa.text("SET LOCAL enable_nestloop = on"))
    return found


def stored_visits(session: ScopedSession) -> StoredVisits | None:
    """About whom what is stored need not be right (yet); ``None`` where it cannot be used at all."""
    state = session.execute(sa.text(_STATE), {"kinds": sorted(LOOKED_AT)}).one_or_none()
    if state is None or not state.is_filled or state.is_everybody or state.waiting > CHANGING_MAX:
        return None
    if not state.waiting:
        return StoredVisits()
    noted = session.execute(sa.text(_NOTED), {"kinds": sorted(LOOKED_AT)}).all()
    changed, lost = _all_of(row.ids for row in noted), _all_of(row.lost_keys for row in noted)
    changing = changed | find_alike(session, changed, lost, KINDS)
    return StoredVisits(tuple(sorted(changing))) if len(changing) <= CHANGING_MAX else None


def _all_of(lists: Iterable[list[int] | None]) -> set[int]:
    return {one for some in lists for one in some or ()}


def _parameters(session: ScopedSession, contact_ids: Collection[int]) -> dict[str, object]:
    return {"organisation_id": session.organisation_id, "ids": array_text(contact_ids)}


_STATE = """
SELECT u.permitted_on IS NOT NULL AS is_filled, COALESCE(noted.waiting, 0) AS waiting,
       COALESCE(noted.is_everybody, false) AS is_everybody
  FROM segment_upkeep AS u,
       LATERAL (SELECT sum(c.size) AS waiting, bool_or(c.about = 'everybody') AS is_everybody
                  FROM contact_change AS c
                 WHERE c.organisation_id = u.organisation_id
                   AND (c.kind = ANY (:kinds) OR c.about = 'everybody')) AS noted
"""

_NOTED = "SELECT ids, lost_keys FROM contact_change WHERE about = 'contact' AND kind = ANY (:kinds)"

_COLUMNS = "c.id, c.like_name, c.like_phone, c.like_birth, c.like_number, c.like_address"
_ALL = f"""
one AS MATERIALIZED (
    SELECT {_COLUMNS} FROM contact AS c WHERE c.organisation_id = :organisation_id AND c.state = 'living'
), near AS (SELECT * FROM one)"""
# Whoever shares a key with one of them, by index.
_KEYS = (*likeness.PERSON, *likeness.HOUSEHOLD)
_SHARING = " UNION ".join(
    f"""SELECT {_COLUMNS} FROM contact AS c
     WHERE c.organisation_id = :organisation_id AND c.state = 'living' AND c.{key} IS NOT NULL
       AND c.{key} = ANY (ARRAY(SELECT one.{key} FROM one))"""
    for key in _KEYS
)
_SOME = f"""
one AS MATERIALIZED (
    SELECT {_COLUMNS} FROM contact AS c
     WHERE c.organisation_id = :organisation_id AND c.state = 'living' AND c.id = ANY (CAST(:ids AS bigint[]))
), near AS ({_SHARING})"""


def _latest(name: str, *keys: str) -> str:
    """The two latest visits among those who share these keys, so that everybody has that of another."""
    some = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    by = ", ".join(keys)
    return f"""{name} AS (
    SELECT {by}, (array_agg(last_on ORDER BY last_on DESC))[1:2] AS latest
      FROM visit WHERE {some} GROUP BY {by}
)"""


def _of_another(name: str) -> str:
    return f"{name}.latest[CASE WHEN {name}.latest[1] = own.last_on THEN 2 ELSE 1 END]"


# People of one name in one place are alike unless both have a number and it is not the same: without a number they are
# alike to all of the name, with one to those of the number and to those without.
_VISITS = f"""
visit AS MATERIALIZED (
    SELECT near.*, h.activity_dates[cardinality(h.activity_dates)] AS last_on
      FROM near
      JOIN contact_history AS h ON h.organisation_id = :organisation_id AND h.contact_id = near.id
     WHERE cardinality(h.activity_dates) > 0
), {_latest("by_name", "like_name")}, {_latest("by_number", "like_name", "like_number")},
{_latest("by_phone", "like_phone")}, {_latest("by_birth", "like_birth")}, {_latest("by_address", "like_address")},
without_number AS (
    SELECT like_name, max(last_on) AS latest FROM visit
     WHERE like_name IS NOT NULL AND like_number IS NULL GROUP BY like_name
), own AS (
    SELECT one.*, visit.last_on FROM one LEFT JOIN visit ON visit.id = one.id
), now AS MATERIALIZED (
    SELECT * FROM (
        SELECT own.id AS contact_id,
               GREATEST(CASE WHEN own.like_number IS NULL THEN {_of_another("by_name")}
                             ELSE GREATEST({_of_another("by_number")}, without_number.latest) END,
                        {_of_another("by_phone")}, {_of_another("by_birth")}) AS person_on,
               {_of_another("by_address")} AS household_on
          FROM own
          LEFT JOIN by_name ON by_name.like_name = own.like_name
          LEFT JOIN by_number ON by_number.like_name = own.like_name AND by_number.like_number = own.like_number
          LEFT JOIN without_number ON without_number.like_name = own.like_name
          LEFT JOIN by_phone ON by_phone.like_phone = own.like_phone
          LEFT JOIN by_birth ON by_birth.like_birth = own.like_birth
          LEFT JOIN by_address ON by_address.like_address = own.like_address) AS each
     WHERE person_on IS NOT NULL OR household_on IS NOT NULL
)"""


def _store(of: str) -> str:
    some = "AND stored.contact_id = ANY (CAST(:ids AS bigint[]))" if of is _SOME else ""
    return f"""
WITH {of}, {_VISITS}, gone AS (
    DELETE FROM alike_visit AS stored
     WHERE stored.organisation_id = :organisation_id {some}
       AND NOT EXISTS (SELECT FROM now WHERE now.contact_id = stored.contact_id)
)
INSERT INTO alike_visit AS stored (organisation_id, contact_id, person_on, household_on)
SELECT :organisation_id, now.contact_id, now.person_on, now.household_on FROM now
    ON CONFLICT (organisation_id, contact_id) DO UPDATE
   SET person_on = excluded.person_on, household_on = excluded.household_on
 WHERE (stored.person_on, stored.household_on) IS DISTINCT FROM (excluded.person_on, excluded.household_on)
"""


_STORE_SOME = _store(_SOME)

_DIFFERENT = f"""
WITH {_ALL}, {_VISITS}
SELECT COALESCE(now.contact_id, stored.contact_id)
  FROM now
  FULL JOIN (SELECT * FROM alike_visit WHERE organisation_id = :organisation_id) AS stored
    ON stored.contact_id = now.contact_id
 WHERE (stored.person_on, stored.household_on) IS DISTINCT FROM (now.person_on, now.household_on)
"""
