"""The packed history of every contact, kept by the database itself whatever changes a participation

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CONTACTS_AT_ONCE = 20_000

# What the history of some contacts is: the only place that says so. One row for each id that is given, empty arrays
# where there is no valid participation. Sums are taken by day (RANGE), so that they do not depend on the order of rows
# within one. A genre's dates are numbered: place of the genre in `genres` * 2^32 + days since 2000-01-01.
PACKED = """
CREATE FUNCTION packed_history(house integer, ids bigint[])
RETURNS TABLE (contact_id bigint, activity_dates date[], activity_days date[], booking_dates date[],
               lead_days integer[], tickets bigint[], spend bigint[], genres text[], genre_dates bigint[])
LANGUAGE sql STABLE
AS $$
WITH visit AS MATERIALIZED (
    SELECT p.contact_id, p.activity_id, p.activity_on, p.booked_on,
           CAST(sum(p.quantity) OVER by_day AS bigint) AS tickets,
           CAST(100 * sum(COALESCE(p.amount, 0)) OVER by_day AS bigint) AS spend
      FROM participation AS p
     WHERE p.organisation_id = house AND p.contact_id = ANY (ids) AND p.is_valid
    WINDOW by_day AS (PARTITION BY p.contact_id ORDER BY p.activity_on)
), packed AS (
    SELECT visit.contact_id, array_agg(activity_on ORDER BY activity_on) AS activity_dates,
           array_agg(DISTINCT activity_on ORDER BY activity_on) AS activity_days,
           array_agg(booked_on ORDER BY booked_on) AS booking_dates,
           array_agg(activity_on - booked_on ORDER BY activity_on, activity_on - booked_on) AS lead_days,
           array_agg(tickets ORDER BY activity_on) AS tickets, array_agg(spend ORDER BY activity_on) AS spend
      FROM visit
     GROUP BY visit.contact_id
), kind AS MATERIALIZED (
    SELECT DISTINCT a.id AS activity_id, lower(genre) COLLATE "C" AS genre
      FROM activity AS a, unnest(a.genres) AS genre
     WHERE a.organisation_id = house AND a.id IN (SELECT visit.activity_id FROM visit) AND genre IS NOT NULL
), numbered AS (
    SELECT visit.contact_id, kind.genre, visit.activity_on,
           dense_rank() OVER (PARTITION BY visit.contact_id ORDER BY kind.genre) AS place
      FROM visit JOIN kind USING (activity_id)
), by_genre AS (
    SELECT numbered.contact_id, array_agg(DISTINCT genre ORDER BY genre) AS genres,
           array_agg(place * 4294967296 + (activity_on - DATE '2000-01-01')
                     ORDER BY place * 4294967296 + (activity_on - DATE '2000-01-01')) AS genre_dates
      FROM numbered
     GROUP BY numbered.contact_id
)
SELECT given.id, COALESCE(packed.activity_dates, '{}'),
       -- Most people come once a day: nothing is kept twice.
       CASE WHEN cardinality(packed.activity_days) < cardinality(packed.activity_dates) THEN packed.activity_days END,
       COALESCE(packed.booking_dates, '{}'), COALESCE(packed.lead_days, '{}'),
       COALESCE(packed.tickets, '{}'), COALESCE(packed.spend, '{}'),
       COALESCE(by_genre.genres, '{}'), COALESCE(by_genre.genre_dates, '{}')
  FROM unnest(ids) AS given(id)
  LEFT JOIN packed ON packed.contact_id = given.id
  LEFT JOIN by_genre ON by_genre.contact_id = given.id
$$
"""

# Whoever changes somebody's history holds its row first, in the order of ids (made empty where there is none yet: an
# insert waits for whoever makes it at the same time), and works the history out in a statement after that. Under READ
# COMMITTED that statement sees what was committed while it waited, so that nothing anybody added is lost.
REPACK = """
CREATE FUNCTION repack_history(house integer, ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    changed bigint;
BEGIN
    INSERT INTO contact_history AS held (organisation_id, contact_id, activity_dates)
    SELECT house, c.id, '{}' FROM contact AS c WHERE c.organisation_id = house AND c.id = ANY (ids) ORDER BY c.id
        ON CONFLICT (organisation_id, contact_id) DO UPDATE SET activity_dates = held.activity_dates WHERE false;
    WITH now_is AS MATERIALIZED (
        SELECT packed.* FROM packed_history(house, ids) AS packed
          JOIN contact AS c ON c.organisation_id = house AND c.id = packed.contact_id
    ), dates AS (
        UPDATE contact_history AS held
           SET activity_dates = now_is.activity_dates, activity_days = now_is.activity_days
          FROM now_is
         WHERE held.organisation_id = house AND held.contact_id = now_is.contact_id
           AND (held.activity_dates, held.activity_days)
               IS DISTINCT FROM (now_is.activity_dates, now_is.activity_days)
        RETURNING held.contact_id
    ), details AS (
        INSERT INTO contact_history_detail AS held
               (organisation_id, contact_id, booking_dates, lead_days, tickets, spend, genres, genre_dates)
        SELECT house, contact_id, booking_dates, lead_days, tickets, spend, genres, genre_dates FROM now_is
            ON CONFLICT (organisation_id, contact_id) DO UPDATE
           SET booking_dates = excluded.booking_dates, lead_days = excluded.lead_days, tickets = excluded.tickets, spend = excluded.spend,
               genres = excluded.genres, genre_dates = excluded.genre_dates
         WHERE (held.booking_dates, held.lead_days, held.tickets, held.spend, held.genres, held.genre_dates)
               IS DISTINCT FROM (excluded.booking_dates, excluded.lead_days, excluded.tickets, excluded.spend, excluded.genres,
                                 excluded.genre_dates)
        RETURNING held.contact_id
    )
    SELECT count(*) INTO changed FROM (SELECT contact_id FROM dates UNION SELECT contact_id FROM details) AS either;
    RETURN changed;
END
$$
"""

# A statement that changes participations ends with the history of whoever they were and are of. Only what the history
# is made of counts: a statement that touches nothing of it costs a comparison.
MADE_OF = "organisation_id, id, contact_id, activity_id, activity_on, booked_on, quantity, amount"
VALID = {name: f"SELECT {MADE_OF} FROM {name} WHERE is_valid" for name in ("added", "removed")}
DIFFERENT = f"(({VALID['added']} EXCEPT {VALID['removed']}) UNION ALL ({VALID['removed']} EXCEPT {VALID['added']})) AS different"
FOLLOW = """
CREATE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    house integer;
    ids bigint[];
BEGIN
    FOR house, ids IN
        SELECT organisation_id, array_agg(DISTINCT contact_id ORDER BY contact_id)
          FROM {rows}
         GROUP BY organisation_id
    LOOP
        PERFORM repack_history(house, ids);
    END LOOP;
    RETURN NULL;
END
$$
"""
FOLLOWERS = {
    "participation_added": ("INSERT", "NEW TABLE AS added", "added WHERE is_valid"),
    "participation_removed": ("DELETE", "OLD TABLE AS removed", "removed WHERE is_valid"),
    "participation_changed": ("UPDATE", "OLD TABLE AS removed NEW TABLE AS added", DIFFERENT),
}

# Other genres of an activity are other genres of everybody who took part. FOR UPDATE waits for whoever is adding a
# participation to it (a foreign key holds the activity FOR KEY SHARE) and lets nobody begin to. A participation that is
# there already can be on its way to another contact, or to being valid again: its contacts are looked for again once
# the history of those who were found is held.
REGENRED = """
CREATE FUNCTION activity_regenred() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    house integer;
    activities bigint[];
    ids bigint[];
    done bigint[];
BEGIN
    FOR house, activities IN
        SELECT added.organisation_id, array_agg(added.id)
          FROM added JOIN removed USING (organisation_id, id)
         WHERE added.genres IS DISTINCT FROM removed.genres
         GROUP BY added.organisation_id
    LOOP
        PERFORM FROM activity WHERE organisation_id = house AND id = ANY (activities) ORDER BY id FOR UPDATE;
        done := '{}';
        LOOP
            SELECT array_agg(DISTINCT contact_id ORDER BY contact_id) INTO ids
              FROM participation
             WHERE organisation_id = house AND activity_id = ANY (activities) AND contact_id <> ALL (done);
            EXIT WHEN ids IS NULL;
            PERFORM repack_history(house, ids);
            done := done || ids;
        END LOOP;
    END LOOP;
    RETURN NULL;
END
$$
"""

PARTS = """
SELECT organisation_id, array_agg(contact_id)
  FROM (SELECT organisation_id, contact_id, (row_number() OVER (ORDER BY organisation_id, contact_id) - 1) / :size AS part
          FROM participation WHERE is_valid GROUP BY organisation_id, contact_id) AS each
 GROUP BY organisation_id, part
 ORDER BY organisation_id, part
"""
# Nobody else writes while a migration holds the tables, so that rows are made as they are to be.
FILL_DATES = """
INSERT INTO contact_history (organisation_id, contact_id, activity_dates, activity_days)
SELECT :house, contact_id, activity_dates, activity_days
  FROM packed_history(:house, CAST(:ids AS bigint[])) ORDER BY contact_id
"""
FILL_DETAILS = """
INSERT INTO contact_history_detail
       (organisation_id, contact_id, booking_dates, lead_days, tickets, spend, genres, genre_dates)
SELECT :house, contact_id, booking_dates, lead_days, tickets, spend, genres, genre_dates
  FROM packed_history(:house, CAST(:ids AS bigint[])) ORDER BY contact_id
"""


def upgrade() -> None:
    _make_tables()
    op.create_index(
        "ix_participation_large",
        "participation",
        ["organisation_id", "activity_on"],
        postgresql_include=["contact_id", "quantity"],
        postgresql_where=sa.text("is_valid AND quantity >= 5"),
    )
    op.execute(PACKED)
    op.execute(REPACK)
    for name, (event, tables, rows) in FOLLOWERS.items():
        op.execute(FOLLOW.format(name=name, rows=rows))
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON participation REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    op.execute(REGENRED)
    op.execute(
        "CREATE TRIGGER activity_regenred AFTER UPDATE ON activity REFERENCING OLD TABLE AS removed NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION activity_regenred()"
    )
    _fill()


def downgrade() -> None:
    op.drop_index("ix_participation_large", table_name="participation")
    op.execute("DROP TRIGGER activity_regenred ON activity")
    op.execute("DROP FUNCTION activity_regenred()")
    for name in FOLLOWERS:
        op.execute(f"DROP TRIGGER {name} ON participation")
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION repack_history(integer, bigint[])")
    op.execute("DROP FUNCTION packed_history(integer, bigint[])")
    op.drop_table("contact_history_detail")
    op.drop_table("contact_history")


def _make_tables() -> None:
    dates, sums = postgresql.ARRAY(sa.Date()), postgresql.ARRAY(sa.BigInteger())
    _make_table(
        "contact_history",
        sa.Column("activity_dates", dates, nullable=False),
        sa.Column("activity_days", dates),
    )
    _make_table(
        "contact_history_detail",
        sa.Column("booking_dates", dates, nullable=False),
        sa.Column("lead_days", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("tickets", sums, nullable=False),
        sa.Column("spend", sums, nullable=False),
        sa.Column("genres", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("genre_dates", sums, nullable=False),
    )
    op.create_index("ix_contact_history_detail_genres", "contact_history_detail", ["genres"], postgresql_using="gin")


def _make_table(name: str, *columns: "sa.Column[object]") -> None:
    op.create_table(
        name,
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f(f"fk_{name}_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "contact_id", name=op.f(f"pk_{name}")),
    )
    protect(name)


def _fill() -> None:
    """Pack what is there already, whoever's it is: for that, the owner steps over the wall for a moment."""
    walled = ("contact", "activity", "participation", "contact_history", "contact_history_detail")
    for table in walled:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    connection = op.get_bind()
    for house, ids in connection.execute(sa.text(PARTS), {"size": CONTACTS_AT_ONCE}).all():
        for statement in (FILL_DATES, FILL_DETAILS):
            connection.execute(sa.text(statement), {"house": house, "ids": ids})
    for table in walled:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
