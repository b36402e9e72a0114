"""The packed history: worked out at the commit, so that nobody waits for another's; genres and lead days by themselves

Revision ID: 0052
Revises: 0051
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

# What the history of some contacts is: the only place that says so, as before. Lead days and their dates are numbered
# like genres and theirs: days from booking to activity * 2^32 + days since 2000-01-01.
PACKED = """
CREATE FUNCTION packed_history(house integer, ids bigint[])
RETURNS TABLE (contact_id bigint, activity_dates date[], activity_days date[], booking_dates date[],
               lead_dates bigint[], tickets bigint[], spend bigint[], genres text[], genre_dates bigint[])
LANGUAGE sql STABLE
AS $$
WITH visit AS MATERIALIZED (
    SELECT p.contact_id, p.activity_id, p.activity_on, p.booked_on, p.activity_on - DATE '2000-01-01' AS day,
           CAST(sum(p.quantity) OVER by_day AS bigint) AS tickets,
           CAST(100 * sum(COALESCE(p.amount, 0)) OVER by_day AS bigint) AS spend
      FROM participation AS p
     WHERE p.organisation_id = house AND p.contact_id = ANY (ids) AND p.is_valid
    WINDOW by_day AS (PARTITION BY p.contact_id ORDER BY p.activity_on)
), packed AS (
    SELECT visit.contact_id, array_agg(activity_on ORDER BY activity_on) AS activity_dates,
           array_agg(DISTINCT activity_on ORDER BY activity_on) AS activity_days,
           array_agg(booked_on ORDER BY booked_on) AS booking_dates,
           array_agg(CAST(activity_on - booked_on AS bigint) * 4294967296 + day
                     ORDER BY CAST(activity_on - booked_on AS bigint) * 4294967296 + day) AS lead_dates,
           array_agg(tickets ORDER BY activity_on) AS tickets, array_agg(spend ORDER BY activity_on) AS spend
      FROM visit
     GROUP BY visit.contact_id
), kind AS MATERIALIZED (
    SELECT DISTINCT a.id AS activity_id, lower(genre) COLLATE "C" AS genre
      FROM activity AS a, unnest(a.genres) AS genre
     WHERE a.organisation_id = house AND a.id IN (SELECT visit.activity_id FROM visit) AND genre IS NOT NULL
), numbered AS (
    SELECT visit.contact_id, kind.genre, visit.day,
           dense_rank() OVER (PARTITION BY visit.contact_id ORDER BY kind.genre) AS place
      FROM visit JOIN kind USING (activity_id)
), by_genre AS (
    SELECT numbered.contact_id, array_agg(DISTINCT genre ORDER BY genre) AS genres,
           array_agg(place * 4294967296 + day ORDER BY place * 4294967296 + day) AS genre_dates
      FROM numbered
     GROUP BY numbered.contact_id
)
SELECT given.id, COALESCE(packed.activity_dates, '{}'),
       -- Most people come once a day: nothing is kept twice.
       CASE WHEN cardinality(packed.activity_days) < cardinality(packed.activity_dates) THEN packed.activity_days END,
       COALESCE(packed.booking_dates, '{}'), COALESCE(packed.lead_dates, '{}'),
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
        INSERT INTO contact_history_detail AS held (organisation_id, contact_id, booking_dates, tickets, spend)
        SELECT house, contact_id, booking_dates, tickets, spend FROM now_is
            ON CONFLICT (organisation_id, contact_id) DO UPDATE
           SET booking_dates = excluded.booking_dates, tickets = excluded.tickets, spend = excluded.spend
         WHERE (held.booking_dates, held.tickets, held.spend)
               IS DISTINCT FROM (excluded.booking_dates, excluded.tickets, excluded.spend)
        RETURNING held.contact_id
    ), leads AS (
        INSERT INTO contact_history_leads AS held (organisation_id, contact_id, lead_dates)
        SELECT house, contact_id, lead_dates FROM now_is
            ON CONFLICT (organisation_id, contact_id) DO UPDATE SET lead_dates = excluded.lead_dates
         WHERE held.lead_dates IS DISTINCT FROM excluded.lead_dates
        RETURNING held.contact_id
    ), kinds AS (
        INSERT INTO contact_history_genres AS held (organisation_id, contact_id, genres, genre_dates)
        SELECT house, contact_id, genres, genre_dates FROM now_is
            ON CONFLICT (organisation_id, contact_id) DO UPDATE
           SET genres = excluded.genres, genre_dates = excluded.genre_dates
         WHERE (held.genres, held.genre_dates) IS DISTINCT FROM (excluded.genres, excluded.genre_dates)
        RETURNING held.contact_id
    )
    SELECT count(*) INTO changed
      FROM (SELECT contact_id FROM dates UNION SELECT contact_id FROM details
            UNION SELECT contact_id FROM leads UNION SELECT contact_id FROM kinds) AS either;
    RETURN changed;
END
$$
"""

# What statements left to be worked out, for a house, once and in the order of contacts: at the commit, when nothing is
# left to wait for, so that two who change the same people in another order never wait for each other. Nobody sees the
# notes of another transaction, for they are gone when it commits.
#
# Other genres of an activity are other genres of everybody who took part. A participation can be on its way to another
# contact, or to being valid again: its contacts are looked for again once the history of those who were found is held.
SETTLE = """
CREATE FUNCTION settle_histories(house integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    at_once CONSTANT integer := 20000;
    contacts bigint[];
    activities bigint[];
    others bigint[];
BEGIN
    WITH due AS (DELETE FROM history_due WHERE organisation_id = house RETURNING contact_ids, activity_ids)
    SELECT (SELECT array_agg(DISTINCT id ORDER BY id) FROM due, unnest(contact_ids) AS id),
           (SELECT array_agg(DISTINCT id) FROM due, unnest(activity_ids) AS id)
      INTO contacts, activities;
    IF activities IS NOT NULL THEN
        SELECT array_agg(id ORDER BY id) INTO contacts
          FROM (SELECT unnest(contacts) AS id UNION SELECT contact_id FROM participation
                 WHERE organisation_id = house AND activity_id = ANY (activities)) AS either;
    END IF;
    FOR place IN 1 .. COALESCE(cardinality(contacts), 0) BY at_once LOOP
        PERFORM repack_history(house, contacts[place : place + at_once - 1]);
    END LOOP;
    WHILE activities IS NOT NULL LOOP
        SELECT array_agg(id ORDER BY id) INTO others
          FROM (SELECT contact_id AS id FROM participation
                 WHERE organisation_id = house AND activity_id = ANY (activities)
                EXCEPT SELECT unnest(contacts)) AS found;
        EXIT WHEN others IS NULL;
        PERFORM repack_history(house, others);
        contacts := contacts || others;
    END LOOP;
END
$$
"""
# At the commit of a transaction that was in more than one house, the wall is that of the last one.
AT_COMMIT = """
CREATE FUNCTION history_is_due() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    before text := current_setting('zaallicht.organisation_id', true);
BEGIN
    PERFORM set_config('zaallicht.organisation_id', CAST(NEW.organisation_id AS text), true);
    PERFORM settle_histories(NEW.organisation_id);
    PERFORM set_config('zaallicht.organisation_id', COALESCE(before, ''), true);
    RETURN NULL;
END
$$
"""

# A statement that changes participations leaves a note about whoever they were and are of. Only what the history is
# made of counts: a statement that touches nothing of it costs a comparison.
MADE_OF = "organisation_id, id, contact_id, activity_id, activity_on, booked_on, quantity, amount"
VALID = {name: f"SELECT {MADE_OF} FROM {name} WHERE is_valid" for name in ("added", "removed")}
DIFFERENT = f"(({VALID['added']} EXCEPT {VALID['removed']}) UNION ALL ({VALID['removed']} EXCEPT {VALID['added']})) AS different"
FOLLOW = """
CREATE FUNCTION {name}() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO history_due (organisation_id, contact_ids)
    SELECT organisation_id, array_agg(DISTINCT contact_id) FROM {rows} GROUP BY organisation_id;
    RETURN NULL;
END
$$
"""
FOLLOWERS = {
    "participation_added": "added WHERE is_valid",
    "participation_removed": "removed WHERE is_valid",
    "participation_changed": DIFFERENT,
}

# FOR UPDATE waits for whoever is adding a participation to the activity (a foreign key holds it FOR KEY SHARE) and lets
# nobody begin to.
REGENRED = """
CREATE FUNCTION activity_regenred() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    house integer;
    activities bigint[];
BEGIN
    FOR house, activities IN
        SELECT added.organisation_id, array_agg(added.id)
          FROM added JOIN removed USING (organisation_id, id)
         WHERE added.genres IS DISTINCT FROM removed.genres
         GROUP BY added.organisation_id
    LOOP
        PERFORM FROM activity WHERE organisation_id = house AND id = ANY (activities) ORDER BY id FOR UPDATE;
        INSERT INTO history_due (organisation_id, activity_ids) VALUES (house, activities);
    END LOOP;
    RETURN NULL;
END
$$
"""

# How many genres have a date after `since`, up to and with `before` (days since 2000-01-01): two searches for each.
# In a condition, unlike a subquery, a function keeps no other core from helping.
COUNT_GENRES = """
CREATE FUNCTION count_genres(genre_dates bigint[], since bigint, before bigint) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    base bigint := 0;
    found integer := 0;
BEGIN
    FOR place IN 1 .. COALESCE((genre_dates[cardinality(genre_dates)] + 2147483648) >> 32, 0) LOOP
        base := base + 4294967296;
        IF width_bucket(base + before, genre_dates) > width_bucket(base + since, genre_dates) THEN
            found := found + 1;
        END IF;
    END LOOP;
    RETURN found;
END
$$
"""
# How many visits were booked from `low` to `high` days ahead, both included, on dates as above.
COUNT_LEADS = """
CREATE FUNCTION count_leads(lead_dates bigint[], low bigint, high bigint, since bigint, before bigint) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    RETURN (SELECT count(*)
              FROM unnest(lead_dates[width_bucket(low * 4294967296 - 2147483649, lead_dates) + 1
                                     : width_bucket(high * 4294967296 + 2147483647, lead_dates)]) AS key
             WHERE key - ((key + 2147483648) >> 32) * 4294967296 > since
               AND key - ((key + 2147483648) >> 32) * 4294967296 <= before);
END
$$
"""

WALLED = ("contact_history", "contact_history_detail", "contact_history_leads", "contact_history_genres")
FILL_LEADS = """
INSERT INTO contact_history_leads (organisation_id, contact_id, lead_dates)
SELECT organisation_id, contact_id, COALESCE(keys.dates, '{}')
  FROM contact_history_detail AS d
  JOIN contact_history AS h USING (organisation_id, contact_id),
       LATERAL (SELECT array_agg(key ORDER BY key) AS dates
                  FROM unnest(d.lead_days, h.activity_dates) AS visit(lead, day),
                       LATERAL (SELECT CAST(lead AS bigint) * 4294967296 + (day - DATE '2000-01-01') AS key) AS each
               ) AS keys
 ORDER BY organisation_id, contact_id
"""
FILL_GENRES = """
INSERT INTO contact_history_genres (organisation_id, contact_id, genres, genre_dates)
SELECT organisation_id, contact_id, genres, genre_dates FROM contact_history_detail
 ORDER BY organisation_id, contact_id
"""
FILL_BACK = """
UPDATE contact_history_detail AS d
   SET genres = g.genres, genre_dates = g.genre_dates,
       lead_days = COALESCE((SELECT array_agg(CAST((key + 2147483648) >> 32 AS integer)
                                              ORDER BY key - ((key + 2147483648) >> 32) * 4294967296, key)
                               FROM unnest(l.lead_dates) AS key), '{}')
  FROM contact_history_genres AS g JOIN contact_history_leads AS l USING (organisation_id, contact_id)
 WHERE g.organisation_id = d.organisation_id AND g.contact_id = d.contact_id
"""


def upgrade() -> None:
    _drop_functions()
    sums = postgresql.ARRAY(sa.BigInteger())
    _make_table("contact_history_leads", sa.Column("lead_dates", sums, nullable=False))
    _make_table(
        "contact_history_genres",
        sa.Column("genres", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("genre_dates", sums, nullable=False),
        sa.Column(
            "genre_lasts",
            postgresql.ARRAY(sa.Integer()),
            sa.Computed("last_days_of_genres(genre_dates)", persisted=True),
        ),
    )
    _over_the_wall(FILL_LEADS, FILL_GENRES)
    op.create_index("ix_contact_history_genres_genres", "contact_history_genres", ["genres"], postgresql_using="gin")
    op.drop_index("ix_contact_history_detail_genres", table_name="contact_history_detail")
    for name in ("genre_lasts", "sorted_lead_days", "genres", "genre_dates", "lead_days"):
        op.drop_column("contact_history_detail", name)
    # Writes the table anew, without the room that the columns took.
    op.execute("ALTER TABLE contact_history_detail ALTER COLUMN tickets TYPE bigint[] USING tickets || '{}'::bigint[]")
    op.execute("DROP FUNCTION sorted_numbers(integer[])")
    op.create_table(
        "history_due",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_ids", sums),
        sa.Column("activity_ids", sums),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_history_due")),
    )
    protect("history_due")
    for function in (PACKED, REPACK, SETTLE, AT_COMMIT, COUNT_GENRES, COUNT_LEADS, REGENRED):
        op.execute(function)
    for name, rows in FOLLOWERS.items():
        op.execute(FOLLOW.format(name=name, rows=rows))
    op.execute(
        "CREATE CONSTRAINT TRIGGER history_is_due AFTER INSERT ON history_due DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION history_is_due()"
    )
    _make_triggers()


def downgrade() -> None:
    _drop_functions()
    op.execute("DROP FUNCTION count_leads(bigint[], bigint, bigint, bigint, bigint)")
    op.execute("DROP FUNCTION count_genres(bigint[], bigint, bigint)")
    op.drop_table("history_due")
    op.execute("DROP FUNCTION history_is_due()")
    op.execute("DROP FUNCTION settle_histories(integer)")
    for name, kind in (("lead_days", "integer[]"), ("genres", 'text[] COLLATE "C"'), ("genre_dates", "bigint[]")):
        op.execute(f"ALTER TABLE contact_history_detail ADD COLUMN {name} {kind} NOT NULL DEFAULT '{{}}'")
    _over_the_wall(FILL_BACK)
    for name in ("lead_days", "genres", "genre_dates"):
        op.execute(f"ALTER TABLE contact_history_detail ALTER COLUMN {name} DROP DEFAULT")
    op.execute(import_module("migrations.versions.0042_history_at_most").SORTED)
    op.execute(
        "ALTER TABLE contact_history_detail"
        " ADD COLUMN genre_lasts integer[] GENERATED ALWAYS AS (last_days_of_genres(genre_dates)) STORED,"
        " ADD COLUMN sorted_lead_days integer[] GENERATED ALWAYS AS (sorted_numbers(lead_days)) STORED"
    )
    op.drop_table("contact_history_genres")
    op.drop_table("contact_history_leads")
    op.create_index("ix_contact_history_detail_genres", "contact_history_detail", ["genres"], postgresql_using="gin")
    before = import_module("migrations.versions.0016_packed_history")
    for function in (before.PACKED, before.REPACK, before.REGENRED):
        op.execute(function)
    for name, (_, _, rows) in before.FOLLOWERS.items():
        op.execute(before.FOLLOW.format(name=name, rows=rows))
    _make_triggers()


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


def _drop_functions() -> None:
    op.execute("DROP TRIGGER activity_regenred ON activity")
    op.execute("DROP FUNCTION activity_regenred()")
    for name in FOLLOWERS:
        op.execute(f"DROP TRIGGER {name} ON participation")
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION repack_history(integer, bigint[])")
    op.execute("DROP FUNCTION packed_history(integer, bigint[])")


def _make_triggers() -> None:
    changes = {
        "participation_added": "INSERT ON participation REFERENCING NEW TABLE AS added",
        "participation_removed": "DELETE ON participation REFERENCING OLD TABLE AS removed",
        "participation_changed": "UPDATE ON participation REFERENCING OLD TABLE AS removed NEW TABLE AS added",
        "activity_regenred": "UPDATE ON activity REFERENCING OLD TABLE AS removed NEW TABLE AS added",
    }
    for name, change in changes.items():
        op.execute(f"CREATE TRIGGER {name} AFTER {change} FOR EACH STATEMENT EXECUTE FUNCTION {name}()")


def _over_the_wall(*statements: str) -> None:
    """Run statements about the rows of every house: for that, the owner steps over the wall for a moment."""
    for table in WALLED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    for statement in statements:
        op.execute(statement)
    for table in WALLED:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
