"""Tables of sign-up forms, of what people sent with them, and of how often that happened."""

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


class SignupForm(Base):
    """A form of the house. ``code`` is its public name; ``definition`` what ``definitions.Definition`` reads."""

    __tablename__ = "signup_form"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        UniqueConstraint("organisation_id", "code"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    code: Mapped[str] = column(Text, nullable=False, pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    is_active: Mapped[bool] = column(nullable=False, default=True, pii="none")
    definition: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    changed_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Signup(Base):
    """What somebody sent with a form, until it is confirmed or has run out.

    ``typed`` holds what they wrote, and goes as soon as it is in the store or too old; the requests in the ledger stay.
    ``replay_key`` makes the same sending harmless. ``event_ids`` are those requests, one per purpose.
    """

    __tablename__ = "signup"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "form_id"], ["signup_form.organisation_id", "signup_form.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("organisation_id", "form_id", "replay_key"),
        CheckConstraint("state IN ('waiting', 'confirmed', 'lapsed')", name="state_known"),
        CheckConstraint("state = 'waiting' OR typed IS NULL", name="typed_until_done"),
        Index("ix_signup_subject", "organisation_id", "subject_key"),
        Index("ix_signup_waiting", "organisation_id", "sent_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_signup_events", "event_ids", postgresql_using="gin"),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    form_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    replay_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    event_ids: Mapped[list[int]] = column(
        ARRAY(BigInteger), nullable=False, default=list, server_default=text("'{}'"), pii="none"
    )
    typed: Mapped[dict[str, Any] | None] = column(JSONB(none_as_null=True), pii="content")
    by_guardian: Mapped[bool] = column(nullable=False, default=False, pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    sent_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    done_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class SignupFormDay(Base):
    """How often a form was shown, sent and confirmed on a day of the house's calendar. Counts: nobody is followed."""

    __tablename__ = "signup_form_day"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "form_id", "day_on"),
        ForeignKeyConstraint(
            ["organisation_id", "form_id"], ["signup_form.organisation_id", "signup_form.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    form_id: Mapped[int] = column(BigInteger, pii="none")
    day_on: Mapped[date] = column(Date, pii="none")
    shown: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    sent: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    confirmed: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
