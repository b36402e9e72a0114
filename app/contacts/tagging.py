"""Giving many people a tag at once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.contacts.models import Contact
from app.db import ScopedSession


def is_tag_in_use(session: ScopedSession, tag: str) -> bool:
    """Whether anybody carries the tag, exactly as it is written."""
    return bool(session.scalar(select(exists().where(Contact.tags.contains([tag])))))


def tag_contacts(session: ScopedSession, contact_ids: Select[int], tag: str, *, at: datetime) -> int:
    """Give the living contacts among ``contact_ids`` a tag; who has it already stays as they are.

    Returns how many got it. Locks their rows until the transaction ends.
    """
    tagged = session.execute(
        update(Contact)
        .where(Contact.id.in_(contact_ids), Contact.state == "living", ~Contact.tags.contains([tag]))
        .values(tags=func.array_append(Contact.tags, literal(tag, Text), type_=ARRAY(Text)), updated_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(tagged.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result counts rows
