"""Writing who enters and who leaves: one writer per organisation, each turn once, in an order that readers can trust.

Whoever writes membership holds the organisation's row of ``segment_upkeep`` until the commit. So an evaluation and the
difference it writes are never mixed with another's, and positions of entries and exits become visible in their order:
the next writer gets the row, and with it the next position, only after the commit of the one before.

Lock order: the row of ``segment_upkeep``, then ``segment_state``, then membership by contact. Rows of ``segment`` are
never locked here, so that whoever changes a rule may evaluate it in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.db import ScopedSession, array_text
from app.segments.models import SegmentUpkeep

Because = Literal["data", "time", "rule", "repair"]


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """Somebody enters a segment, or leaves it."""

    contact_id: int
    segment_id: int
    enters: bool


@dataclass(frozen=True, slots=True)
class Occasion:
    """On which local date turns happen and why; ``what`` names the kinds of rows that changed, by contact."""

    on: date
    because: Mapping[int, Because] | Because
    what: Mapping[int, Iterable[str]] | None = None

    def because_of(self, turn: Turn) -> Because:
        """Why this turn happens: one reason for all, or one for each contact."""
        return self.because if isinstance(self.because, str) else self.because[turn.contact_id]

    def what_of(self, turn: Turn) -> str | None:
        """The kinds of rows that changed, as an array's text; None where that is not known."""
        kinds = None if self.what is None else self.what.get(turn.contact_id)
        return array_text(sorted(kinds)) if kinds else None


def hold_upkeep(session: ScopedSession, *, wait: bool = True) -> SegmentUpkeep | None:
    """Become the one writer of the organisation's membership until the transaction ends.

    Without ``wait``, ``None`` where somebody else is.
    """
    held = (
        sa.select(SegmentUpkeep)
        .where(SegmentUpkeep.organisation_id == session.organisation_id)
        .with_for_update(skip_locked=not wait)
        .execution_options(populate_existing=True)
    )
    row = session.scalars(held).one_or_none()
    # An insert would wait for whoever is changing the row, so it is tried only where there is none.
    is_there = row is not None or session.scalar(sa.select(sa.func.count()).select_from(SegmentUpkeep)) == 1
    if not is_there:
        session.execute(insert(SegmentUpkeep).values(organisation_id=session.organisation_id).on_conflict_do_nothing())
        row = session.scalars(held).one_or_none()
    return row


def write_turns(session: ScopedSession, upkeep: SegmentUpkeep, turns: Sequence[Turn], occasion: Occasion) -> None:
    """Write entries and exits, their places in the feed, and the new numbers of members. ``upkeep`` is held."""
    if not turns:
        return
    # Contacts in order: another transaction may hold several of them, and takes them in this order too.
    ordered = sorted(turns)
    parameters = {
        "organisation_id": session.organisation_id,
        "first": upkeep.position + 1,
        "at": clock.now(),
        "day": occasion.on,
        "contacts": array_text(turn.contact_id for turn in ordered),
        "segments": array_text(turn.segment_id for turn in ordered),
        "enters": array_text(turn.enters for turn in ordered),
        "because": array_text(occasion.because_of(turn) for turn in ordered),
        "what": array_text(occasion.what_of(turn) for turn in ordered),
    }
    session.execute(sa.text(_LEAVE), parameters)
    session.execute(sa.text(_ENTER), parameters)
    session.execute(sa.text(_ANNOUNCE), parameters)
    upkeep.position += len(ordered)
    session.flush()
    _count(session, ordered)


def _count(session: ScopedSession, turns: Sequence[Turn]) -> None:
    more = Counter(turn.segment_id for turn in turns if turn.enters)
    more.subtract(turn.segment_id for turn in turns if not turn.enters)
    session.execute(
        sa.text(_COUNT),
        {
            "organisation_id": session.organisation_id,
            "at": clock.now(),
            "segments": array_text(more.keys()),
            "more": array_text(more.values()),
        },
    )


_TURNS = """
unnest(CAST(:contacts AS bigint[]), CAST(:segments AS bigint[]), CAST(:enters AS boolean[]), CAST(:because AS text[]),
       CAST(:what AS text[])) WITH ORDINALITY AS turn(contact_id, segment_id, enters, because, what, number)
"""

_LEAVE = f"""
UPDATE segment_membership AS m
   SET left_at = :at, left_on = :day, left_because = turn.because
  FROM {_TURNS}
 WHERE NOT turn.enters AND m.left_at IS NULL AND m.organisation_id = :organisation_id
   AND m.segment_id = turn.segment_id AND m.contact_id = turn.contact_id
"""

# Who left and comes back within one instant never left.
_ENTER = f"""
INSERT INTO segment_membership
       (organisation_id, segment_id, contact_id, entered_at, entered_on, entered_because)
SELECT :organisation_id, turn.segment_id, turn.contact_id, :at, :day, turn.because
  FROM {_TURNS} WHERE turn.enters ORDER BY turn.number
    ON CONFLICT (organisation_id, segment_id, contact_id, entered_at)
    DO UPDATE SET left_at = NULL, left_on = NULL, left_because = NULL
"""

_ANNOUNCE = f"""
INSERT INTO segment_change
       (organisation_id, position, segment_id, contact_id, kind, happened_at, happened_on, because, what)
SELECT :organisation_id, :first + turn.number - 1, turn.segment_id, turn.contact_id,
       CASE WHEN turn.enters THEN 'entered' ELSE 'left' END, :at, :day, turn.because, CAST(turn.what AS text[])
  FROM {_TURNS} ORDER BY turn.number
"""

_COUNT = """
UPDATE segment_state AS s SET member_count = COALESCE(s.member_count, 0) + counted.more, evaluated_at = :at
  FROM unnest(CAST(:segments AS bigint[]), CAST(:more AS integer[])) AS counted(segment_id, more)
 WHERE s.organisation_id = :organisation_id AND s.segment_id = counted.segment_id
"""
