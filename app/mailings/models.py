"""Tables of what is sent, and of how a house sends.

A delivery is one mail to one person. Its states, and who moves it from one to the next (docs/developers/mailings.md):

    planned ──► claimed ──► handed_over ──► accepted
       ▲  ▲        │             ├──► failed
       │  └────────┘ lapsed      └──► uncertain ──► accepted | failed | cancelled, by a person
       └── tried again (4xx)
    planned, claimed ──► cancelled
    draft ──► planned | cancelled, by a person (a rehearsal: it is looked at, and never taken by itself)

Lock order: whatever app/consent locks (docs/developers/consent.md), then the deliveries.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column

GONE = "('handed_over', 'accepted', 'uncertain')"


class MailSetting(Base):
    """How a house sends: its relay, the name and addresses on every mail, and whether sending goes well.

    Empty columns fall back on the settings of the installation. ``confirmed_place`` is the installation in which
    somebody said that this house may send; a copy elsewhere sends nothing (``places``). ``tracks``: clicks and opens
    of who agreed to it are followed. ``utm_source``: what links say to web statistics; empty, they say nothing.
    """

    __tablename__ = "mail_setting"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("relay_security IN ('starttls', 'tls', 'none')", name="relay_security_known"),
        CheckConstraint("relay_port BETWEEN 1 AND 65535", name="relay_port_possible"),
        CheckConstraint("bounces_go IN ('to_sender', 'to_mailbox', 'nowhere')", name="bounces_go_known"),
        CheckConstraint("bounces_go <> 'to_mailbox' OR bounce_address IS NOT NULL", name="mailbox_has_address"),
        CheckConstraint("cap_mails BETWEEN 1 AND 50 AND cap_days BETWEEN 1 AND 365", name="cap_possible"),
        CheckConstraint("cap_wait_hours BETWEEN 0 AND 336", name="cap_wait_possible"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet_whole"),
        CheckConstraint("mails_a_minute BETWEEN 1 AND 1000000", name="pace_possible"),
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
    # How often a person gets marketing, and when not; None: no such limit.
    cap_mails: Mapped[int | None] = column(SmallInteger, default=2, server_default="2", pii="none")
    cap_days: Mapped[int] = column(SmallInteger, nullable=False, default=7, server_default="7", pii="none")
    cap_wait_hours: Mapped[int] = column(SmallInteger, nullable=False, default=24, server_default="24", pii="none")
    quiet_from: Mapped[time | None] = column(Time, default=time(21), server_default="21:00", pii="none")
    quiet_until: Mapped[time | None] = column(Time, default=time(8), server_default="08:00", pii="none")
    mails_a_minute: Mapped[int | None] = column(Integer, pii="none")
    tracks: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    utm_source: Mapped[str | None] = column(Text, pii="none")


class Pace(Base):
    """How fast a house mails to one receiver: a bucket of tokens, and how fast it fills again.

    ``receiver`` is the word for a big provider, ``relay`` for everything that goes through the house's own relay, or a
    hash of any other domain. ``rate`` (mails a second) falls when a receiver asks for patience and recovers by itself.
    ``booked_until`` is when the last mail that was told to wait has its turn.
    """

    __tablename__ = "pace"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "receiver"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("rate > 0 AND tokens >= 0", name="rate_possible"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    receiver: Mapped[str] = column(Text, pii="pseudonym")
    rate: Mapped[float] = column(Float, nullable=False, pii="none")
    tokens: Mapped[float] = column(Float, nullable=False, pii="none")
    filled_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    booked_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    slowed_at: Mapped[datetime | None] = column(INSTANT, pii="none")


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


class Mailing(Base):
    """A mail to many (``campaign``), or one that journeys send (``journey``): what is edited, and how it is sent.

    ``content`` is what somebody is editing, ``version`` the newest frozen one, which is sent; ``edition`` counts
    edits, so that two people do not write over each other. ``repeats`` is a cron line in the zone of the house; each
    time makes a mailing of its own (``repeat_of_id``). ``winner`` is the variant that an A/B test chose.
    ``expected_people`` is how many a person was shown when they said yes.
    """

    __tablename__ = "mailing"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["organisation_id", "purpose"], ["purpose.organisation_id", "purpose.code"]),
        ForeignKeyConstraint(
            ["organisation_id", "repeat_of_id"],
            ["mailing.organisation_id", "mailing.id"],
            ondelete="SET NULL (repeat_of_id)",
        ),
        CheckConstraint("kind IN ('campaign', 'journey')", name="kind_known"),
        CheckConstraint(
            "state IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled')", name="state_known"
        ),
        CheckConstraint("kind = 'campaign' OR state = 'draft'", name="journeys_do_the_sending"),
        CheckConstraint("state IN ('draft', 'cancelled') OR version IS NOT NULL", name="sent_is_frozen"),
        CheckConstraint("holdout_percent BETWEEN 0 AND 50", name="holdout_possible"),
        CheckConstraint("effect_days BETWEEN 1 AND 365", name="effect_days_possible"),
        Index("uq_mailing_name", "organisation_id", func.lower(literal_column("name")).label("folded"), unique=True),
        Index(
            "ix_mailing_due",
            "organisation_id",
            "send_at",
            postgresql_where=text("state IN ('scheduled', 'sending')"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, default="campaign", server_default="campaign", pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="draft", server_default="draft", pii="none")
    purpose: Mapped[str] = column(Text, nullable=False, pii="none")
    content: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    edition: Mapped[int] = column(Integer, nullable=False, default=1, server_default="1", pii="none")
    version: Mapped[int | None] = column(Integer, pii="none")
    send_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    repeats: Mapped[str | None] = column(Text, pii="none")
    repeat_of_id: Mapped[int | None] = column(BigInteger, pii="none")
    priority: Mapped[int] = column(SmallInteger, nullable=False, default=50, server_default="50", pii="none")
    holdout_percent: Mapped[int] = column(SmallInteger, nullable=False, default=0, server_default="0", pii="none")
    season_holdout: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    ab_test: Mapped[dict[str, Any] | None] = column(JSONB, pii="none")
    winner: Mapped[str | None] = column(Text, pii="none")
    effect_days: Mapped[int] = column(SmallInteger, nullable=False, default=30, server_default="30", pii="none")
    paused_because: Mapped[str | None] = column(Text, pii="none")
    expected_people: Mapped[int | None] = column(Integer, pii="none")
    planned_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    started_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class MailingSegment(Base):
    """Segments of a mailing: to whom it goes (``to``), to whom not (``without``), and others that a ``block`` asks for.

    A segment that is used cannot be removed.
    """

    __tablename__ = "mailing_segment"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id", "segment_id"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["organisation_id", "segment_id"], ["segment.organisation_id", "segment.id"]),
        CheckConstraint("part IN ('to', 'without', 'block')", name="part_known"),
        Index("ix_mailing_segment_segment", "organisation_id", "segment_id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    segment_id: Mapped[int] = column(BigInteger, pii="none")
    part: Mapped[str] = column(Text, nullable=False, pii="none")


class MailingVersion(Base):
    """The content of a mailing as it was frozen to be sent; never changed."""

    __tablename__ = "mailing_version"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id", "version"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
        CheckConstraint("version >= 1", name="version_counts"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    version: Mapped[int] = column(Integer, autoincrement=False, pii="none")
    content: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    frozen_by: Mapped[int | None] = column(BigInteger, pii="none")
    frozen_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class MailingLeftOut(Base):
    """Somebody for whom a mailing was meant and who does not get it, and why (``reason``, a code)."""

    __tablename__ = "mailing_left_out"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id", "contact_id"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        Index("ix_mailing_left_out_contact", "organisation_id", "contact_id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    reason: Mapped[str] = column(Text, nullable=False, pii="contact")
    decided_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")


class MailImage(Base):
    """A picture in mails, made small when it was uploaded. ``name`` is its address, which nobody can guess.

    The same picture is kept once (``digest``). What was mailed stays: mails are read for years.
    """

    __tablename__ = "mail_image"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "name"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        UniqueConstraint("organisation_id", "digest"),
        CheckConstraint("media_type IN ('image/png', 'image/jpeg', 'image/gif')", name="media_type_known"),
        Index("ix_mail_image_uploaded_at", "organisation_id", "uploaded_at"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    name: Mapped[str] = column(Text, pii="none")
    digest: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    media_type: Mapped[str] = column(Text, nullable=False, pii="none")
    content: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    width: Mapped[int] = column(Integer, nullable=False, pii="none")
    height: Mapped[int] = column(Integer, nullable=False, pii="none")
    alt: Mapped[str] = column(Text, nullable=False, default="", server_default="", pii="none")
    uploaded_by: Mapped[int | None] = column(BigInteger, pii="none")
    uploaded_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class MailingTemplate(Base):
    """Content that mailings start from, kept by somebody of the house."""

    __tablename__ = "mailing_template"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index(
            "uq_mailing_template_name",
            "organisation_id",
            func.lower(literal_column("name")).label("folded"),
            unique=True,
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    content: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Delivery(Base):
    """One mail to one person: what was decided about it, when it left, and what became of it.

    A mailing that one person should get is one delivery (``mailing_id``, ``contact_id``); a step of a journey sends at
    most one for each way through it (``enrolment_id``, ``step_id``). Both are unique indexes.

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
            "state IN ('draft', 'planned', 'claimed', 'handed_over', 'accepted', 'failed', 'uncertain', 'cancelled')",
            name="state_known",
        ),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id", "mailing_version"],
            ["mailing_version.organisation_id", "mailing_version.mailing_id", "mailing_version.version"],
        ),
        CheckConstraint("(kind = 'mailing') = (mailing_id IS NOT NULL)", name="mailing_has_mailing"),
        CheckConstraint("(mailing_id IS NULL) = (mailing_version IS NULL)", name="mailing_has_version"),
        CheckConstraint(
            "(enrolment_id IS NULL) = (step_id IS NULL) AND (enrolment_id IS NULL OR mailing_id IS NOT NULL)",
            name="step_whole",
        ),
        Index(
            "uq_delivery_mailing",
            "organisation_id",
            "mailing_id",
            "contact_id",
            unique=True,
            postgresql_where=text("enrolment_id IS NULL AND mailing_id IS NOT NULL"),
        ),
        Index(
            "uq_delivery_step",
            "organisation_id",
            "enrolment_id",
            "step_id",
            unique=True,
            postgresql_where=text("enrolment_id IS NOT NULL"),
        ),
        Index(
            "ix_delivery_mailing",
            "organisation_id",
            "mailing_id",
            "state",
            postgresql_where=text("mailing_id IS NOT NULL"),
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
        # Letters (without a mailing) and every mailing are a queue of their own.
        Index(
            "ix_delivery_due",
            "organisation_id",
            "mailing_id",
            "next_try_at",
            "id",
            postgresql_where=text("state = 'planned'"),
        ),
        CheckConstraint("came_back IN ('refused', 'bounced_for_now', 'bounced', 'complained')", name="came_back_known"),
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
    mailing_id: Mapped[int | None] = column(BigInteger, pii="none")
    mailing_version: Mapped[int | None] = column(Integer, pii="none")
    variant: Mapped[str | None] = column(Text, pii="none")
    language: Mapped[str | None] = column(Text, pii="none")
    enrolment_id: Mapped[int | None] = column(BigInteger, pii="none")
    step_id: Mapped[str | None] = column(Text, pii="none")
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
    came_back: Mapped[str | None] = column(Text, pii="none")
    came_back_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    came_back_code: Mapped[str | None] = column(Text, pii="none")
