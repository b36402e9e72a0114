"""Let the worker bring the planner's statistics up to date: a house of forty people is too small for autovacuum

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Without statistics the planner takes every table for a row or two, and the gate, which joins nine of them, for nothing:
# with fifty contacts that were never analysed it took twelve seconds. Autovacuum leaves tables of fewer than fifty
# changes alone for ever and looks once a minute at others. ANALYZE is for the owner, whom the function stands in for.
REFRESH_STATISTICS = """
CREATE FUNCTION refresh_statistics(only_changed boolean DEFAULT true) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    found record;
    analysed integer := 0;
BEGIN
    FOR found IN
        SELECT relid::regclass AS name FROM pg_stat_user_tables
         WHERE schemaname = 'public'
           AND (NOT only_changed
                OR n_mod_since_analyze > greatest(10, n_live_tup / 10)
                OR (n_live_tup > 0 AND coalesce(last_analyze, last_autoanalyze) IS NULL))
         ORDER BY relname
    LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', found.name);
        analysed := analysed + 1;
    END LOOP;
    RETURN analysed;
END
$$
"""


def upgrade() -> None:
    op.execute(REFRESH_STATISTICS)


def downgrade() -> None:
    op.execute("DROP FUNCTION refresh_statistics(boolean)")
