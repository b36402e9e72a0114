"""Mail that leaves the house: how it is sent, the keys that sign it, and one delivery per mail and person

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
STATES = "('planned', 'claimed', 'handed_over', 'accepted', 'failed', 'uncertain', 'cancelled')"
QUEUED = "kind = 'mailing' AND state IN ('planned', 'claimed')"


def _of_organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id"], ["organisation.id"], name=op.f(f"fk_{table}_organisation"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "mail_setting",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("relay_host", sa.Text()),
        sa.Column("relay_port", sa.Integer(), server_default="587", nullable=False),
        sa.Column("relay_security", sa.Text(), server_default="starttls", nullable=False),
        sa.Column("relay_user", sa.Text()),
        sa.Column("relay_password", sa.LargeBinary()),
        sa.Column("from_name", sa.Text()),
        sa.Column("from_address", sa.Text()),
        sa.Column("reply_to", sa.Text()),
        sa.Column("bounces_go", sa.Text(), server_default="to_sender", nullable=False),
        sa.Column("bounce_address", sa.Text()),
        sa.Column("colour", sa.Text(), server_default="#7a1f3d", nullable=False),
        sa.Column("confirmed_place", sa.LargeBinary()),
        sa.Column("failing_since", INSTANT),
        sa.Column("problem_code", sa.Text()),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", INSTANT),
        sa.Column("last_accepted_at", INSTANT),
        sa.CheckConstraint(
            "relay_security IN ('starttls', 'tls', 'none')", name=op.f("ck_mail_setting_relay_security_known")
        ),
        sa.CheckConstraint("relay_port BETWEEN 1 AND 65535", name=op.f("ck_mail_setting_relay_port_possible")),
        sa.CheckConstraint(
            "bounces_go IN ('to_sender', 'to_mailbox', 'nowhere')", name=op.f("ck_mail_setting_bounces_go_known")
        ),
        sa.CheckConstraint(
            "bounces_go <> 'to_mailbox' OR bounce_address IS NOT NULL",
            name=op.f("ck_mail_setting_mailbox_has_address"),
        ),
        sa.CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name=op.f("ck_mail_setting_colour_possible")),
        _of_organisation("mail_setting"),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_mail_setting")),
    )
    op.create_table(
        "dkim_key",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("published_at", INSTANT),
        sa.CheckConstraint("algorithm IN ('rsa-sha256', 'ed25519-sha256')", name=op.f("ck_dkim_key_algorithm_known")),
        _of_organisation("dkim_key"),
        sa.PrimaryKeyConstraint("organisation_id", "domain", "selector", name=op.f("pk_dkim_key")),
    )
    op.create_table(
        "delivery",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("letter_id", sa.BigInteger()),
        sa.Column("contact_id", sa.BigInteger()),
        sa.Column("purpose", sa.Text()),
        sa.Column("address_hash", sa.LargeBinary()),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("planned_at", INSTANT, nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", INSTANT),
        sa.Column("decided_at", INSTANT),
        sa.Column("rules_version", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("decided_by", sa.BigInteger()),
        sa.Column("handed_over_at", INSTANT),
        sa.Column("settled_at", INSTANT),
        sa.Column("answer_code", sa.Text()),
        sa.Column("problem_code", sa.Text()),
        sa.CheckConstraint("kind IN ('letter', 'mailing')", name=op.f("ck_delivery_kind_known")),
        sa.CheckConstraint("(kind = 'letter') = (letter_id IS NOT NULL)", name=op.f("ck_delivery_letter_has_letter")),
        sa.CheckConstraint(
            "(kind = 'mailing') = (purpose IS NOT NULL) AND (kind <> 'mailing' OR contact_id IS NOT NULL)",
            name=op.f("ck_delivery_mailing_has_purpose"),
        ),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_delivery_state_known")),
        sa.CheckConstraint(
            "(state <> 'claimed' AND handed_over_at IS NULL) OR (decided_at IS NOT NULL AND rules_version IS NOT NULL"
            " AND decision_reason IS NOT NULL"
            " AND (kind <> 'mailing' OR (decided_by IS NOT NULL AND address_hash IS NOT NULL)))",
            name=op.f("ck_delivery_handed_over_has_decision"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('handed_over', 'accepted', 'uncertain') OR handed_over_at IS NOT NULL",
            name=op.f("ck_delivery_gone_was_handed_over"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('claimed', 'handed_over') OR lease_until IS NOT NULL",
            name=op.f("ck_delivery_held_has_lease"),
        ),
        sa.CheckConstraint(
            "state <> 'claimed' OR lease_until <= decided_at + interval '30 seconds'",
            name=op.f("ck_delivery_claim_is_short"),
        ),
        _of_organisation("delivery"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "letter_id"],
            ["letter.organisation_id", "letter.id"],
            name=op.f("fk_delivery_letter"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("organisation_id", "letter_id", name=op.f("uq_delivery_organisation_id_letter_id")),
    )
    _index("due", ["next_try_at", "id"], "state = 'planned'")
    _index("held", ["lease_until"], "state IN ('claimed', 'handed_over')")
    _index("queued_address", ["address_hash"], QUEUED)
    _index("queued_contact", ["contact_id"], QUEUED)
    _index("to_look_at", ["id"], "state IN ('uncertain', 'failed')")
    op.create_index("ix_delivery_contact", "delivery", ["organisation_id", "contact_id", "id"])
    for table in ("mail_setting", "dkim_key", "delivery"):
        protect(table)


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(f"ix_delivery_{name}", "delivery", ["organisation_id", *columns], postgresql_where=sa.text(where))


def downgrade() -> None:
    for table in ("delivery", "dkim_key", "mail_setting"):
        op.drop_table(table)
