"""Tables of connections, of what came in through them, and of how far each pull is."""

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


class Connection(Base):
    """A connected system: where it is, how to get in, and how it is doing. Secrets are encrypted with the keyring.

    ``token_encrypted`` is the secret part of its webhook address; the directory finds the connection by its hash.
    ``lease_until`` makes sure that one worker at a time speaks to it. ``takes_opt_outs``: a source that is told of
    every no.
    """

    __tablename__ = "connection"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("kind IN ('source', 'destination')", name="kind_known"),
        CheckConstraint("state IN ('active', 'paused', 'failing', 'removed')", name="state_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    system: Mapped[str] = column(Text, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    takes_opt_outs: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    settings: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    secrets_encrypted: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    token_encrypted: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    hook_secret_encrypted: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    state: Mapped[str] = column(Text, nullable=False, default="active", server_default="active", pii="none")
    last_ok_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    failing_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    failure_code: Mapped[str | None] = column(Text, pii="none")
    next_run_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class PullProgress(Base):
    """How far one stream of one connection has come. The cursor is committed with the page it stands for."""

    __tablename__ = "pull_progress"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "stream"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    stream: Mapped[str] = column(Text, pii="none")
    cursor: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="content")
    rows_total: Mapped[int | None] = column(Integer, pii="none")
    rows_done: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    counts: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    started_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class InboxItem(Base):
    """One webhook exactly as it arrived. Stored before anything else, processed once, kept to be replayed."""

    __tablename__ = "inbox_item"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
        CheckConstraint("state IN ('waiting', 'done', 'ignored', 'dead')", name="state_known"),
        Index(
            "uq_inbox_item_dedupe",
            "organisation_id",
            "connection_id",
            "dedupe_key",
            unique=True,
            postgresql_where=text("dedupe_key IS NOT NULL"),
        ),
        Index(
            "ix_inbox_item_waiting",
            "organisation_id",
            "next_try_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        {"info": {"when_emptied": {"state": {"waiting": "ignored"}}}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    connection_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    received_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    headers: Mapped[dict[str, str]] = column(JSONB, nullable=False, default=dict, pii="none")
    body: Mapped[bytes] = column(LargeBinary, nullable=False, pii="content")
    dedupe_key: Mapped[str | None] = column(Text, pii="pseudonym")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    attempts: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    next_try_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    processed_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")


class SyncProblem(Base):
    """A record of a connection that could not be stored, in a code the UI puts in words."""

    __tablename__ = "sync_problem"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "stream", "external_id"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    stream: Mapped[str] = column(Text, pii="none")
    external_id: Mapped[str] = column(Text, pii="pseudonym")
    code: Mapped[str] = column(Text, nullable=False, pii="none")
    occurred_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class SourceMeaning(Base):
    """A word of a source's own, and what the house says it is here.

    ``kind`` is a genre of activities, a question of yes or no, or a field of people; ``key`` names it there, ``label``
    is what people see. ``meaning`` is one of ``{"genre": word}``, ``{"purpose": code}``, ``{"attribute": name}`` and
    ``{"nothing": true}``; NULL while nobody said anything. While what was read before is still being brought in line,
    ``catching_up`` holds the meanings before it, and ``caught_up_to`` how far that is.
    """

    __tablename__ = "source_meaning"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "kind", "key"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
        CheckConstraint("kind IN ('genre', 'question', 'field')", name="kind_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    kind: Mapped[str] = column(Text, pii="none")
    key: Mapped[str] = column(Text, pii="none")
    label: Mapped[str] = column(Text, nullable=False, pii="none")
    is_choice: Mapped[bool] = column(nullable=False, default=True, server_default=text("true"), pii="none")
    meaning: Mapped[dict[str, Any] | None] = column(JSONB(none_as_null=True), pii="none")
    catching_up: Mapped[list[dict[str, Any]] | None] = column(JSONB(none_as_null=True), pii="none")
    caught_up_to: Mapped[str | None] = column(Text, pii="pseudonym")
    first_seen_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    said_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class SourceAnswer(Base):
    """What one person answered to a question of a source, or has in a field of it, as it came.

    Kept for a while, so that a house that says otherwise what it means need not read everything again.
    """

    __tablename__ = "source_answer"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "kind", "key", "external_id"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("kind IN ('question', 'field')", name="kind_known"),
        Index("ix_source_answer_contact", "organisation_id", "contact_id"),
        Index("ix_source_answer_read", "organisation_id", "read_at"),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    kind: Mapped[str] = column(Text, pii="none")
    key: Mapped[str] = column(Text, pii="none")
    external_id: Mapped[str] = column(Text, pii="pseudonym")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    answer: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    read_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Heartbeat(Base):
    """When each heartbeat of the worker last ran, and whether it went well."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = column(Text, primary_key=True, pii="none")
    started_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    failed_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    failure_code: Mapped[str | None] = column(Text, pii="none")
