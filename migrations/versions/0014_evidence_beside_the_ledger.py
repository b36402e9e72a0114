"""Evidence and the names sources give go beside the ledger, where an erasure can reach them

Revision ID: 0014
Revises: 0013
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import SCOPE, protect

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# The ledger of every house, one after the other: the wall between them holds for its owner too.
FOR_EVERY_HOUSE = """
DO $$
DECLARE house integer;
BEGIN
  FOR house IN SELECT DISTINCT organisation_id FROM directory WHERE kind = 'organisation' LOOP
    PERFORM set_config('zaallicht.organisation_id', house::text, true);
    {statement};
  END LOOP;
END $$
"""
MOVE_OUT = f"""
    INSERT INTO consent_evidence
           (organisation_id, event_id, subject_key, contact_id, source, external_id, evidence)
    SELECT organisation_id, id, subject_key, contact_id, source, external_id, evidence FROM consent_event
     WHERE organisation_id = {SCOPE} AND (external_id IS NOT NULL OR evidence <> '{{}}'::jsonb)
"""
MOVE_BACK = f"""
    UPDATE consent_event SET external_id = beside.external_id, evidence = beside.evidence
      FROM consent_evidence AS beside
     WHERE consent_event.organisation_id = {SCOPE} AND beside.organisation_id = consent_event.organisation_id
       AND beside.event_id = consent_event.id
"""


def _clear_no(verb: str) -> str:
    """Return the function of 0011 that reads where a no came from, as it was."""
    return str(import_module("migrations.versions.0011_clearing").CLEAR_NO).replace("CREATE FUNCTION", verb)


def _clear_no_from_beside() -> str:
    """Return it reading the evidence where it stands now. Evidence is written before its event for that."""
    function = _clear_no("CREATE OR REPLACE FUNCTION").replace("NEW.evidence", "beside")
    declared = "    is_from_list boolean := NEW.actor"
    read = (
        "    beside jsonb := (SELECT evidence FROM consent_evidence"
        " WHERE organisation_id = NEW.organisation_id AND event_id = NEW.id);\n"
    )
    return function.replace(declared, read + declared)


def upgrade() -> None:
    op.create_table(
        "consent_evidence",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False),
        sa.Column("subject_key", sa.LargeBinary, nullable=False),
        sa.Column("contact_id", sa.BigInteger),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("evidence", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "event_id"],
            ["consent_event.organisation_id", "consent_event.id"],
            name=op.f("fk_consent_evidence_consent_event"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "event_id", name=op.f("pk_consent_evidence")),
    )
    protect("consent_evidence")
    op.execute(FOR_EVERY_HOUSE.format(statement=MOVE_OUT))
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute(_clear_no_from_beside())
    op.create_index(
        "uq_consent_evidence_external",
        "consent_evidence",
        ["organisation_id", "source", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index("ix_consent_evidence_subject", "consent_evidence", ["organisation_id", "subject_key"])
    op.create_index("ix_consent_evidence_contact", "consent_evidence", ["organisation_id", "contact_id"])
    op.drop_index("uq_consent_event_external", table_name="consent_event")
    op.drop_column("consent_event", "evidence")
    op.drop_column("consent_event", "external_id")
    # A dropped column stays in the file until its rows are written again, and these spoke of people.
    op.execute("CLUSTER consent_event USING pk_consent_event")
    op.execute("ALTER TABLE consent_event SET WITHOUT CLUSTER")


def downgrade() -> None:
    op.add_column("consent_event", sa.Column("external_id", sa.Text))
    op.add_column("consent_event", sa.Column("evidence", JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.execute(_clear_no("CREATE OR REPLACE FUNCTION"))
    op.execute("ALTER TABLE consent_event DISABLE TRIGGER consent_event_append_only")
    op.execute(FOR_EVERY_HOUSE.format(statement=MOVE_BACK))
    op.execute("ALTER TABLE consent_event ENABLE TRIGGER consent_event_append_only")
    op.create_index(
        "uq_consent_event_external",
        "consent_event",
        ["organisation_id", "source", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.drop_table("consent_evidence")
