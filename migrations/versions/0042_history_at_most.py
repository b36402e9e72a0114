"""The packed history: the last day of each genre and the lead days, sorted, so that what cannot be is told at once

Revision ID: 0042
Revises: 0041
"""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

# A genre's dates are numbered place * 2^32 + days since 2000-01-01, so that the lower half is the day.
LAST_DAYS = """
CREATE FUNCTION last_days_of_genres(genre_dates bigint[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT COALESCE(array_agg(last_day ORDER BY last_day), '{}')
  FROM (SELECT CAST(max(key - (key + 2147483648) / 4294967296 * 4294967296) AS integer) AS last_day
          FROM unnest(genre_dates) AS key
         GROUP BY (key + 2147483648) / 4294967296) AS genre
$$
"""
SORTED = """
CREATE FUNCTION sorted_numbers(numbers integer[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT COALESCE(array_agg(number ORDER BY number), '{}') FROM unnest(numbers) AS number
$$
"""


def upgrade() -> None:
    op.execute(LAST_DAYS)
    op.execute(SORTED)
    op.execute(
        "ALTER TABLE contact_history_detail"
        " ADD COLUMN genre_lasts integer[] GENERATED ALWAYS AS (last_days_of_genres(genre_dates)) STORED,"
        " ADD COLUMN sorted_lead_days integer[] GENERATED ALWAYS AS (sorted_numbers(lead_days)) STORED"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE contact_history_detail DROP COLUMN genre_lasts, DROP COLUMN sorted_lead_days")
    op.execute("DROP FUNCTION last_days_of_genres(bigint[])")
    op.execute("DROP FUNCTION sorted_numbers(integer[])")
