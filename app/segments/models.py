"""Tables of segments and of who was a member, from when until when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Segment(Base):
    """A rule with a name. ``version`` grows with every change of the rule."""

    __tablename__ = "segment"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index("uq_segment_name", "organisation_id", text("lower(name)"), unique=True),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    description: Mapped[str | None] = column(Text, pii="none")
    rule: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    version: Mapped[int] = column(Integer, nullable=False, default=1, server_default="1", pii="none")
    evaluated_on: Mapped[date | None] = column(Date, pii="none")
    evaluated_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    evaluated_version: Mapped[int | None] = column(Integer, pii="none")
    member_count: Mapped[int | None] = column(Integer, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class SegmentMembership(Base):
    """One stretch of membership: entered, and, once it ended, left. At most one open stretch per contact."""

    __tablename__ = "segment_membership"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "segment_id", "contact_id", "entered_at"),
        ForeignKeyConstraint(
            ["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("entered_because IN ('data', 'time', 'rule')", name="entered_because_known"),
        CheckConstraint("left_because IN ('data', 'time', 'rule')", name="left_because_known"),
        CheckConstraint("(left_at IS NULL) = (left_on IS NULL)", name="left_whole"),
        Index(
            "uq_segment_membership_open",
            "organisation_id",
            "segment_id",
            "contact_id",
            unique=True,
            postgresql_where=text("left_at IS NULL"),
        ),
        Index("ix_segment_membership_contact", "organisation_id", "contact_id"),
        Index("ix_segment_membership_entered", "organisation_id", "segment_id", "entered_at"),
        Index("ix_segment_membership_left", "organisation_id", "segment_id", "left_at"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    segment_id: Mapped[int] = column(BigInteger, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    entered_at: Mapped[datetime] = column(INSTANT, pii="none")
    entered_on: Mapped[date] = column(Date, nullable=False, pii="none")
    entered_because: Mapped[str] = column(Text, nullable=False, pii="none")
    left_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    left_on: Mapped[date | None] = column(Date, pii="none")
    left_because: Mapped[str | None] = column(Text, pii="none")
