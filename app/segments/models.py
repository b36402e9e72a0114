"""Tables of segments, of who was a member from when until when, and of what keeps that up to date.

``segment`` is written by people who edit; everything else here is written by whoever holds the organisation's row of
``segment_upkeep``, so that a change of a rule never waits for an evaluation, nor the other way round.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, relationship

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
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    state: Mapped[SegmentState | None] = relationship(viewonly=True, lazy="selectin", uselist=False)

    @property
    def evaluated_on(self) -> date | None:
        """The local date for which the stored members are right; None before they were first found."""
        return self.state.evaluated_on if self.state else None

    @property
    def evaluated_at(self) -> datetime | None:
        """When the stored members last changed or were looked at in full."""
        return self.state.evaluated_at if self.state else None

    @property
    def member_count(self) -> int | None:
        """How many are in it now; None before they were first found."""
        return self.state.member_count if self.state else None

    @property
    def problem(self) -> str | None:
        """A code of why the members cannot be kept up to date (``keeping/keeping_words.py`` has the words)."""
        return self.state.problem if self.state else None


class SegmentState(Base):
    """How far a segment's members are kept: for which day and which rule they are right, and what stands in the way.

    ``rule_sha256`` is of the complete rule, with those of the segments it refers to. ``stale_because`` asks for a full
    evaluation, for that reason. ``names`` are the genres, series and venues of the rule that existed then. A
    ``problem`` keeps the last good members; it is tried again from ``retry_at`` on.
    """

    __tablename__ = "segment_state"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "segment_id"),
        ForeignKeyConstraint(
            ["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"], ondelete="CASCADE"
        ),
        CheckConstraint("stale_because IN ('rule', 'data', 'time')", name="stale_because_known"),
        CheckConstraint("(problem IS NULL) = (retry_at IS NULL)", name="problem_tried_again"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    segment_id: Mapped[int] = column(BigInteger, pii="none")
    evaluated_on: Mapped[date | None] = column(Date, pii="none")
    evaluated_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    rule_sha256: Mapped[bytes | None] = column(LargeBinary, pii="none")
    member_count: Mapped[int | None] = column(Integer, pii="none")
    stale_because: Mapped[str | None] = column(Text, pii="none")
    names: Mapped[dict[str, list[str]]] = column(
        JSONB, nullable=False, default=dict, server_default=text("'{}'::jsonb"), pii="none"
    )
    problem: Mapped[str | None] = column(Text, pii="none")
    problem_about: Mapped[list[str] | None] = column(ARRAY(Text), pii="none")
    problem_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    retry_at: Mapped[datetime | None] = column(INSTANT, pii="none")


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
        CheckConstraint("entered_because IN ('data', 'time', 'rule', 'repair')", name="entered_because_known"),
        CheckConstraint("left_because IN ('data', 'time', 'rule', 'repair')", name="left_because_known"),
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


class SegmentChange(Base):
    """One entry or exit in the order in which they became true: the feed that journeys read, each with its own cursor.

    Positions of an organisation grow without holes that could fill later: they are given out by whoever holds the row
    of ``segment_upkeep``, and that row is held until the commit. ``what`` names the kinds of rows that changed, for an
    entry or exit because of data. Kept for ``changes.KEPT``; what is kept for good is ``segment_membership``.
    """

    __tablename__ = "segment_change"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "position"),
        ForeignKeyConstraint(
            ["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"], ondelete="CASCADE"
        ),
        CheckConstraint("kind IN ('entered', 'left')", name="kind_known"),
        CheckConstraint("because IN ('data', 'time', 'rule', 'repair')", name="because_known"),
        # A segment that goes takes its rows along.
        Index("ix_segment_change_segment", "organisation_id", "segment_id", "position"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    position: Mapped[int] = column(BigInteger, pii="none")
    segment_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    happened_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    happened_on: Mapped[date] = column(Date, nullable=False, pii="none")
    because: Mapped[str] = column(Text, nullable=False, pii="none")
    what: Mapped[list[str] | None] = column(ARRAY(Text), pii="none")


class SegmentUpkeep(Base):
    """One row per organisation: whoever holds it is the one writer of its membership.

    ``position`` is that of the last entry or exit; up to ``forgotten_position`` they are no longer kept. Permissions
    that ended by themselves were looked at up to ``looked_at``. ``checked_on``, ``checked_at`` and ``differences`` are
    of the last comparison with a full evaluation; ``differences_ever`` adds them up. ``permitted_on`` is the day for
    which ``permitted_contact`` is right, but for changes that are noted; without one it must be filled anew, and
    ``alike_visit`` with it.
    """

    __tablename__ = "segment_upkeep"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    position: Mapped[int] = column(BigInteger, nullable=False, default=0, server_default="0", pii="none")
    forgotten_position: Mapped[int] = column(BigInteger, nullable=False, default=0, server_default="0", pii="none")
    looked_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    checked_on: Mapped[date | None] = column(Date, pii="none")
    checked_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    differences: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    differences_ever: Mapped[int] = column(BigInteger, nullable=False, default=0, server_default="0", pii="none")
    permitted_on: Mapped[date | None] = column(Date, pii="none")


class PermittedContact(Base):
    """What the gate said of a contact and a purpose by e-mail: yes, and whether mail to them arrives. No row is a no.

    For counts only, and kept by ``keeping/permitted.py``: whoever sends asks the gate.
    """

    __tablename__ = "permitted_contact"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "contact_id", "purpose"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        # All that a count reads, in one place.
        Index("ix_permitted_contact_purpose", "organisation_id", "purpose", "contact_id", "is_deliverable"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    purpose: Mapped[str] = column(Text, pii="none")
    is_deliverable: Mapped[bool] = column(Boolean, nullable=False, pii="none")


class AlikeVisit(Base):
    """When somebody else who is likely the same person, or lives in one household, last came (or will come).

    A contact without a row has nobody like that. For counts only, and kept by ``keeping/alike_visits.py``.
    """

    __tablename__ = "alike_visit"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "contact_id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    person_on: Mapped[date | None] = column(Date, pii="contact")
    household_on: Mapped[date | None] = column(Date, pii="contact")


class ContactChange(Base):
    """What one statement changed that a rule may look at, noted by triggers so that no code can forget to.

    A row per statement, not per contact: nothing is unique and nobody waits for anybody. ``about`` says what ``ids``
    are: contacts, activities (whoever took part), segments (whose rule changed), or ``everybody``; addresses are
    ``subject_keys``. ``lost_keys`` are the keys of likeness that contacts had before. Who is meant is looked up only
    when a row is taken, when whatever belongs to it is committed.
    """

    __tablename__ = "contact_change"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        CheckConstraint("about IN ('contact', 'address', 'activity', 'segment', 'everybody')", name="about_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    about: Mapped[str] = column(Text, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    size: Mapped[int] = column(Integer, nullable=False, default=1, server_default="1", pii="none")
    ids: Mapped[list[int] | None] = column(ARRAY(BigInteger), pii="none")
    subject_keys: Mapped[list[bytes] | None] = column(ARRAY(LargeBinary), pii="pseudonym")
    lost_keys: Mapped[list[int] | None] = column(ARRAY(BigInteger), pii="pseudonym")
    noted_at: Mapped[datetime] = column(INSTANT, nullable=False, server_default=text("clock_timestamp()"), pii="none")
