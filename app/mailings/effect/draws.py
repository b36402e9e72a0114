"""Draws by a hash: who falls where is decided once and for all, in SQL and in Python alike."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from app.contacts.models import Contact

OUT_OF = 10_000


def share(drawn_for: str, unit: object) -> int:
    """Return a number from 0 to 9999, the same always for a unit (a household, a contact) and an occasion."""
    digest = hashlib.md5(f"{drawn_for} {unit}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % OUT_OF


def share_of(drawn_for: str, unit: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return ``share`` as an expression of SQL."""
    digest = sa.func.md5(sa.literal(drawn_for + " ") + sa.cast(unit, sa.Text))
    number = sa.cast(sa.literal_column("'x'").op("||")(sa.func.left(digest, 8)), sa.Text)
    return sa.cast(sa.cast(number, sa.dialects.postgresql.BIT(32)), sa.BigInteger) % OUT_OF


def household(contact_id: int, like_address: int | None) -> str:
    """Return what stands for everybody at one address, or for the contact whose address is not known."""
    return f"c{contact_id}" if like_address is None else f"h{like_address}"


def household_of(contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Return ``household`` as an expression of SQL, for a column of contact ids; looked up by the primary key."""
    person = sa.alias(Contact.__table__, "at_home")
    same_house = sa.select(sa.literal("h") + sa.cast(person.c.like_address, sa.Text)).where(
        person.c.id == contact_id, person.c.like_address.is_not(None)
    )
    return sa.func.coalesce(same_house.scalar_subquery(), sa.literal("c") + sa.cast(contact_id, sa.Text))
