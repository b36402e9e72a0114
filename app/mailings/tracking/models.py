"""The links of frozen mailings: where a click may lead, and nowhere else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class MailLink(Base):
    """A link in a frozen version of a mailing: ``url`` is where it leads, for everybody the same, never changed.

    ``asked_sha256`` is of the link as somebody wrote it, before the house's own parameters were added.
    """

    __tablename__ = "mail_link"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "mailing_id", "version"],
            ["mailing_version.organisation_id", "mailing_version.mailing_id", "mailing_version.version"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organisation_id", "mailing_id", "version", "asked_sha256", name="uq_mail_link_asked"),
        CheckConstraint("url LIKE 'http://%' OR url LIKE 'https://%'", name="url_of_the_web"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    mailing_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    version: Mapped[int] = column(Integer, nullable=False, pii="none")
    asked_sha256: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    url: Mapped[str] = column(Text, nullable=False, pii="none")
    registered_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
