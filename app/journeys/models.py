"""Tables of journeys, their published versions, and everybody's way through them."""

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
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Journey(Base):
    """A journey with a name: what is being edited (``draft``), and which version people enter now.

    ``edition`` counts edits, so that two people do not write over each other; ``version`` is the newest published one;
    NULL before the first. Only a published journey takes people in; a paused one keeps those inside where they are.
    """

    __tablename__ = "journey"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("state IN ('draft', 'published', 'paused', 'archived')", name="state_known"),
        CheckConstraint("state IN ('draft', 'archived') OR version IS NOT NULL", name="running_has_version"),
        Index("uq_journey_name", "organisation_id", func.lower(literal_column("name")).label("folded"), unique=True),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="draft", server_default="draft", pii="none")
    draft: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    edition: Mapped[int] = column(Integer, nullable=False, default=1, server_default="1", pii="none")
    version: Mapped[int | None] = column(Integer, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class JourneyVersion(Base):
    """A definition as it was published; never changed. Whoever entered on it finishes on it.

    One that was only rehearsed is not ``was_published``; ``published_at`` is then when it was first rehearsed.
    """

    __tablename__ = "journey_version"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "journey_id", "version"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id"], ["journey.organisation_id", "journey.id"], ondelete="CASCADE"
        ),
        CheckConstraint("version >= 1", name="version_counts"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    journey_id: Mapped[int] = column(BigInteger, pii="none")
    version: Mapped[int] = column(Integer, autoincrement=False, pii="none")
    definition: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    was_published: Mapped[bool] = column(nullable=False, default=True, server_default=text("true"), pii="none")
    published_by: Mapped[int | None] = column(BigInteger, pii="none")
    published_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Enrolment(Base):
    """One contact's way through a journey, from one occurrence of its trigger.

    ``occurrence`` names what enrolled them (``participation:12:booked``): its unique index is why a trigger enrols a
    person exactly once, however often it is delivered. ``step_id`` is where they are (NULL: before the first step) and
    ``wake_at`` when something is due there; the heartbeat only reads who is active and due. ``is_waiting``: the step
    was begun, at ``arrived_at``, and lets them go at ``wake_at``, or when what they wait for ``happened`` (the
    occurrence). ``held_because`` says, as a code, why the step cannot be done now; it is tried again. ``entered_on``
    and ``left_on`` are local dates of the organisation. The held-out pass through every step and receive nothing;
    ``is_rehearsal`` is a way through that is only looked at: mails become drafts, and nothing else is done.
    ``reached_at`` is when the goal was seen to be reached, be it after the way had ended.
    """

    __tablename__ = "enrolment"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id", "version"],
            ["journey_version.organisation_id", "journey_version.journey_id", "journey_version.version"],
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("state IN ('active', 'completed', 'exited', 'failed')", name="state_known"),
        CheckConstraint("(state = 'active') = (left_at IS NULL)", name="active_has_not_left"),
        CheckConstraint("(left_at IS NULL) = (left_on IS NULL)", name="left_whole"),
        CheckConstraint("left_at IS NULL OR wake_at IS NULL", name="left_sleeps"),
        Index("uq_enrolment_occurrence", "organisation_id", "journey_id", "contact_id", "occurrence", unique=True),
        CheckConstraint("NOT is_waiting OR (step_id IS NOT NULL AND arrived_at IS NOT NULL)", name="waits_somewhere"),
        # By journey, so that a paused one with many overdue people costs the others nothing.
        Index(
            "ix_enrolment_due",
            "organisation_id",
            "journey_id",
            "wake_at",
            postgresql_where=text("state = 'active' AND wake_at IS NOT NULL"),
        ),
        Index("ix_enrolment_contact", "organisation_id", "contact_id", "journey_id"),
        Index("ix_enrolment_version", "organisation_id", "journey_id", "version", "state"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    journey_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    version: Mapped[int] = column(Integer, nullable=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    occurrence: Mapped[str] = column(Text, nullable=False, pii="pseudonym")
    participation_id: Mapped[int | None] = column(BigInteger, pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="active", server_default="active", pii="contact")
    is_held_out: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    step_id: Mapped[str | None] = column(Text, pii="none")
    wake_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    is_rehearsal: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    is_waiting: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    arrived_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    happened: Mapped[str | None] = column(Text, pii="pseudonym")
    held_because: Mapped[str | None] = column(Text, pii="none")
    entered_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")
    entered_on: Mapped[date] = column(Date, nullable=False, pii="contact")
    left_at: Mapped[datetime | None] = column(INSTANT, pii="contact")
    left_on: Mapped[date | None] = column(Date, pii="contact")
    left_because: Mapped[str | None] = column(Text, pii="none")
    reached_at: Mapped[datetime | None] = column(INSTANT, pii="contact")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Visit(Base):
    """One step on one way through a journey: when it was begun and done, what came of it, and the facts it saw.

    The primary key is why a step's effect happens at most once: the row is written in the transaction of the effect,
    before it. ``outcome``: ``waiting`` (not done yet), ``done``, ``skipped`` or ``failed``; ``reason`` is a code,
    ``branch`` the way that was taken.
    """

    __tablename__ = "journey_visit"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "enrolment_id", "step_id"),
        ForeignKeyConstraint(
            ["organisation_id", "enrolment_id"], ["enrolment.organisation_id", "enrolment.id"], ondelete="CASCADE"
        ),
        CheckConstraint("outcome IN ('waiting', 'done', 'skipped', 'failed')", name="outcome_known"),
        CheckConstraint("(outcome = 'waiting') = (done_at IS NULL)", name="waiting_is_not_done"),
        Index("ix_journey_visit_step", "organisation_id", "journey_id", "version", "step_id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    enrolment_id: Mapped[int] = column(BigInteger, pii="none")
    step_id: Mapped[str] = column(Text, pii="none")
    journey_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    version: Mapped[int] = column(Integer, nullable=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    arrived_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    done_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    outcome: Mapped[str] = column(Text, nullable=False, pii="none")
    reason: Mapped[str | None] = column(Text, pii="none")
    branch: Mapped[str | None] = column(Text, pii="none")
    facts: Mapped[dict[str, Any] | None] = column(JSONB, pii="contact")


class WebhookCall(Base):
    """What another system is to be told because somebody came to a step; one for each way and step.

    Made in the transaction of the step; spoken later, and nothing else waits for it. A call of which no answer came is
    repeated under the same ``call_key``, by which the receiver tells a repetition.
    """

    __tablename__ = "journey_call"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "enrolment_id"], ["enrolment.organisation_id", "enrolment.id"], ondelete="CASCADE"
        ),
        CheckConstraint("state IN ('waiting', 'done', 'failed')", name="state_known"),
        Index("uq_journey_call_step", "organisation_id", "enrolment_id", "step_id", unique=True),
        Index("ix_journey_call_due", "organisation_id", "next_try_at", postgresql_where=text("state = 'waiting'")),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    journey_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    enrolment_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    step_id: Mapped[str] = column(Text, nullable=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    url: Mapped[str] = column(Text, nullable=False, pii="none")
    call_key: Mapped[str] = column(Text, nullable=False, pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    attempts: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    next_try_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
    made_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    settled_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class JourneyUse(Base):
    """A segment, mailing or audience that a published version works with, so that none of them goes meanwhile.

    The foreign keys refuse; ``uses.py`` keeps the rows for versions that people enter or are inside of.
    """

    __tablename__ = "journey_use"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id", "version"],
            ["journey_version.organisation_id", "journey_version.journey_id", "journey_version.version"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"]),
        ForeignKeyConstraint(["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"]),
        ForeignKeyConstraint(["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"]),
        CheckConstraint("num_nonnulls(segment_id, mailing_id, audience_id) = 1", name="uses_one"),
        Index("ix_journey_use_version", "organisation_id", "journey_id", "version"),
        Index(
            "ix_journey_use_segment",
            "organisation_id",
            "segment_id",
            postgresql_where=text("segment_id IS NOT NULL"),
        ),
        Index(
            "ix_journey_use_mailing",
            "organisation_id",
            "mailing_id",
            postgresql_where=text("mailing_id IS NOT NULL"),
        ),
        Index(
            "ix_journey_use_audience",
            "organisation_id",
            "audience_id",
            postgresql_where=text("audience_id IS NOT NULL"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    journey_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    version: Mapped[int] = column(Integer, nullable=False, pii="none")
    segment_id: Mapped[int | None] = column(BigInteger, pii="none")
    mailing_id: Mapped[int | None] = column(BigInteger, pii="none")
    audience_id: Mapped[int | None] = column(BigInteger, pii="none")
