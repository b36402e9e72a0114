"""COPY and merge by hand: what somebody who knows the tables by heart would write for one load of one box office."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import text

from app.db import ScopedSession, transaction
from app.runtime import Runtime
from bench.limits.box_office import SOURCE, Line

COLUMNS = (
    "email", "customer", "given_name", "family_name", "language", "postcode", "municipality", "country", "line",
    "activity", "quantity", "amount", "channel", "status", "booked_at",
)  # fmt: skip

_STAGING = """
CREATE TEMPORARY TABLE line_in (
    email text, customer text, given_name text, family_name text, language text, postcode text, municipality text,
    country text, line text, activity text, quantity integer, amount numeric, channel text, status text,
    booked_at timestamptz, subject_key bytea
) ON COMMIT DROP
"""
_PEOPLE = """
CREATE TEMPORARY TABLE person_in ON COMMIT DROP AS
SELECT DISTINCT ON (line_in.email) line_in.*, identity.contact_id AS known_id,
       COALESCE(identity.contact_id, nextval(pg_get_serial_sequence('contact', 'id'))) AS contact_id
  FROM line_in
  LEFT JOIN identity ON identity.organisation_id = :organisation_id
   AND identity.kind = 'email' AND identity.value_key = line_in.email
 ORDER BY line_in.email
"""
_CONTACTS = """
INSERT INTO contact (organisation_id, id, email, given_name, family_name, language, postcode, municipality, country,
                     source, created_at, updated_at)
SELECT :organisation_id, contact_id, email, given_name, family_name, language, postcode, municipality, country,
       :source, now(), now()
  FROM person_in WHERE known_id IS NULL
"""
_IDENTITIES = """
INSERT INTO identity (organisation_id, contact_id, kind, value, value_key, subject_key, is_primary, source, created_at)
SELECT :organisation_id, contact_id, 'email', email, email, subject_key, true, :source, now()
  FROM person_in WHERE known_id IS NULL
"""
_CHANGED = """
UPDATE contact
   SET given_name = person_in.given_name, family_name = person_in.family_name, language = person_in.language,
       postcode = person_in.postcode, municipality = person_in.municipality, country = person_in.country,
       updated_at = now()
  FROM person_in
 WHERE contact.organisation_id = :organisation_id AND contact.id = person_in.known_id
   AND (contact.given_name, contact.family_name, contact.language, contact.postcode, contact.municipality,
        contact.country)
       IS DISTINCT FROM (person_in.given_name, person_in.family_name, person_in.language, person_in.postcode,
                         person_in.municipality, person_in.country)
"""
_PARTICIPATIONS = """
INSERT INTO participation AS held
       (organisation_id, contact_id, activity_id, source, external_id, status, quantity, amount, channel, booked_at,
        booked_on, activity_on, created_at, updated_at)
SELECT :organisation_id, person_in.contact_id, activity.id, :source, line_in.line, line_in.status, line_in.quantity,
       line_in.amount, line_in.channel, line_in.booked_at, (line_in.booked_at AT TIME ZONE :time_zone)::date,
       COALESCE(activity.starts_on, (line_in.booked_at AT TIME ZONE :time_zone)::date), now(), now()
  FROM line_in
  JOIN person_in USING (email)
  JOIN activity ON activity.organisation_id = :organisation_id AND activity.source = :activity_source
   AND activity.external_id = line_in.activity
    ON CONFLICT (organisation_id, source, external_id) DO UPDATE
   SET status = excluded.status, quantity = excluded.quantity, amount = excluded.amount, channel = excluded.channel,
       booked_at = excluded.booked_at, booked_on = excluded.booked_on, activity_on = excluded.activity_on,
       contact_id = excluded.contact_id, activity_id = excluded.activity_id, updated_at = excluded.updated_at
 WHERE (held.status, held.quantity, held.amount, held.channel, held.booked_at, held.activity_on)
       IS DISTINCT FROM (excluded.status, excluded.quantity, excluded.amount, excluded.channel, excluded.booked_at,
                         excluded.activity_on)
"""


def load(
    runtime: Runtime,
    organisation_id: int,
    lines: Sequence[Line],
    *,
    activity_source: str,
    subject_key: Callable[[str], bytes],
) -> None:
    """Store lines in one transaction."""
    with transaction(runtime.engine, organisation_id) as session:
        session.execute(text(_STAGING))
        _copy(session, lines, subject_key)
        same = {
            "organisation_id": organisation_id,
            "source": SOURCE,
            "activity_source": activity_source,
            "time_zone": "Europe/Brussels",
        }
        for statement in (_PEOPLE, _CONTACTS, _IDENTITIES, _CHANGED, _PARTICIPATIONS):
            used = {name: value for name, value in same.items() if f":{name}" in statement}
            session.execute(text(statement), used)


def _copy(session: ScopedSession, lines: Sequence[Line], subject_key: Callable[[str], bytes]) -> None:
    connection = session.connection().connection.driver_connection
    assert connection is not None
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY line_in ({', '.join(COLUMNS)}, subject_key) FROM STDIN") as copy,
    ):
        for line in lines:
            copy.write_row((*line, subject_key(line[0])))
