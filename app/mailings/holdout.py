"""Who is in the control group of a mailing: drawn by a hash, so that asking twice gives the same answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.mailings.models import Mailing


def is_held_out(mailing: Mailing, contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a contact is held out of a mailing."""
    if not mailing.holdout_percent:
        return sa.false()
    return share_of(f"holdout {mailing.repeat_of_id or mailing.id}", contact_id) < mailing.holdout_percent * 100


def share_of(drawn_for: str, contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return a number from 0 to 9999, drawn once and for all for a contact and an occasion."""
    digest = sa.func.md5(sa.literal(drawn_for + " ") + sa.cast(contact_id, sa.Text))
    number = sa.cast(sa.literal_column("'x'").op("||")(sa.func.left(digest, 8)), sa.Text)
    return sa.cast(sa.cast(number, sa.dialects.postgresql.BIT(32)), sa.BigInteger) % 10000
