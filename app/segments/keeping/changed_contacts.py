"""Which contacts changed: what triggers noted is taken, each note exactly once, and made into contacts.

A note is a row that a trigger writes in the transaction of the change itself, so both become visible at one moment.
Taking deletes the notes that are visible: a change that is still in flight leaves its note for the next time, whatever
its number, and one that commits while we evaluate does so too. Numbers are never compared, because numbers are given
out in another order than commits. Whoever takes notes evaluates in a later statement of the same transaction, which
sees at least as much as the taking did; when that transaction fails, the notes are back.

Keys of addresses and activities are made into contacts only here. When a permission and the identity that carries its
key come from two transactions, the one that commits last leaves a note, and by then both are visible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from app.activities.models import Participation
from app.consent.subjects import sharers_of
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.segments.models import ContactChange

Hearer = Callable[[ScopedSession, Collection[int] | None], None]
# Rooms above this one that want to know whose data changed.
_HEARERS: list[Hearer] = []
# What of one person the gate looks at for another: whoever shares a mailbox.
SPOKEN = frozenset({"identity", "permission", "suppression"})

Note = sa.Row[str, str, list[int] | None, list[bytes] | None, list[int] | None]
_COLUMNS = (
    ContactChange.about,
    ContactChange.kind,
    ContactChange.ids,
    ContactChange.subject_keys,
    ContactChange.lost_keys,
)


@dataclass(frozen=True, slots=True)
class Changed:
    """What was taken: the kinds of rows that changed for each contact, and what concerns more than contacts.

    ``lost_keys`` are those of likeness that a contact no longer has, for ``alike``.
    """

    contacts: dict[int, set[str]] = field(default_factory=dict)
    lost_keys: set[int] = field(default_factory=set)
    has_rules: bool = False
    has_activities: bool = False
    is_everybody: bool = False


def take_changed(session: ScopedSession, *, limit: int | None) -> Changed:
    """Take the oldest notes, about ``limit`` contacts in all (at least one note; all of them for None).

    They are gone with the commit. The caller holds ``segment_upkeep`` and evaluates in the same transaction.
    """
    note = ContactChange
    chosen = sa.select(note.id)
    if limit is not None:
        before = sa.func.sum(note.size).over(order_by=note.id) - note.size
        counted = sa.select(note.id, before.label("before")).subquery("counted")
        chosen = sa.select(counted.c.id).where(counted.c.before < limit)
    taken = sa.delete(note).where(note.id.in_(chosen)).returning(*_COLUMNS).execution_options(synchronize_session=False)
    return _resolved(session, session.execute(taken).all())


def hear_of_changes(hearer: Hearer) -> None:
    """Have ``hearer`` told whose data changed, in the transaction in which the segments act on it: None is everybody.

    Each change is told at least once. A hearer takes no locks that whoever writes contacts may wait for.
    """
    _HEARERS.append(hearer)


def tell_of_changes(session: ScopedSession, contact_ids: Collection[int] | None) -> None:
    """Tell every other room whose data changed."""
    if contact_ids is None or contact_ids:
        for hearer in _HEARERS:
            hearer(session, contact_ids)


def peek_changed(session: ScopedSession) -> Changed:
    """What ``take_changed`` would take now, left where it is."""
    return _resolved(session, session.execute(sa.select(*_COLUMNS)).all())


def is_somebody_waiting(session: ScopedSession) -> bool:
    """Whether a change of somebody is noted and not taken."""
    return session.scalar(sa.select(ContactChange.id).where(ContactChange.about != "segment").limit(1)) is not None


def count_waiting(session: ScopedSession) -> int:
    """How many contacts are noted and not taken, at a guess: one who changed twice counts twice, an activity as one."""
    return session.scalar(sa.select(sa.func.coalesce(sa.func.sum(ContactChange.size), 0))) or 0


def _resolved(session: ScopedSession, notes: Sequence[Note]) -> Changed:
    abouts = {note.about for note in notes}
    changed = Changed(
        has_rules="segment" in abouts, has_activities="activity" in abouts, is_everybody="everybody" in abouts
    )
    for note in notes:
        if note.about == "contact":
            _add(changed, note.ids or (), note.kind)
            changed.lost_keys.update(note.lost_keys or ())
    for kind in {note.kind for note in notes if note.about == "address"}:
        keys = {bytes(key) for note in notes if note.kind == kind for key in note.subject_keys or ()}
        _add(changed, _known_by(session, keys), kind)
    activities = {one for note in notes if note.about == "activity" for one in note.ids or ()}
    if activities:
        _add(changed, _took_part(session, activities), "activity")
    _add_sharers(session, changed)
    return changed


def _add(changed: Changed, contact_ids: Iterable[int], kind: str) -> None:
    for contact_id in contact_ids:
        changed.contacts.setdefault(contact_id, set()).add(kind)


def _add_sharers(session: ScopedSession, changed: Changed) -> None:
    """A no of somebody counts for whoever reads a mailbox with them."""
    speaking = [one for one, kinds in changed.contacts.items() if not kinds.isdisjoint(SPOKEN)]
    for one, others in sharers_of(session, speaking).items() if speaking else ():
        for kind in changed.contacts[one] & SPOKEN:
            _add(changed, others, kind)


def _known_by(session: ScopedSession, keys: set[bytes]) -> Sequence[int]:
    identity = ContactIdentity
    known = sa.select(identity.contact_id).where(
        identity.subject_key == sa.any_(sa.literal(sorted(keys), sa.ARRAY(sa.LargeBinary)))
    )
    return session.scalars(known.distinct()).all()


def _took_part(session: ScopedSession, activity_ids: set[int]) -> Sequence[int]:
    took_part = sa.select(Participation.contact_id).where(
        Participation.activity_id == sa.any_(sa.literal(sorted(activity_ids), sa.ARRAY(sa.BigInteger)))
    )
    return session.scalars(took_part.distinct()).all()
