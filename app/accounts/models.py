"""Tables of the organisation and its staff."""

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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Organisation(Base):
    """A cultural house: the tenant. Its own row is the only one it can see."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("language IN ('nl', 'fr', 'en')", name="language_known"),
        CheckConstraint("country IN ('BE', 'NL', 'LU', 'DE', 'FR')", name="country_known"),
    )

    id: Mapped[int] = column(Integer, Identity(), primary_key=True, pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    legal_name: Mapped[str | None] = column(Text, pii="none")
    legal_address: Mapped[str | None] = column(Text, pii="none")
    country: Mapped[str] = column(Text, nullable=False, default="BE", pii="none")
    time_zone: Mapped[str] = column(Text, nullable=False, default="Europe/Brussels", pii="none")
    language: Mapped[str] = column(Text, nullable=False, default="nl", pii="none")
    hash_key_id: Mapped[int] = column(Integer, nullable=False, pii="none")
    settings: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class User(Base):
    """A person who logs in for one organisation. Without a password hash the invitation is still open."""

    __tablename__ = "user_account"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("role IN ('admin', 'marketer', 'analyst', 'viewer')", name="role_known"),
        CheckConstraint("language IN ('nl', 'fr', 'en')", name="language_known"),
        Index("uq_user_account_email", "organisation_id", "email", unique=True),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    email: Mapped[str] = column(Text, nullable=False, pii="staff")
    name: Mapped[str] = column(Text, nullable=False, pii="staff")
    password_hash: Mapped[str | None] = column(Text, pii="secret")
    role: Mapped[str] = column(Text, nullable=False, pii="none")
    language: Mapped[str] = column(Text, nullable=False, pii="none")
    is_active: Mapped[bool] = column(nullable=False, default=True, pii="none")
    session_version: Mapped[int] = column(Integer, nullable=False, default=1, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    last_login_at: Mapped[datetime | None] = column(INSTANT, pii="staff")


class OneTimeLink(Base):
    """An invitation or password reset: used once, then spent. Only a hash of its token is kept."""

    __tablename__ = "one_time_link"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "user_id"], ["user_account.organisation_id", "user_account.id"], ondelete="CASCADE"
        ),
        CheckConstraint("purpose IN ('invitation', 'password_reset')", name="purpose_known"),
        UniqueConstraint("organisation_id", "token_hash"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    user_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    purpose: Mapped[str] = column(Text, nullable=False, pii="none")
    token_hash: Mapped[bytes] = column(LargeBinary, nullable=False, pii="secret")
    expires_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    used_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class ApiKey(Base):
    """A key for programs. Shown once; only its hash is kept."""

    __tablename__ = "api_key"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        UniqueConstraint("organisation_id", "key_hash"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    key_hash: Mapped[bytes] = column(LargeBinary, nullable=False, pii="secret")
    hint: Mapped[str] = column(Text, nullable=False, pii="none")
    scopes: Mapped[list[str]] = column(ARRAY(Text), nullable=False, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    last_used_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    revoked_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class AuditEvent(Base):
    """Who did what to what, and when. Append-only; details hold ids and codes, never addresses."""

    __tablename__ = "audit_event"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("actor_kind IN ('user', 'api_key', 'system', 'command', 'contact')", name="actor_kind_known"),
        Index("ix_audit_event_subject", "organisation_id", "subject_kind", "subject_id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    occurred_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    actor_kind: Mapped[str] = column(Text, nullable=False, pii="none")
    actor_id: Mapped[int | None] = column(BigInteger, pii="none")
    action: Mapped[str] = column(Text, nullable=False, pii="none")
    subject_kind: Mapped[str | None] = column(Text, pii="none")
    subject_id: Mapped[int | None] = column(BigInteger, pii="none")
    details: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")


class DirectoryEntry(Base):
    """Which organisation a key, token or log-in address belongs to: keyed hashes only, for all organisations."""

    __tablename__ = "directory"
    __table_args__ = (
        PrimaryKeyConstraint("kind", "lookup_hash", "organisation_id", "target_id"),
        CheckConstraint(
            "kind IN ('organisation', 'login', 'api_key', 'connection', 'link', 'form', 'return_hook')",
            name="kind_known",
        ),
        Index("ix_directory_target", "organisation_id", "kind", "target_id"),
    )

    kind: Mapped[str] = column(Text, pii="none")
    lookup_hash: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    organisation_id: Mapped[int] = column(Integer, pii="none")
    target_id: Mapped[int] = column(BigInteger, pii="none")


class LoginAttempt(Base):
    """One failed attempt to log in, by a keyed hash of the address or of where it came from."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ix_login_attempt_bucket", "bucket_hash", "attempted_at"),)

    id: Mapped[int] = column(BigInteger, Identity(), primary_key=True, pii="none")
    bucket_hash: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    attempted_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class RateCount(Base):
    """How often something was done within a window of time, by a keyed hash of what it is counted for."""

    __tablename__ = "rate_count"
    __table_args__ = (
        PrimaryKeyConstraint("bucket_hash", "window_at"),
        Index("ix_rate_count_forget", "forget_at"),
    )

    bucket_hash: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    window_at: Mapped[datetime] = column(INSTANT, pii="none")
    hits: Mapped[int] = column(Integer, nullable=False, pii="none")
    forget_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class HouseLogo(Base):
    """The picture a house shows on the pages its audience sees."""

    __tablename__ = "house_logo"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("media_type IN ('image/png', 'image/jpeg', 'image/webp')", name="media_type_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    media_type: Mapped[str] = column(Text, nullable=False, pii="none")
    content: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    width: Mapped[int] = column(Integer, nullable=False, pii="none")
    height: Mapped[int] = column(Integer, nullable=False, pii="none")
    changed_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Letter(Base):
    """One mail a person asked for, or must get: a confirmation to click, a receipt, a way in. Never marketing.

    ``sealed`` is the address and the facts, encrypted, and gone as soon as the letter is sent or given up.
    ``address_hash`` is what the ledger knows the address by. ``about`` is what a letter of a kind is sent once for.
    """

    __tablename__ = "letter"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint(
            "kind IN ('confirmation', 'unsubscribe_receipt', 'address_change', 'data_ready', 'preferences_link',"
            " 'invitation', 'password_reset', 'journey_note')",
            name="kind_known",
        ),
        CheckConstraint("language IN ('nl', 'fr', 'en')", name="language_known"),
        CheckConstraint("state IN ('waiting', 'taken', 'sent', 'failed', 'cancelled')", name="state_known"),
        CheckConstraint("(state IN ('waiting', 'taken')) = (sealed IS NOT NULL)", name="sealed_until_done"),
        Index(
            "uq_letter_about",
            "organisation_id",
            "kind",
            "about",
            unique=True,
            postgresql_where=text("about IS NOT NULL"),
        ),
        Index("ix_letter_waiting", "organisation_id", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_letter_address", "organisation_id", "address_hash", "kind", "requested_at"),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    about: Mapped[str | None] = column(Text, pii="pseudonym")
    language: Mapped[str] = column(Text, nullable=False, pii="contact")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    address_hash: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    sealed: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
    requested_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    done_at: Mapped[datetime | None] = column(INSTANT, pii="none")
