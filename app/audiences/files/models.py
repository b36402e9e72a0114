"""The table of files that audiences land in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Integer, LargeBinary, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class AudienceFile(Base):
    """One file of a connection that people fetch files from; its content is compressed and encrypted.

    Whoever is erased is taken out of it by the clearing house, as of any destination.
    """

    __tablename__ = "audience_file"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "connection_id", "name"),
        ForeignKeyConstraint(
            ["organisation_id", "connection_id"], ["connection.organisation_id", "connection.id"], ondelete="CASCADE"
        ),
        {"info": {"on_erasure": "keep"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    connection_id: Mapped[int] = column(BigInteger, pii="none")
    name: Mapped[str] = column(Text, pii="none")
    content_encrypted: Mapped[bytes] = column(LargeBinary, nullable=False, pii="secret")
    size_bytes: Mapped[int] = column(Integer, nullable=False, pii="none")
    changed_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
