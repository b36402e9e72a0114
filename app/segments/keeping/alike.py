"""Whose likely-same people and households a change concerns: a rule may ask about others than the person themselves.

More than are alike may be found here (two people of one name at different numbers are no likely-same people): what a
change took away from somebody counts as well as what they have in common now, and a candidate too many does no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.segments.compiling.likeness_sql import keys_of
from app.segments.language import rules


def kinds_of_likeness(wanted: Iterable[rules.Rule]) -> tuple[set[str], int]:
    """Which kinds of likeness these rules ask about, and how far: the likely-same of a likely-same are two away."""
    found = list(_asked(wanted, 1))
    return {who for who, _ in found}, max((away for _, away in found), default=0)


def select_alike(contact_ids: sa.SelectBase, kinds: Collection[str]) -> sa.CompoundSelect[int]:
    """The living who have a key in common with one of ``contact_ids``, whom a change of these may concern."""
    one = Contact.__table__.alias("one")
    chosen = contact_ids.subquery("chosen")
    has_been_chosen = one.c.id.in_(sa.select(chosen.c[0]))
    return sa.union(
        *(
            sa.select(Contact.id)
            .where(Contact.state == "living", Contact.__table__.c[key].is_not(None))
            .where(Contact.__table__.c[key].in_(sa.select(one.c[key]).where(has_been_chosen)))
            for key in _keys(kinds)
        )
    )


def find_alike(
    session: ScopedSession, contact_ids: Collection[int], lost_keys: Collection[int], kinds: Collection[str]
) -> set[int]:
    """The living who have a key in common with one of these contacts, or one that was lost."""
    ids = sa.literal(sorted(contact_ids), sa.ARRAY(sa.BigInteger))
    found = set(session.scalars(select_alike(sa.select(sa.func.unnest(ids).column_valued("id")), kinds)))
    lost = sa.any_(sa.literal(sorted(lost_keys), sa.ARRAY(sa.BigInteger)))
    for key in _keys(kinds) if lost_keys else ():
        tied = sa.select(Contact.id).where(Contact.state == "living", Contact.__table__.c[key] == lost)
        found.update(session.scalars(tied))
    return found


def _keys(kinds: Collection[str]) -> list[str]:
    return sorted({key for who in kinds for key in keys_of(who)})


def _asked(wanted: Iterable[rules.Rule], away: int) -> Iterator[tuple[str, int]]:
    for rule in wanted:
        for leaf in rules.leaves(rule):
            if isinstance(leaf, rules.LikelySame):
                yield leaf.who, away
                yield from _asked([leaf.rule], away + 1)
