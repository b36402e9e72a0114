"""Tables of the ledger, of what it implies, and of who must never be contacted.

Lock order, for everything that decides or changes permission: the advisory lock on the address hash, then the
permission rows by (subject_key, channel, purpose). See docs/developers/consent.md.
"""

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
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column

CHANNELS = "('email', 'sms', 'post', 'phone', 'ads')"
ACTIONS = (
    "('requested', 'granted', 'confirmed', 'withdrawn', 'objected', 'refused', 'expired', 'invalidated', 'noted',"
    " 'paused', 'resumed')"
)
BASES = "('consent', 'soft_opt_in', 'impersonal_address', 'service')"


class Purpose(Base):
    """What the organisation would contact someone for, the bases it may rest on, and how long a permission lasts.

    ``tightened_at``: its rules changed, and the gate holds stored answers to them until they are recomputed.
    ``published_notices`` is the id of the notice version shown now, by language; ``notice_drafts`` the next text.
    """

    __tablename__ = "purpose"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "code"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    code: Mapped[str] = column(Text, pii="none")
    names: Mapped[dict[str, str]] = column(JSONB, nullable=False, pii="none")
    allowed_bases: Mapped[list[str]] = column(ARRAY(Text), nullable=False, pii="none")
    is_marketing: Mapped[bool] = column(nullable=False, default=True, pii="none")
    needs_confirmation: Mapped[bool] = column(nullable=False, default=False, pii="none")
    retention_days: Mapped[int | None] = column(Integer, pii="none")
    is_active: Mapped[bool] = column(nullable=False, default=True, pii="none")
    position: Mapped[int] = column(Integer, nullable=False, default=0, pii="none")
    published_notices: Mapped[dict[str, int]] = column(
        JSONB, nullable=False, default=dict, server_default=text("'{}'::jsonb"), pii="none"
    )
    notice_drafts: Mapped[dict[str, str]] = column(
        JSONB, nullable=False, default=dict, server_default=text("'{}'::jsonb"), pii="none"
    )
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    tightened_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class Recomputation(Base):
    """A change of rules whose consequences are still being worked out: of one purpose, or of all (the country).

    ``after_key`` is how far it is; a trigger makes the row when the rules change.
    """

    __tablename__ = "recomputation"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("because IN ('purpose', 'country')", name="because_known"),
        CheckConstraint("(because = 'purpose') = (purpose IS NOT NULL)", name="purpose_is_named"),
        Index("ix_recomputation_waiting", "organisation_id", "id", postgresql_where=text("finished_at IS NULL")),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    because: Mapped[str] = column(Text, nullable=False, pii="none")
    purpose: Mapped[str | None] = column(Text, pii="none")
    subjects_total: Mapped[int | None] = column(Integer, pii="none")
    subjects_done: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    after_key: Mapped[bytes | None] = column(LargeBinary, pii="pseudonym")
    asked_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class NoticeVersion(Base):
    """The immutable wording somebody was shown, with its hash; every positive event points to one."""

    __tablename__ = "notice_version"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id", "purpose"], ["purpose.organisation_id", "purpose.code"]),
        UniqueConstraint("organisation_id", "purpose", "language", "wording_sha256"),
        CheckConstraint("octet_length(wording_sha256) = 32", name="hash_length"),
        CheckConstraint("wording_sha256 = sha256(convert_to(wording, 'UTF8'))", name="wording_matches_hash"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    purpose: Mapped[str] = column(Text, nullable=False, pii="none")
    language: Mapped[str] = column(Text, nullable=False, pii="none")
    wording: Mapped[str] = column(Text, nullable=False, pii="none")
    wording_sha256: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class ConsentEvent(Base):
    """One fact about permission. Append-only: rights and a trigger forbid UPDATE and DELETE.

    ``purpose`` NULL means all direct marketing. ``occurred_at`` is what was claimed, ``recorded_at`` and ``id`` (the
    sequence) are ours. ``noted`` is a statement of unknown worth, kept as evidence; it allows nothing. ``paused``
    lasts until its ``valid_until``, or until ``resumed``. There is no foreign key to the contact, so that nothing that
    happens to a contact removes a fact (I7).
    """

    __tablename__ = "consent_event"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "notice_version_id"], ["notice_version.organisation_id", "notice_version.id"]
        ),
        CheckConstraint(f"channel IN {CHANNELS}", name="channel_known"),
        CheckConstraint(f"action IN {ACTIONS}", name="action_known"),
        CheckConstraint(f"basis IS NULL OR basis IN {BASES}", name="basis_known"),
        CheckConstraint("actor IN ('contact', 'guardian', 'staff', 'system', 'import', 'api')", name="actor_known"),
        CheckConstraint("action NOT IN ('granted', 'confirmed') OR basis IS NOT NULL", name="positive_names_its_basis"),
        CheckConstraint(
            "action NOT IN ('granted', 'confirmed') OR (notice_version_id IS NOT NULL AND occurred_at IS NOT NULL)",
            name="positive_has_notice",
        ),
        CheckConstraint("action <> 'paused' OR valid_until IS NOT NULL", name="pause_ends"),
        Index("ix_consent_event_subject", "organisation_id", "subject_key", "channel", "id"),
        Index("ix_consent_event_contact", "organisation_id", "contact_id", "id"),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    hash_key_id: Mapped[int] = column(Integer, nullable=False, pii="none")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    channel: Mapped[str] = column(Text, nullable=False, pii="none")
    purpose: Mapped[str | None] = column(Text, pii="none")
    action: Mapped[str] = column(Text, nullable=False, pii="none")
    basis: Mapped[str | None] = column(Text, pii="none")
    occurred_at: Mapped[datetime | None] = column(INSTANT, pii="contact")
    recorded_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    actor: Mapped[str] = column(Text, nullable=False, pii="none")
    actor_id: Mapped[int | None] = column(BigInteger, pii="none")
    method: Mapped[str] = column(Text, nullable=False, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    notice_version_id: Mapped[int | None] = column(BigInteger, pii="none")
    language: Mapped[str | None] = column(Text, pii="contact")
    valid_until: Mapped[datetime | None] = column(INSTANT, pii="none")


class ConsentEvidence(Base):
    """What was handed over with a consent event, and the name its source gives it. Goes when the person is erased.

    It stands beside the ledger, because it may say who somebody is, and the ledger is never changed. An event without
    a row here came with nothing.
    """

    __tablename__ = "consent_evidence"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "event_id"),
        # Written before its event, because what follows from a no (a trigger) reads where it came from.
        ForeignKeyConstraint(
            ["organisation_id", "event_id"],
            ["consent_event.organisation_id", "consent_event.id"],
            deferrable=True,
            initially="DEFERRED",
        ),
        Index(
            "uq_consent_evidence_external",
            "organisation_id",
            "source",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("ix_consent_evidence_subject", "organisation_id", "subject_key"),
        Index("ix_consent_evidence_contact", "organisation_id", "contact_id"),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    event_id: Mapped[int] = column(BigInteger, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    external_id: Mapped[str | None] = column(Text, pii="pseudonym")
    evidence: Mapped[dict[str, Any]] = column(
        JSONB, nullable=False, default=dict, server_default=text("'{}'::jsonb"), pii="content"
    )


class Permission(Base):
    """What the ledger implies now, for one address, channel and purpose; always equal to a rebuild (I8).

    ``is_negative`` tells a spoken no from mere silence: a no counts for every address of the same contact.
    ``reason`` is a code the UI puts in words. Until ``paused_until`` nothing is sent, whatever is allowed.
    """

    __tablename__ = "permission"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "subject_key", "channel", "purpose"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("NOT (is_allowed AND is_negative)", name="never_both"),
        CheckConstraint("NOT is_allowed OR (basis IS NOT NULL AND decided_by IS NOT NULL)", name="allowed_has_proof"),
        Index(
            "ix_permission_ends",
            "organisation_id",
            "valid_until",
            postgresql_where=text("is_allowed AND valid_until IS NOT NULL"),
        ),
        Index(
            "ix_permission_paused",
            "organisation_id",
            "paused_until",
            postgresql_where=text("paused_until IS NOT NULL"),
        ),
        Index(
            "ix_permission_otherwise",
            "organisation_id",
            "channel",
            "purpose",
            postgresql_where=text("channel <> 'email'"),
        ),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    channel: Mapped[str] = column(Text, pii="none")
    purpose: Mapped[str] = column(Text, pii="none")
    is_allowed: Mapped[bool] = column(nullable=False, pii="contact")
    is_negative: Mapped[bool] = column(nullable=False, pii="contact")
    basis: Mapped[str | None] = column(Text, pii="none")
    reason: Mapped[str] = column(Text, nullable=False, pii="none")
    since: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")
    valid_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    decided_by: Mapped[int | None] = column(BigInteger, pii="none")
    paused_until: Mapped[datetime | None] = column(INSTANT, pii="contact")


class Suppression(Base):
    """A keyed hash of an address never to be contacted. No foreign keys: it survives erasure of everything else."""

    __tablename__ = "suppression"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "address_hash", "channel"),
        CheckConstraint(f"channel IN {CHANNELS}", name="channel_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    address_hash: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    hash_key_id: Mapped[int] = column(Integer, nullable=False, pii="none")
    channel: Mapped[str] = column(Text, pii="none")
    reason: Mapped[str] = column(Text, nullable=False, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    since: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class RightsRequest(Base):
    """Somebody asked for a right under the GDPR (articles 15 to 21), with its clock and what was done about it.

    ``due_on`` is the last day to answer, in the house's zone: one month after it came in, three where it was extended.
    ``outcome`` is a code. Free text goes when the person is erased; that they asked, when, and what was done stays.
    """

    __tablename__ = "rights_request"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint(
            "kind IN ('access', 'rectification', 'erasure', 'restriction', 'objection', 'portability')",
            name="kind_known",
        ),
        CheckConstraint("channel IN ('mail', 'phone', 'counter', 'letter', 'page')", name="channel_known"),
        CheckConstraint("state IN ('open', 'done', 'refused', 'withdrawn')", name="state_known"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_has_date"),
        CheckConstraint("extension_reason IN ('complex', 'many')", name="extension_reason_known"),
        CheckConstraint("(extended_at IS NULL) = (extension_reason IS NULL)", name="extension_has_reason"),
        CheckConstraint(
            "identity_check IN ('link', 'known', 'callback', 'document', 'account')", name="identity_check_known"
        ),
        Index("ix_rights_request_open", "organisation_id", "due_on", postgresql_where=text("state = 'open'")),
        Index("ix_rights_request_contact", "organisation_id", "contact_id"),
        Index("ix_rights_request_subject", "organisation_id", "subject_key"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    channel: Mapped[str] = column(Text, nullable=False, pii="none")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    subject_key: Mapped[bytes | None] = column(LargeBinary, pii="pseudonym")
    note: Mapped[str | None] = column(Text, pii="content")
    received_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    due_on: Mapped[date] = column(Date, nullable=False, pii="none")
    extended_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    extension_reason: Mapped[str | None] = column(Text, pii="none")
    identity_check: Mapped[str | None] = column(Text, pii="none")
    identity_checked_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    identity_checked_by: Mapped[int | None] = column(BigInteger, pii="none")
    carried_out_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="open", server_default="open", pii="none")
    outcome: Mapped[str | None] = column(Text, pii="none")
    outcome_note: Mapped[str | None] = column(Text, pii="content")
    closed_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    closed_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
