"""One webhook as one statement: the person, the address, the ticket line, each made or brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg

from app import postgres
from app.runtime import Runtime
from bench.limits.box_office import SOURCE, Line

_STATEMENT = """
WITH known AS (
    SELECT contact_id FROM identity
     WHERE organisation_id = %(organisation_id)s AND kind = 'email' AND value_key = %(email)s
), made AS (
    INSERT INTO contact (organisation_id, email, given_name, family_name, language, postcode, municipality, country,
                         source, created_at, updated_at)
    SELECT %(organisation_id)s, %(email)s, %(given_name)s, %(family_name)s, %(language)s, %(postcode)s,
           %(municipality)s, %(country)s, %(source)s, now(), now()
     WHERE NOT EXISTS (SELECT FROM known)
    RETURNING id
), named AS (
    INSERT INTO identity (organisation_id, contact_id, kind, value, value_key, subject_key, is_primary, source,
                          created_at)
    SELECT %(organisation_id)s, id, 'email', %(email)s, %(email)s, %(subject_key)s, true, %(source)s, now() FROM made
), person AS (
    SELECT contact_id FROM known UNION ALL SELECT id FROM made
)
INSERT INTO participation AS held
       (organisation_id, contact_id, activity_id, source, external_id, status, quantity, amount, channel, booked_at,
        booked_on, activity_on, created_at, updated_at)
SELECT %(organisation_id)s, person.contact_id, activity.id, %(source)s, %(line)s, %(status)s, %(quantity)s, %(amount)s,
       %(channel)s, %(booked_at)s, (%(booked_at)s::timestamptz AT TIME ZONE 'Europe/Brussels')::date,
       COALESCE(activity.starts_on, (%(booked_at)s::timestamptz AT TIME ZONE 'Europe/Brussels')::date), now(), now()
  FROM person, activity
 WHERE activity.organisation_id = %(organisation_id)s AND activity.source = %(activity_source)s
   AND activity.external_id = %(activity)s
    ON CONFLICT (organisation_id, source, external_id) DO UPDATE
   SET status = excluded.status, quantity = excluded.quantity, amount = excluded.amount,
       updated_at = excluded.updated_at
 WHERE (held.status, held.quantity, held.amount) IS DISTINCT FROM (excluded.status, excluded.quantity, excluded.amount)
"""
_NAMES = (
    "email", "customer", "given_name", "family_name", "language", "postcode", "municipality", "country", "line",
    "activity", "quantity", "amount", "channel", "status", "booked_at",
)  # fmt: skip


class Connected:
    """One connection of the application's role, scoped to an organisation, that commits after every statement."""

    def __init__(self, runtime: Runtime, organisation_id: int) -> None:
        """Connect; the statement is prepared by the time it is measured."""
        url = postgres.locate(runtime.settings, runtime.keyring).app_url
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
        self._connection.execute("SELECT set_config('zaallicht.organisation_id', %s, false)", (str(organisation_id),))
        self._organisation_id = organisation_id

    def store(self, lines: Sequence[Line], *, activity_source: str, subject_key: Callable[[str], bytes]) -> None:
        """Store lines one by one, each with its own commit."""
        for line in lines:
            values: dict[str, object] = dict(zip(_NAMES, line, strict=True))
            self._connection.execute(
                _STATEMENT,
                values
                | {
                    "organisation_id": self._organisation_id,
                    "source": SOURCE,
                    "activity_source": activity_source,
                    "subject_key": subject_key(line[0]),
                },
            )

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
