"""What comes back: the mails, the mailbox they are fetched from, breakers, alarms; and what it means for an address

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
HOUSE = ["organisation_id"]
FINDABLE = "'organisation', 'login', 'api_key', 'connection', 'link', 'form'"


def upgrade() -> None:
    _create_mailbox()
    _create_mail()
    _create_breaker()
    _create_alarm()
    for table in ("return_mailbox", "return_mail", "mail_breaker", "mailing_alarm"):
        protect(table)
    op.add_column("delivery", sa.Column("came_back", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("came_back_at", INSTANT, nullable=True))
    op.add_column("delivery", sa.Column("came_back_code", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_delivery_came_back_known"),
        "delivery",
        "came_back IN ('refused', 'bounced_for_now', 'bounced', 'complained')",
    )
    op.add_column("identity", sa.Column("soft_bounces", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_identity_bounced", "identity", [*HOUSE, "bounced_at"], postgresql_where=sa.text("bounced_at IS NOT NULL")
    )
    _know_findable(f"{FINDABLE}, 'return_hook'")


def downgrade() -> None:
    op.execute("DELETE FROM directory WHERE kind = 'return_hook'")
    _know_findable(FINDABLE)
    op.drop_index("ix_identity_bounced", "identity")
    op.drop_column("identity", "soft_bounces")
    op.drop_constraint(op.f("ck_delivery_came_back_known"), "delivery")
    op.drop_column("delivery", "came_back_code")
    op.drop_column("delivery", "came_back_at")
    op.drop_column("delivery", "came_back")
    for table in ("mailing_alarm", "mail_breaker", "return_mail", "return_mailbox"):
        op.drop_table(table)


def _know_findable(kinds: str) -> None:
    op.drop_constraint(op.f("ck_directory_kind_known"), "directory")
    op.create_check_constraint(op.f("ck_directory_kind_known"), "directory", f"kind IN ({kinds})")


def _of_house(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        HOUSE, ["organisation.id"], name=op.f(f"fk_{table}_organisation"), ondelete="CASCADE"
    )


def _create_mailbox() -> None:
    op.create_table(
        "return_mailbox",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("port", sa.Integer(), server_default="993", nullable=False),
        sa.Column("security", sa.Text(), server_default="tls", nullable=False),
        sa.Column("mailbox_user", sa.Text(), nullable=True),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("folder", sa.Text(), server_default="INBOX", nullable=False),
        sa.Column("done_folder", sa.Text(), nullable=True),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("last_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("next_try_at", INSTANT, nullable=True),
        sa.Column("checked_at", INSTANT, nullable=True),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("security IN ('starttls', 'tls', 'none')", name=op.f("ck_return_mailbox_security_known")),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_return_mailbox_port_possible")),
        _of_house("return_mailbox"),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_return_mailbox")),
    )


def _create_mail() -> None:
    op.create_table(
        "return_mail",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("came_by", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("raw_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("status_code", sa.Text(), nullable=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("mailing_id", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("came_by IN ('mailbox', 'hook', 'pipe')", name=op.f("ck_return_mail_came_by_known")),
        sa.CheckConstraint(
            "decision IN ('dead', 'ignored', 'opted_out', 'reply')", name=op.f("ck_return_mail_decision_known")
        ),
        sa.CheckConstraint(
            "kind IN ('bounce', 'delay', 'notice', 'complaint', 'auto_reply', 'unsubscribe', 'reply', 'unknown')",
            name=op.f("ck_return_mail_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'to_look_at', 'decided')", name=op.f("ck_return_mail_state_known")
        ),
        sa.CheckConstraint(
            "verdict IN ('dead', 'soft', 'policy', 'mail', 'unknown')", name=op.f("ck_return_mail_verdict_known")
        ),
        _of_house("return_mail"),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_return_mail")),
        sa.UniqueConstraint("organisation_id", "raw_sha256", name="uq_return_mail_raw"),
    )
    op.create_index("ix_return_mail_delivery", "return_mail", [*HOUSE, "delivery_id"])
    op.create_index(
        "ix_return_mail_due",
        "return_mail",
        [*HOUSE, "next_try_at", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_return_mail_sealed", "return_mail", [*HOUSE, "received_at"], postgresql_where=sa.text("sealed IS NOT NULL")
    )
    op.create_index("ix_return_mail_shown", "return_mail", [*HOUSE, "state", "kind", "id"])


def _create_breaker() -> None:
    op.create_table(
        "mail_breaker",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("sending_domain", sa.Text(), nullable=False),
        sa.Column("receiving_domain", sa.Text(), nullable=False),
        sa.Column("strikes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counted_since", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("last_code", sa.Text(), nullable=True),
        sa.Column("rests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_at", INSTANT, nullable=True),
        sa.Column("open_until", INSTANT, nullable=True),
        sa.Column("trial_until", INSTANT, nullable=True),
        sa.Column("next_trial_at", INSTANT, nullable=True),
        _of_house("mail_breaker"),
        sa.PrimaryKeyConstraint(*HOUSE, "sending_domain", "receiving_domain", name=op.f("pk_mail_breaker")),
    )
    op.create_index(
        "ix_mail_breaker_open",
        "mail_breaker",
        [*HOUSE, "trial_until"],
        postgresql_where=sa.text("opened_at IS NOT NULL"),
    )


def _create_alarm() -> None:
    op.create_table(
        "mailing_alarm",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("of_mails", sa.Integer(), nullable=False),
        sa.Column("noted_at", INSTANT, nullable=False),
        sa.CheckConstraint("about IN ('complaints', 'bounces')", name=op.f("ck_mailing_alarm_about_known")),
        sa.CheckConstraint("level IN ('warned', 'paused')", name=op.f("ck_mailing_alarm_level_known")),
        sa.ForeignKeyConstraint(
            [*HOUSE, "mailing_id"],
            ["mailing.organisation_id", "mailing.id"],
            name=op.f("fk_mailing_alarm_mailing"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(*HOUSE, "mailing_id", "about", name=op.f("pk_mailing_alarm")),
    )
