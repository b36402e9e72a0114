"""What comes back, where it is fetched, and what keeps still because of it."""

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
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class ReturnMailbox(Base):
    """Where a house's bounces are fetched (IMAP), how far we read, and whether that goes well.

    ``last_uid`` counts within ``uid_validity``; a mailbox that was made anew is read from its beginning, and what is
    known already changes nothing. A relay may also hand mails in itself (``hooks``), by an
    address whose secret is known to the directory only, as a hash; ``hook_key`` is what it signs its events with.
    """

    __tablename__ = "return_mailbox"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("security IN ('starttls', 'tls', 'none')", name="security_known"),
        CheckConstraint("port BETWEEN 1 AND 65535", name="port_possible"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    host: Mapped[str | None] = column(Text, pii="none")
    port: Mapped[int] = column(Integer, nullable=False, default=993, server_default="993", pii="none")
    security: Mapped[str] = column(Text, nullable=False, default="tls", server_default="tls", pii="none")
    user: Mapped[str | None] = column("mailbox_user", Text, pii="none")
    password: Mapped[bytes | None] = column(LargeBinary, pii="secret")
    folder: Mapped[str] = column(Text, nullable=False, default="INBOX", server_default="INBOX", pii="none")
    done_folder: Mapped[str | None] = column(Text, pii="none")
    uid_validity: Mapped[int | None] = column(BigInteger, pii="none")
    last_uid: Mapped[int] = column(BigInteger, nullable=False, default=0, server_default="0", pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    next_try_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    checked_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    failing_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
    failures: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    hook_key: Mapped[bytes | None] = column(LargeBinary, pii="secret")


class ReturnMail(Base):
    """A mail that came back, as it came: sealed, read once, forgotten after a while.

    ``kind`` is what it claims to be, ``verdict`` what a bounce says about the address (``statuses``). ``delivery_id``
    is set only where a number that we signed says so. ``state``: ``waiting`` to be read; ``done``; ``to_look_at`` by a
    person; ``decided`` by one (``decision``). Until ``next_try_at`` whoever claimed it reads it, and nobody else.
    """

    __tablename__ = "return_mail"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        UniqueConstraint("organisation_id", "raw_sha256", name="uq_return_mail_raw"),
        CheckConstraint("came_by IN ('mailbox', 'hook', 'pipe', 'event')", name="came_by_known"),
        CheckConstraint("state IN ('waiting', 'done', 'to_look_at', 'decided')", name="state_known"),
        CheckConstraint(
            "kind IN ('bounce', 'delay', 'notice', 'complaint', 'auto_reply', 'unsubscribe', 'reply', 'unknown')",
            name="kind_known",
        ),
        CheckConstraint("verdict IN ('dead', 'soft', 'policy', 'mail', 'unknown')", name="verdict_known"),
        CheckConstraint("decision IN ('dead', 'ignored', 'opted_out', 'reply')", name="decision_known"),
        Index("ix_return_mail_due", "organisation_id", "next_try_at", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_return_mail_shown", "organisation_id", "state", "kind", "id"),
        Index("ix_return_mail_delivery", "organisation_id", "delivery_id"),
        Index("ix_return_mail_sealed", "organisation_id", "received_at", postgresql_where=text("sealed IS NOT NULL")),
        {"info": {"on_erasure": "empty"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    came_by: Mapped[str] = column(Text, nullable=False, pii="none")
    received_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    raw_sha256: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    sealed: Mapped[bytes | None] = column(LargeBinary, pii="content")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    kind: Mapped[str | None] = column(Text, pii="none")
    verdict: Mapped[str | None] = column(Text, pii="none")
    status_code: Mapped[str | None] = column(Text, pii="none")
    delivery_id: Mapped[int | None] = column(BigInteger, pii="none")
    contact_id: Mapped[int | None] = column(BigInteger, pii="none")
    mailing_id: Mapped[int | None] = column(BigInteger, pii="none")
    attempts: Mapped[int] = column(SmallInteger, nullable=False, default=0, server_default="0", pii="none")
    next_try_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    problem_code: Mapped[str | None] = column(Text, pii="none")
    settled_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    decision: Mapped[str | None] = column(Text, pii="none")
    decided_by: Mapped[int | None] = column(BigInteger, pii="none")


class MailBreaker(Base):
    """A receiving domain that refuses what we send from a domain of ours, and how long we keep still (``breakers``)."""

    __tablename__ = "mail_breaker"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "sending_domain", "receiving_domain"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index("ix_mail_breaker_open", "organisation_id", "trial_until", postgresql_where=text("opened_at IS NOT NULL")),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    sending_domain: Mapped[str] = column(Text, pii="none")
    receiving_domain: Mapped[str] = column(Text, pii="none")
    strikes: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    counted_since: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    last_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    last_code: Mapped[str | None] = column(Text, pii="none")
    rests: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    opened_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    open_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    trial_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    next_trial_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class MailingAlarm(Base):
    """That a mailing drew too many complaints or bounces: said once as a warning, and again when it was paused."""

    __tablename__ = "mailing_alarm"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id", "about"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
        CheckConstraint("about IN ('complaints', 'bounces')", name="about_known"),
        CheckConstraint("level IN ('warned', 'paused')", name="level_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    about: Mapped[str] = column(Text, pii="none")
    level: Mapped[str] = column(Text, nullable=False, pii="none")
    counted: Mapped[int] = column(Integer, nullable=False, pii="none")
    of_mails: Mapped[int] = column(Integer, nullable=False, pii="none")
    noted_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
