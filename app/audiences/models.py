"""Tables of audiences: what is pushed where, who is there now, and what every run did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Audience(Base):
    """A segment × a purpose × a list at a destination, under a tag of our own.

    ``opt_outs_pulled_until`` is the cursor of the opt-out pull, ``reconciled_at`` when the list was last read whole.
    ``brake_pct``: a run that would add or remove more than this share of the audience waits for a person.
    ``lease_until`` keeps one writer per audience and list, and its value is the holder's proof. A removed audience lets
    go of its segment once our tag is taken off everybody.
    """

    __tablename__ = "audience"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"]),
        ForeignKeyConstraint(["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"]),
        ForeignKeyConstraint(["organisation_id", "purpose"], ["purpose.organisation_id", "purpose.code"]),
        CheckConstraint("state IN ('draft', 'active', 'paused', 'removed')", name="state_known"),
        CheckConstraint("state = 'removed' OR segment_id IS NOT NULL", name="segment_while_kept"),
        CheckConstraint("brake_pct BETWEEN 1 AND 100", name="brake_is_percentage"),
        Index(
            "uq_audience_name",
            "organisation_id",
            text("lower(name)"),
            unique=True,
            postgresql_where=text("state <> 'removed'"),
        ),
        Index(
            "uq_audience_tag",
            "organisation_id",
            "connection_id",
            "list_ref",
            text("lower(tag)"),
            unique=True,
            postgresql_where=text("state <> 'removed'"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    segment_id: Mapped[int | None] = column(BigInteger, pii="none")
    purpose: Mapped[str] = column(Text, nullable=False, pii="none")
    connection_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    list_ref: Mapped[str] = column(Text, nullable=False, pii="none")
    list_name: Mapped[str] = column(Text, nullable=False, pii="none")
    tag: Mapped[str] = column(Text, nullable=False, pii="none")
    tag_ref: Mapped[str | None] = column(Text, pii="none")
    field_mapping: Mapped[dict[str, str]] = column(JSONB, nullable=False, default=dict, pii="none")
    brake_pct: Mapped[int] = column(Integer, nullable=False, default=20, server_default="20", pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="draft", server_default="draft", pii="none")
    opt_outs_pulled_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    reconciled_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    next_run_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    next_poll_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class AudienceMember(Base):
    """What the destination acknowledged about one person, by the address we pushed.

    ``claimed``: the gate said yes and a push is on its way. ``in``: there; ``pushed_sha256`` is the payload they
    acknowledged, NULL where the push was not finished. ``uncertain``: no answer came, read back before anything else.
    ``refused``: the destination will not have them, for ``refusal_code``. ``out``: no longer ours.
    The row outlives the contact: an address that is there must be taken off even after a merge or an erasure.
    ``permission_event_id`` is the event the gate's last yes rested on (the recorded decision).
    """

    __tablename__ = "audience_member"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "audience_id", "subject_key"),
        ForeignKeyConstraint(
            ["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"], ondelete="CASCADE"
        ),
        CheckConstraint("state IN ('claimed', 'in', 'out', 'refused', 'uncertain')", name="state_known"),
        CheckConstraint("state = 'out' OR address IS NOT NULL", name="address_while_needed"),
        CheckConstraint("state NOT IN ('claimed', 'in') OR permission_event_id IS NOT NULL", name="push_has_decision"),
        Index("ix_audience_member_contact", "organisation_id", "contact_id"),
        Index("ix_audience_member_subject", "organisation_id", "subject_key"),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    audience_id: Mapped[int] = column(BigInteger, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    address: Mapped[str | None] = column(Text, pii="contact")
    state: Mapped[str] = column(Text, nullable=False, pii="none")
    refusal_code: Mapped[str | None] = column(Text, pii="none")
    pushed_sha256: Mapped[bytes | None] = column(LargeBinary, pii="none")
    permission_event_id: Mapped[int | None] = column(BigInteger, pii="none")
    decided_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    acknowledged_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class AudienceBatch(Base):
    """A job at the vendor by which the ``claimed`` of an audience are being pushed; gone when it is read back.

    ``remote_ref`` NULL: it was being handed over, and may have arrived. ``needs_tag``: those in it carry no tag yet.
    """

    __tablename__ = "audience_batch"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "audience_id"),
        ForeignKeyConstraint(
            ["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    audience_id: Mapped[int] = column(BigInteger, pii="none")
    remote_ref: Mapped[str | None] = column(Text, pii="none")
    size: Mapped[int] = column(Integer, nullable=False, pii="none")
    needs_tag: Mapped[bool] = column(nullable=False, pii="none")
    begun_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class AudienceDrift(Base):
    """Somebody about whom a list turned out to be otherwise than we thought, when it was read whole: see ``drift``."""

    __tablename__ = "audience_drift"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "audience_id", "kind", "subject_key"),
        ForeignKeyConstraint(
            ["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"], ondelete="CASCADE"
        ),
        CheckConstraint(
            "kind IN ('vanished', 'tag_missing', 'tag_extra', 'subscribed_again', 'missed_opt_out')", name="kind_known"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    audience_id: Mapped[int] = column(BigInteger, pii="none")
    kind: Mapped[str] = column(Text, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    found_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class AudienceByHand(Base):
    """Somebody who is put in an audience, or kept out of it, whatever its segment says: by a step of a journey.

    ``is_in``: pushed as the segment's members are, as long as the gate allows it; else taken off. One word a person and
    audience: the last.
    """

    __tablename__ = "audience_by_hand"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        Index("uq_audience_by_hand", "organisation_id", "audience_id", "contact_id", unique=True),
        Index("ix_audience_by_hand_contact", "organisation_id", "contact_id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    audience_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    is_in: Mapped[bool] = column(nullable=False, pii="none")
    journey_id: Mapped[int | None] = column(BigInteger, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class AudienceRun(Base):
    """One run: dry or real, its counts, and how it ended. A braked run waits for a person with its plan.

    ``is_confirmed``: a person let this run through the brake, up to the size of the run ``confirms_run_id`` (NULL:
    whatever its size).
    """

    __tablename__ = "audience_run"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "audience_id"], ["audience.organisation_id", "audience.id"], ondelete="CASCADE"
        ),
        CheckConstraint(
            "state IN ('queued', 'running', 'planned', 'braked', 'done', 'failed', 'abandoned')", name="state_known"
        ),
        CheckConstraint("trigger IN ('schedule', 'person', 'api', 'confirmed', 'removal')", name="trigger_known"),
        Index("ix_audience_run_audience", "organisation_id", "audience_id", "id"),
        Index(
            "uq_audience_run_queued",
            "organisation_id",
            "audience_id",
            unique=True,
            postgresql_where=text("state = 'queued'"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    audience_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    is_dry: Mapped[bool] = column(nullable=False, pii="none")
    state: Mapped[str] = column(Text, nullable=False, pii="none")
    trigger: Mapped[str] = column(Text, nullable=False, pii="none")
    counts: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    failure_code: Mapped[str | None] = column(Text, pii="none")
    is_confirmed: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    confirms_run_id: Mapped[int | None] = column(BigInteger, pii="none")
    confirmed_by: Mapped[int | None] = column(BigInteger, pii="none")
    started_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class AudienceRunResult(Base):
    """What one run did for one person, where it was not simply done: refused, invalid, opted out, removed."""

    __tablename__ = "audience_run_result"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "run_id", "subject_key", "action"),
        ForeignKeyConstraint(
            ["organisation_id", "run_id"], ["audience_run.organisation_id", "audience_run.id"], ondelete="CASCADE"
        ),
        CheckConstraint("action IN ('add', 'update', 'remove', 'unsubscribe', 'opt_out')", name="action_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    run_id: Mapped[int] = column(BigInteger, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    action: Mapped[str] = column(Text, pii="none")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    outcome: Mapped[str] = column(Text, nullable=False, pii="none")
    code: Mapped[str | None] = column(Text, pii="none")


class ListHeldOut(Base):
    """Whom a list holds out, as it last told us, so that every opt-out is news once and an echo of ours never is.

    ``unsubscribing`` is our own intent, recorded before the call. ``moved``: the person changed their address there.
    Nobody here is pushed to that list again until the list itself says that they are subscribed.
    """

    __tablename__ = "list_held_out"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "list_ref", "subject_key"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
        CheckConstraint(
            "status IN ('unsubscribing', 'unsubscribed', 'cleaned', 'archived', 'transactional', 'forgotten', 'moved')",
            name="status_known",
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    list_ref: Mapped[str] = column(Text, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    status: Mapped[str] = column(Text, nullable=False, pii="none")
    is_ours: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    since: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
