"""Taking what was noted: each note exactly once, in the transaction that acts on it.

Taking deletes the notes that are visible. One whose transaction is still under way is seen the next time, whatever its
number; numbers are never compared. When the transaction that took notes fails, they are back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.db import ScopedSession
from app.journeys.entering.models import JourneyNote

ROWS_A_STEP = 20_000


@dataclass(frozen=True, slots=True)
class Noted:
    """One row that was noted: its id, when, and for some kinds how much there was and is."""

    id: int
    at: datetime
    before: int | None = None
    after: int | None = None


class Notes:
    """The notes of one taking, by kind."""

    def __init__(self, taken: Iterable[JourneyNote]) -> None:
        self._by_kind: dict[str, list[JourneyNote]] = {}
        for note in taken:
            self._by_kind.setdefault(note.kind, []).append(note)
        # Every watch asks for the same few kinds.
        self._by_id: dict[tuple[str, ...], Mapping[int, Noted]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_kind)

    def of(self, *kinds: str) -> Mapping[int, Noted]:
        """What was noted of these kinds, by id; of an id that was noted several times, the last."""
        if kinds not in self._by_id:
            self._by_id[kinds] = {row.id: row for row in self.each(*kinds)}
        return self._by_id[kinds]

    def each(self, *kinds: str) -> Iterator[Noted]:
        """Everything that was noted of these kinds, in order, repeated ids included."""
        for note in (note for kind in kinds for note in self._by_kind.get(kind, ())):
            nothing: Sequence[None] = (None,) * len(note.ids)
            for row in zip(note.ids, note.before or nothing, note.after or nothing, strict=True):
                yield Noted(row[0], note.noted_at, row[1], row[2])


NOTHING = Notes(())


def take_notes(session: ScopedSession, *, limit: int = ROWS_A_STEP) -> Notes:
    """Take the oldest notes, about ``limit`` rows in all (at least one note). They are gone with the commit."""
    note = JourneyNote
    before = (sa.func.sum(note.size).over(order_by=note.id) - note.size).label("before")
    # No more notes are counted than could be taken, however many wait.
    counted = sa.select(note.id, before).order_by(note.id).limit(1000).subquery("counted")
    chosen = sa.select(counted.c.id).where(counted.c.before < limit)
    taken = session.scalars(
        sa.delete(note).where(note.id.in_(chosen)).returning(note).execution_options(synchronize_session=False)
    )
    return Notes(sorted(taken, key=lambda one: one.id))
