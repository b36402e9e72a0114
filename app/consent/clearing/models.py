"""Tables of the clearing house: what has to travel, and how far it is at each connected system.

The rows are made by triggers (migration ``clearing``), in the transaction of the no itself, so that nothing that
records a no can forget them: ``consent_event`` and ``suppression`` make a clearing for every address of the person, and
a clearing makes one clearance for every connection.
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
    text,
)
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column

KINDS = "('opt_out', 'erasure', 'again')"
STATES = "('pending', 'acknowledged', 'failing', 'not_possible')"
OPEN = "state IN ('pending', 'failing')"


class Clearing(Base):
    """One address that no connected system may write to any more (``purpose`` NULL: for no marketing at all).

    ``opt_out``: somebody said no. ``erasure``: somebody was erased, and is to be deleted there too. ``again``: a system
    was found to hold somebody as subscribed in spite of a no, and is told once more.
    ``origin_*`` is where the no came from. ``address_encrypted`` is there only while it must travel and nothing else
    here knows the address: erased people and strangers. ``is_repair``: found missing, and made good.
    """

    __tablename__ = "clearing"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("settled_at IS NULL OR address_encrypted IS NULL", name="address_while_travelling"),
        Index(
            "uq_clearing_event",
            "organisation_id",
            "event_id",
            "subject_key",
            unique=True,
            postgresql_where=text("event_id IS NOT NULL"),
        ),
        Index(
            "uq_clearing_erasure",
            "organisation_id",
            "subject_key",
            unique=True,
            postgresql_where=text("kind = 'erasure' AND settled_at IS NULL"),
        ),
        Index("ix_clearing_subject", "organisation_id", "subject_key", "id"),
        Index("ix_clearing_contact", "organisation_id", "contact_id"),
        Index("ix_clearing_open", "organisation_id", "id", postgresql_where=text("settled_at IS NULL")),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    purpose: Mapped[str | None] = column(Text, pii="none")
    event_id: Mapped[int | None] = column(BigInteger, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    origin_connection_id: Mapped[int | None] = column(BigInteger, pii="none")
    origin_list_ref: Mapped[str | None] = column(Text, pii="none")
    address_encrypted: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    is_repair: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    recorded_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    settled_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class Clearance(Base):
    """How far one clearing is at one connected system.

    ``outcome`` says how it ended (``app/audiences/clearing/outcomes.py`` has the words), ``failure_code`` why it does
    not, ``lists`` on how many lists something was done. There is no foreign key to the connection: what was told to a
    system stays known when the system is no longer connected.
    """

    __tablename__ = "clearance"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "clearing_id", "connection_id"),
        ForeignKeyConstraint(
            ["organisation_id", "clearing_id"], ["clearing.organisation_id", "clearing.id"], ondelete="CASCADE"
        ),
        CheckConstraint(f"state IN {STATES}", name="state_known"),
        CheckConstraint(
            "state <> 'acknowledged' OR (acknowledged_at IS NOT NULL AND outcome IS NOT NULL)",
            name="acknowledged_says_when",
        ),
        CheckConstraint(
            "state <> 'failing' OR (failing_since IS NOT NULL AND failure_code IS NOT NULL)", name="failing_says_why"
        ),
        Index(
            "ix_clearance_open",
            "organisation_id",
            "connection_id",
            "next_try_at",
            postgresql_where=text(OPEN),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    clearing_id: Mapped[int] = column(BigInteger, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    state: Mapped[str] = column(Text, nullable=False, pii="none")
    outcome: Mapped[str | None] = column(Text, pii="none")
    lists: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    attempts: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    next_try_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    failing_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    failure_code: Mapped[str | None] = column(Text, pii="none")
    acknowledged_at: Mapped[datetime | None] = column(INSTANT, pii="none")
