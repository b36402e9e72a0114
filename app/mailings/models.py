"""Tables of what is sent, and of how a house sends.

A delivery is one mail to one person. Its states, and who moves it from one to the next (docs/developers/mailings.md):

    planned ──► claimed ──► handed_over ──► accepted
       ▲  ▲        │             ├──► failed
       │  └────────┘ lapsed      └──► uncertain ──► accepted | failed | cancelled, by a person
       └── tried again (4xx)
    planned, claimed ──► cancelled

Lock order: whatever app/consent locks (docs/developers/consent.md), then the deliveries.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column

GONE = "('handed_over', 'accepted', 'uncertain')"


class MailSetting(Base):
    """How a house sends: its relay, the name and addresses on every mail, and whether sending goes well.

    Empty columns fall back on the settings of the installation. ``confirmed_place`` is the installation in which
    somebody said that this house may send; a copy elsewhere sends nothing (``places``).
    """

    __tablename__ = "mail_setting"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("relay_security IN ('starttls', 'tls', 'none')", name="relay_security_known"),
        CheckConstraint("relay_port BETWEEN 1 AND 65535", name="relay_port_possible"),
        CheckConstraint("bounces_go IN ('to_sender', 'to_mailbox', 'nowhere')", name="bounces_go_known"),
        CheckConstraint("bounces_go <> 'to_mailbox' OR bounce_address IS NOT NULL", name="mailbox_has_address"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    relay_host: Mapped[str | None] = column(Text, pii="none")
    relay_port: Mapped[int] = column(Integer, nullable=False, default=587, server_default="587", pii="none")
    relay_security: Mapped[str] = column(
        Text, nullable=False, default="starttls", server_default="starttls", pii="none"
    )
    relay_user: Mapped[str | None] = column(Text, pii="none")
    relay_password: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    from_name: Mapped[str | None] = column(Text, pii="none")
    from_address: Mapped[str | None] = column(Text, pii="none")
    reply_to: Mapped[str | None] = column(Text, pii="none")
    bounces_go: Mapped[str] = column(Text, nullable=False, default="to_sender", server_default="to_sender", pii="none")
    bounce_address: Mapped[str | None] = column(Text, pii="none")
    confirmed_place: Mapped[bytes | None] = column(LargeBinary, pii="none")
    failing_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
    failures: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    next_try_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    last_accepted_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class DkimKey(Base):
    """A key that signs mail of a domain. ``published_at``: when DNS was seen to hold its other half."""

    __tablename__ = "dkim_key"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "domain", "selector"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("algorithm IN ('rsa-sha256', 'ed25519-sha256')", name="algorithm_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    domain: Mapped[str] = column(Text, pii="none")
    selector: Mapped[str] = column(Text, pii="none")
    algorithm: Mapped[str] = column(Text, nullable=False, pii="none")
    private_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="secret")
    public_key: Mapped[str] = column(Text, nullable=False, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    published_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class Delivery(Base):
    """One mail to one person: what was decided about it, when it left, and what became of it.

    ``kind`` ``letter`` is decided by the rules of its letter, ``mailing`` by the gate of consent for ``purpose``.
    Nothing is handed over without the decision that allowed it (I3): rule version, reason and, for a mailing, the
    event the permission rests on and the address (hash) it holds for.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["organisation_id", "letter_id"], ["letter.organisation_id", "letter.id"]),
        UniqueConstraint("organisation_id", "letter_id"),
        CheckConstraint("kind IN ('letter', 'mailing')", name="kind_known"),
        CheckConstraint("(kind = 'letter') = (letter_id IS NOT NULL)", name="letter_has_letter"),
        CheckConstraint(
            "(kind = 'mailing') = (purpose IS NOT NULL) AND (kind <> 'mailing' OR contact_id IS NOT NULL)",
            name="mailing_has_purpose",
        ),
        CheckConstraint(
            "state IN ('planned', 'claimed', 'handed_over', 'accepted', 'failed', 'uncertain', 'cancelled')",
            name="state_known",
        ),
        CheckConstraint(
            "(state <> 'claimed' AND handed_over_at IS NULL) OR (decided_at IS NOT NULL AND rules_version IS NOT NULL"
            " AND decision_reason IS NOT NULL"
            " AND (kind <> 'mailing' OR (decided_by IS NOT NULL AND address_hash IS NOT NULL)))",
            name="handed_over_has_decision",
        ),
        CheckConstraint(f"state NOT IN {GONE} OR handed_over_at IS NOT NULL", name="gone_was_handed_over"),
        CheckConstraint("state NOT IN ('claimed', 'handed_over') OR lease_until IS NOT NULL", name="held_has_lease"),
        CheckConstraint(
            "state <> 'claimed' OR lease_until <= decided_at + interval '30 seconds'", name="claim_is_short"
        ),
        Index("ix_delivery_due", "organisation_id", "next_try_at", "id", postgresql_where=text("state = 'planned'")),
        Index(
            "ix_delivery_held",
            "organisation_id",
            "lease_until",
            postgresql_where=text("state IN ('claimed', 'handed_over')"),
        ),
        Index(
            "ix_delivery_queued_address",
            "organisation_id",
            "address_hash",
            postgresql_where=text("kind = 'mailing' AND state IN ('planned', 'claimed')"),
        ),
        Index(
            "ix_delivery_queued_contact",
            "organisation_id",
            "contact_id",
            postgresql_where=text("kind = 'mailing' AND state IN ('planned', 'claimed')"),
        ),
        Index(
            "ix_delivery_to_look_at",
            "organisation_id",
            "id",
            postgresql_where=text("state IN ('uncertain', 'failed')"),
        ),
        Index("ix_delivery_contact", "organisation_id", "contact_id", "id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    letter_id: Mapped[int | None] = column(BigInteger, pii="none")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    purpose: Mapped[str | None] = column(Text, pii="none")
    address_hash: Mapped[bytes | None] = column(LargeBinary, pii="pseudonym")
    state: Mapped[str] = column(Text, nullable=False, default="planned", server_default="planned", pii="none")
    planned_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    next_try_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    attempts: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    decided_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    rules_version: Mapped[str | None] = column(Text, pii="none")
    decision_reason: Mapped[str | None] = column(Text, pii="none")
    decided_by: Mapped[int | None] = column(BigInteger, pii="none")
    handed_over_at: Mapped[datetime | None] = column(INSTANT, pii="contact")
    settled_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    answer_code: Mapped[str | None] = column(Text, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
