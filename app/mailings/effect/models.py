"""Tables of the control group of a season: one for all mailings and journeys of a house that leave it alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
)
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
