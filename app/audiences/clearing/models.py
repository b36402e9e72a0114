"""Tables of carrying: the lists a destination has and what each is for, and the line to every destination."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class KnownList(Base):
    """A list at a destination, as last read there, and the purposes people said it is for (NULL: nobody has said).

    ``gone_at``: it is not there any more. ``read_whole_at``: when everybody on it was last compared with the ledger.
    """

    __tablename__ = "destination_list"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "list_ref"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    list_ref: Mapped[str] = column(Text, pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    purposes: Mapped[list[str] | None] = column(ARRAY(Text), pii="none")
    gone_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    read_whole_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class ClearingLine(Base):
    """The line to one destination: one worker at a time carries noes there (``lease_until`` is also the proof of it).

    While the system does not answer, ``next_try_at`` holds back everybody, so that a queue is no hammer.
    """

    __tablename__ = "clearing_line"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")
    next_try_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    attempts: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    failure_code: Mapped[str | None] = column(Text, pii="none")
    failing_since: Mapped[datetime | None] = column(INSTANT, pii="none")
    lists_read_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    reconciled_at: Mapped[datetime | None] = column(INSTANT, pii="none")
