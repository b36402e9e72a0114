"""Giving many people a tag, or a value of a field of the organisation's own, at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Select,
    any_,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text

from app.consent import subjects
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


def change_tags(
    session: ScopedSession, contact_ids: Sequence[int], *, add: Sequence[str], remove: Sequence[str], at: datetime
) -> int:
    """Take tags from these living contacts and give them others, each at most once; returns who was changed.

    Whoever has it all already stays as they are. Locks the rows that change until the transaction ends.
    """
    tag = func.unnest(Contact.tags).column_valued("tag")
    kept = select(func.array_agg(tag)).where(tag.not_in([*remove, *add])).correlate(Contact)
    wanted = func.coalesce(kept.scalar_subquery(), literal([], ARRAY(Text))).op("||")(literal(list(add), ARRAY(Text)))
    lacks = ~Contact.tags.contains(list(add)) if add else false()
    has = Contact.tags.overlap(list(remove)) if remove else false()
    changed = session.execute(
        update(Contact)
        .where(Contact.id == any_(subjects.ids(contact_ids)), Contact.state == "living")
        .where(or_(lacks, has))
        .values(tags=wanted, updated_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result counts rows


def set_attribute(session: ScopedSession, contact_ids: Sequence[int], *, key: str, value: object, at: datetime) -> int:
    """Set a field of the organisation's own for these living contacts (None empties it); returns who was changed.

    ``value`` is a text, number, true or false, as JSON holds it. Locks the rows that change until the transaction ends.
    """
    own = Contact.attributes
    after = own.op("-")(key) if value is None else own.op("||")(cast({key: value}, JSONB))
    changed = session.execute(
        update(Contact)
        .where(Contact.id == any_(subjects.ids(contact_ids)), Contact.state == "living")
        .where(after != own)
        .values(attributes=after, updated_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result counts rows


def held_for_change(session: ScopedSession, contact_ids: Sequence[int]) -> set[int]:
    """Hold the rows of those contacts whom nobody is changing, without waiting; returns who is held.

    For who holds other rows already and may therefore not wait for a merge or an erasure.
    """
    free = (
        select(Contact.id)
        .where(Contact.id == any_(subjects.ids(contact_ids)))
        .order_by(Contact.id)
        .with_for_update(skip_locked=True)
    )
    return set(session.scalars(free))
