"""Tables of what is measured: control groups of seasons, tests of variants, and the figures of each mailing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class SeasonControl(Base):
    """That a house keeps a control group in a season: what share of the people. It stays what it was at the start.

    ``season`` is the year in which the season begins.
    """

    __tablename__ = "season_control"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "season"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("percent BETWEEN 1 AND 50", name="percent_possible"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    season: Mapped[int] = column(SmallInteger, autoincrement=False, pii="none")
    percent: Mapped[int] = column(SmallInteger, nullable=False, pii="none")
    started_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class SeasonSide(Base):
    """On which side somebody is in a season, since the first mailing or journey that would have reached them.

    It is written down because the draw is by household: somebody whose address becomes known, often by booking, would
    otherwise be drawn anew, and what is measured would depend on what it is measured by.
    """

    __tablename__ = "season_side"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "season", "contact_id"),
        ForeignKeyConstraint(
            ["organisation_id", "season"],
            ["season_control.organisation_id", "season_control.season"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    season: Mapped[int] = column(SmallInteger, autoincrement=False, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    is_held_out: Mapped[bool] = column(nullable=False, pii="contact")
    since: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")


class MailingTest(Base):
    """How the test of a mailing's variants ended: once, with the numbers it was decided by."""

    __tablename__ = "mailing_test"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    winner: Mapped[str | None] = column(Text, pii="none")
    sides: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="none")
    rest: Mapped[int] = column(Integer, nullable=False, pii="none")
    decided_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class MailingReport(Base):
    """The figures of a mailing as they were measured last (``figures.Figures``), and what a colleague says of them."""

    __tablename__ = "mailing_report"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "mailing_id"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id"], ["mailing.organisation_id", "mailing.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    mailing_id: Mapped[int] = column(BigInteger, pii="none")
    figures: Mapped[dict[str, Any] | None] = column(JSONB(none_as_null=True), pii="none")
    measured_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    remark: Mapped[str | None] = column(Text, pii="content")
    remarked_by: Mapped[int | None] = column(BigInteger, pii="none")
    remarked_at: Mapped[datetime | None] = column(INSTANT, pii="none")
