"""Tables of who was erased: keyed hashes and numbers only, so that a restore and a re-import can be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped

from app.db import INSTANT, Base, column


class Erasure(Base):
    """One erasure that was carried out. ``reference`` names it wherever it must be done again, as after a restore."""

    __tablename__ = "erasure"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index("uq_erasure_reference", "organisation_id", "reference", unique=True),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    reference: Mapped[str] = column(Text, nullable=False, pii="none")
    contact_ids: Mapped[list[int]] = column(ARRAY(BigInteger), nullable=False, pii="none")
    subject_keys: Mapped[list[bytes]] = column(ARRAY(LargeBinary), nullable=False, pii="pseudonym")
    identity_keys: Mapped[list[bytes]] = column(ARRAY(LargeBinary), nullable=False, pii="pseudonym")
    erased_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class ErasedIdentity(Base):
    """The keyed hash of one address, card or system key of an erased person, by which a re-import is recognised."""

    __tablename__ = "erased_identity"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "key_hash"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    key_hash: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    erased_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
