"""The wall between organisations, for migrations: every table that holds rows of one is protected on creation."""

from __future__ import annotations

from alembic import op

SCOPE = "NULLIF(current_setting('zaallicht.organisation_id', true), '')::integer"


def protect(table: str, *, key: str = "organisation_id") -> None:
    """Force row-level security on a table: a transaction sees and writes only the organisation it is scoped to."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organisation_scope ON {table} USING ({key} = {SCOPE}) WITH CHECK ({key} = {SCOPE})")


def make_append_only(table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE on a table, whoever asks."""
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
