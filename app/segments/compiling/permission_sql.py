"""Who may be contacted, in SQL: the gate itself, or for counts that are shown, the gate's stored answers.

Nothing here decides anything. ``contactable`` is consent's, and ``permitted_contact`` holds what it said, kept by
``keeping/permitted.py``. Whoever is noted as changed since is asked about anew, so both always give the same people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.consent.gate import EMAIL, contactable_by
from app.segments.models import PermittedContact


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """The stored answers of the gate are right for everybody but the contacts who are ``changing``."""

    changing: tuple[int, ...] = ()


def select_permitted(
    channel: str, purpose: str, *, organisation_id: int, stored: StoredAnswers | None
) -> sa.Select[Any]:
    """``contact_id`` and ``is_deliverable`` of everybody whom the gate lets through; each contact once."""
    if stored is None or channel != EMAIL:
        return _by_gate(channel, purpose, organisation_id)
    p = PermittedContact.__table__.alias("permitted")
    kept = sa.select(p.c.contact_id, p.c.is_deliverable).where(
        p.c.organisation_id == organisation_id, p.c.purpose == purpose
    )
    if not stored.changing:
        return kept
    changing = sa.literal(list(stored.changing), sa.ARRAY(sa.BigInteger))
    asked = _by_gate(channel, purpose, organisation_id)
    both = sa.union_all(
        kept.where(p.c.contact_id != sa.all_(changing)),
        asked.where(asked.selected_columns.contact_id == sa.any_(changing)),
    ).subquery("permitted")
    return sa.select(both.c.contact_id, both.c.is_deliverable)


def _by_gate(channel: str, purpose: str, organisation_id: int) -> sa.Select[Any]:
    gate = contactable_by(channel).alias("gate")
    return sa.select(gate.c.contact_id, gate.c.is_deliverable).where(
        gate.c.organisation_id == organisation_id, gate.c.channel == channel, gate.c.purpose == purpose
    )
