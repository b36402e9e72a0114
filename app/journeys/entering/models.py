"""Tables of what journeys watch, what they have heard, and who is about to enter."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column

# The database's own now, which a test or ``zaallicht tick --now`` may set.
NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, clock_timestamp())"

KINDS = (
    "booked",
    "attended",
    "cancelled",
    "came_cancelled",
    "pending",
    "exchanged",
    "activity_moved",
    "activity_cancelled",
    "pass_issued",
    "pass_points",
    "pass_expires",
    "consent",
    "consent_no",
    "signup",
    "contact_gone",
    "changed",
)


class JourneyNote(Base):
    """What one statement changed that a journey may act on, noted by triggers so that no code can forget to.

    ``ids`` are participations, activities, passes, consent events, sign-ups or contacts, as ``kind`` says; at most some
    thousands. ``before`` and ``after`` hold, at the same places, how many points there were and are, or, for
    ``activity_moved``, the minutes from 1970 to the start that was and is (no ``before`` where it was cancelled). A
    note becomes visible with the change itself, and taking it deletes it.
    """

    __tablename__ = "journey_note"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind_known"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    size: Mapped[int] = column(Integer, nullable=False, pii="none")
    ids: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="none")
    before: Mapped[list[int] | None] = column(ARRAY(Integer), pii="none")
    after: Mapped[list[int] | None] = column(ARRAY(Integer), pii="none")
    noted_at: Mapped[datetime] = column(INSTANT, nullable=False, server_default=text(NOW), pii="none")


class JourneyWatch(Base):
    """What a journey watches for, and how far it has looked.

    ``place`` is empty for the trigger of the journey, else ``version:step`` of a step that waits for something.
    ``fingerprint`` is of what is watched for: when that changes, watching begins again. What happened before ``since``
    does not count. ``position`` is how far the feed of segments was read, ``looked_at`` up to when moments in time were
    looked at, ``looked_on`` the last local date, ``goals_on`` the one on which everybody's goals were looked at.
    ``existing_after``: those already in the segment are being let in, and this is the last of them; where at most
    ``existing_per_day`` may come, ``existing_today`` of them came on ``existing_on``. ``problem`` is a code of what
    stands in the way, or of what was missed.
    """

    __tablename__ = "journey_watch"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "journey_id", "place"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id"], ["journey.organisation_id", "journey.id"], ondelete="CASCADE"
        ),
        CheckConstraint("existing_per_day > 0", name="existing_some_a_day"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    journey_id: Mapped[int] = column(BigInteger, pii="none")
    place: Mapped[str] = column(Text, pii="none")
    version: Mapped[int] = column(Integer, nullable=False, pii="none")
    fingerprint: Mapped[str] = column(Text, nullable=False, pii="none")
    since: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    position: Mapped[int] = column(BigInteger, nullable=False, default=0, server_default="0", pii="none")
    looked_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    looked_on: Mapped[date] = column(Date, nullable=False, pii="none")
    goals_on: Mapped[date | None] = column(Date, pii="none")
    existing_after: Mapped[int | None] = column(BigInteger, pii="none")
    existing_per_day: Mapped[int | None] = column(Integer, pii="none")
    existing_on: Mapped[date | None] = column(Date, pii="none")
    existing_today: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    problem: Mapped[str | None] = column(Text, pii="none")
    problem_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class JourneyArrival(Base):
    """Somebody to whom something happened that a journey watches for, and who has not been let in or turned away yet.

    While a journey is paused they wait here. ``until`` is when it is no use any more.
    """

    __tablename__ = "journey_arrival"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "journey_id", "place", "contact_id", "occurrence"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id"], ["journey.organisation_id", "journey.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        Index("ix_journey_arrival_contact", "organisation_id", "contact_id"),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    journey_id: Mapped[int] = column(BigInteger, pii="none")
    place: Mapped[str] = column(Text, pii="none")
    contact_id: Mapped[int] = column(BigInteger, pii="none")
    occurrence: Mapped[str] = column(Text, pii="pseudonym")
    participation_id: Mapped[int | None] = column(BigInteger, pii="none")
    occurred_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")
    until: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class JourneyTurnedAway(Base):
    """How many did not enter a journey on a local date although its trigger held for them, by reason."""

    __tablename__ = "journey_turned_away"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "journey_id", "day_on", "reason"),
        ForeignKeyConstraint(
            ["organisation_id", "journey_id"], ["journey.organisation_id", "journey.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    journey_id: Mapped[int] = column(BigInteger, pii="none")
    day_on: Mapped[date] = column(Date, pii="none")
    reason: Mapped[str] = column(Text, pii="none")
    people: Mapped[int] = column(Integer, nullable=False, pii="none")
