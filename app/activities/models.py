"""Tables of what is on offer and of who took part."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Activity(Base):
    """A performance, exhibition, workshop, film, loanable title: what somebody can take part in.

    ``starts_on`` is the local date of ``starts_at`` in the organisation's zone, kept by the verbs that write it.
    """

    __tablename__ = "activity"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index("uq_activity_external", "organisation_id", "source", "external_id", unique=True),
        Index("ix_activity_starts", "organisation_id", "starts_on"),
        Index("ix_activity_genres", "genres", postgresql_using="gin"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    external_id: Mapped[str] = column(Text, nullable=False, pii="none")
    title: Mapped[str] = column(Text, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, default="performance", server_default="performance", pii="none")
    genres: Mapped[list[str]] = column(ARRAY(Text), nullable=False, default=list, server_default="{}", pii="none")
    # The source's own words, where the house calls the genres otherwise.
    own_genres: Mapped[list[str] | None] = column(ARRAY(Text), pii="none")
    series: Mapped[str | None] = column(Text, pii="none")
    venue: Mapped[str | None] = column(Text, pii="none")
    audiences: Mapped[list[str]] = column(ARRAY(Text), nullable=False, default=list, server_default="{}", pii="none")
    url: Mapped[str | None] = column(Text, pii="none")
    starts_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    ends_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    starts_on: Mapped[date | None] = column(Date, pii="none")
    is_cancelled: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Participation(Base):
    """A contact took, or will take, part: a ticket line, check-in, loan or registration.

    ``activity_on`` is the local date of the activity's start, or, for an activity without a date, of the participation
    itself (attended, else booked). ``booked_on`` is the local date of ``booked_at``. Both are in the organisation's
    zone and kept by the verbs that write a participation or move an activity. ``amount`` is the total of the line.

    ``contact_id`` is who takes part, ``buyer_id`` who ordered it; NULL where that is the same person, or nobody knows.
    """

    __tablename__ = "participation"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "buyer_id"],
            ["contact.organisation_id", "contact.id"],
            name="fk_participation_buyer",
            ondelete="SET NULL (buyer_id)",
        ),
        ForeignKeyConstraint(["organisation_id", "activity_id"], ["activity.organisation_id", "activity.id"]),
        CheckConstraint("status IN ('booked', 'attended', 'cancelled', 'refunded', 'pending')", name="status_known"),
        CheckConstraint("quantity >= 0", name="quantity_counts"),
        Index("uq_participation_external", "organisation_id", "source", "external_id", unique=True),
        Index(
            "ix_participation_history",
            "organisation_id",
            "contact_id",
            "activity_on",
            postgresql_include=["booked_on", "activity_id", "quantity", "amount"],
            postgresql_where=text("is_valid"),
        ),
        # Who orders for many is rare: they are found without looking at everybody else's orders.
        Index(
            "ix_participation_large",
            "organisation_id",
            "activity_on",
            postgresql_include=["contact_id", "quantity"],
            postgresql_where=text("is_valid AND quantity >= 5"),
        ),
        Index("ix_participation_activity", "organisation_id", "activity_id"),
        # Most people book for themselves: only the others are in here.
        Index(
            "ix_participation_buyer",
            "organisation_id",
            "buyer_id",
            postgresql_where=text("buyer_id IS NOT NULL"),
        ),
        # Who has a date that the edge of a window passed over. Bookings come in by date: summaries of blocks do.
        Index("ix_participation_activity_on", "organisation_id", "activity_on"),
        Index(
            "ix_participation_booked_on",
            "booked_on",
            postgresql_using="brin",
            postgresql_ops={"booked_on": "date_minmax_multi_ops"},
        ),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    buyer_id: Mapped[int | None] = column(BigInteger, pii="none")
    activity_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    # Compared byte by byte, so that the numbers of one order lie together in the index whatever the server's language.
    external_id: Mapped[str] = column(Text(collation="C"), nullable=False, pii="pseudonym")
    kind: Mapped[str] = column(Text, nullable=False, default="ticket", server_default="ticket", pii="none")
    status: Mapped[str] = column(Text, nullable=False, default="booked", server_default="booked", pii="none")
    is_valid: Mapped[bool] = column(
        Computed("status NOT IN ('cancelled', 'refunded')", persisted=True), nullable=False, pii="none"
    )
    quantity: Mapped[int] = column(Integer, nullable=False, default=1, server_default="1", pii="none")
    amount: Mapped[Decimal | None] = column(Numeric(12, 2), pii="none")
    currency: Mapped[str] = column(Text, nullable=False, default="EUR", server_default="EUR", pii="none")
    channel: Mapped[str | None] = column(Text, pii="none")
    booked_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")
    booked_on: Mapped[date] = column(Date, nullable=False, pii="contact")
    activity_on: Mapped[date] = column(Date, nullable=False, pii="contact")
    attended_at: Mapped[datetime | None] = column(INSTANT, pii="contact")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


def _of_contact(*more: Index) -> tuple[Any, ...]:
    """A row for each contact, gone with them; what somebody took part in stays, without a name."""
    return (
        PrimaryKeyConstraint("organisation_id", "contact_id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        *more,
        {"info": {"on_erasure": "keep"}},
    )


class ContactHistory(Base):
    """The dates of a contact's valid participations, sorted, so that how many lie in a window is two binary searches.

    The triggers of participation and activity keep it: it equals what ``packed_history`` works out at every commit (see
    docs/developers/segments.md), and after ``settle_histories`` before it. A contact without a row has no valid
    participation. ``activity_days`` holds each day once, and is NULL where that is ``activity_dates`` itself. Only what
    most conditions ask stands here, so that reading it for everybody stays cheap.
    """

    __tablename__ = "contact_history"
    __table_args__ = _of_contact()

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    activity_dates: Mapped[list[date]] = column(ARRAY(Date), nullable=False, pii="contact")
    activity_days: Mapped[list[date] | None] = column(ARRAY(Date), pii="contact")


class ContactHistoryDetail(Base):
    """What fewer conditions ask of the same participations; kept in the same way and under the same lock.

    ``tickets`` and ``spend`` (cents) are running totals up to and with the day of ``activity_dates`` at the same place.
    """

    __tablename__ = "contact_history_detail"
    __table_args__ = _of_contact()

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    booking_dates: Mapped[list[date]] = column(ARRAY(Date), nullable=False, pii="contact")
    tickets: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="contact")
    spend: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="contact")


class ContactHistoryLeads(Base):
    """How long ahead the same participations were booked, by themselves so that asking it reads nothing else.

    ``lead_dates`` is sorted: the days from booking to activity times 2^32, plus the days from 2000-01-01 to the
    activity.
    """

    __tablename__ = "contact_history_leads"
    __table_args__ = _of_contact()

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    lead_dates: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="contact")


class ContactHistoryGenres(Base):
    """The genres of the same participations, by themselves so that asking about them reads nothing else.

    ``genres`` are in lower case, and ``genre_dates`` is sorted: the place of a genre in ``genres`` (from 1) times 2^32,
    plus the days from 2000-01-01 to the activity. ``genre_lasts`` (the last day of each genre, as a number of days) is
    sorted by itself and made of these by the database: how many genres a window can hold at most, and holds at least,
    is one binary search.
    """

    __tablename__ = "contact_history_genres"
    __table_args__ = _of_contact(Index("ix_contact_history_genres_genres", "genres", postgresql_using="gin"))

    organisation_id: Mapped[int] = column(Integer, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    genres: Mapped[list[str]] = column(ARRAY(Text(collation="C")), nullable=False, pii="contact")
    genre_dates: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="contact")
    genre_lasts: Mapped[list[int]] = column(
        ARRAY(Integer), Computed("last_days_of_genres(genre_dates)", persisted=True), pii="contact"
    )


class HistoryDue(Base):
    """Whose history a statement of the running transaction left to be worked out, before it commits.

    No transaction sees a row of another: the commit that would show it takes it away.
    """

    __tablename__ = "history_due"
    __table_args__ = (PrimaryKeyConstraint("organisation_id", "id"),)

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_ids: Mapped[list[int] | None] = column(ARRAY(BigInteger), pii="none")
    activity_ids: Mapped[list[int] | None] = column(ARRAY(BigInteger), pii="none")


class ActivityChange(Base):
    """A performance was called off, moved, or goes on after all, while it still was to come.

    The database's own trigger writes them, so that no way in forgets it. Of one activity one change of a kind is open
    at a time: moved twice is moved from where people expect it, moved back is nothing to tell. ``done_at`` is when
    somebody said that all is done about it.
    """

    __tablename__ = "activity_change"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "activity_id"], ["activity.organisation_id", "activity.id"], ondelete="CASCADE"
        ),
        CheckConstraint("kind IN ('cancelled', 'moved', 'goes_on')", name="kind_known"),
        Index(
            "uq_activity_change_open",
            "organisation_id",
            "activity_id",
            "kind",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    activity_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    starts_before: Mapped[datetime | None] = column(INSTANT, pii="none")
    venue_before: Mapped[str | None] = column(Text, pii="none")
    noticed_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    done_at: Mapped[datetime | None] = column(INSTANT, pii="none")
