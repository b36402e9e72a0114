"""What came of a batch: counts, problems by row and column, and a few rows to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.consent.statements import worth_of
from app.contacts.importing.kinds import Problem, Stored, Taken
from app.contacts.ingest import Outcome
from app.contacts.models import ImportProblem
from app.db import ScopedSession

PROBLEMS_KEPT_MAX = 20_000
SHOWN_PER_OUTCOME = 10
VALUE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as they were taken, and what became of those that could be, by row number."""

    taken: Sequence[Taken]
    stored: Mapping[int, Stored]

    def outcome(self, row: Taken) -> Outcome:
        """Return what became of a row."""
        stored = self.stored.get(row.row_number)
        if stored is None:
            return "error"
        return "unchanged" if stored.outcome == "created" and row.is_repeated else stored.outcome

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong, row by row."""
        for row in self.taken:
            yield from row.problems
            stored = self.stored.get(row.row_number)
            if stored is not None and stored.error is not None:
                yield Problem(row.row_number, "", stored.error)


def counted(batch: Batch, already: Mapping[str, int]) -> dict[str, int]:
    """Return the counts so far with those of a batch: one per outcome, ``warnings`` (rows), ``problems`` kept, and
    ``said_yes``, ``said_no`` and ``said_note``: what was said about permission, by what it is worth."""
    counts = Counter(already)
    for row in batch.taken:
        outcome = batch.outcome(row)
        counts[outcome] += 1
        counts["warnings"] += outcome != "error" and any(problem.is_warning for problem in row.problems)
        counts.update(_said(row, is_stored=outcome != "error"))
    counts["problems"] += len(_by_place(batch))
    return dict(counts)


def _said(row: Taken, *, is_stored: bool) -> Iterator[str]:
    """Yield what a row says about permission; of a row that is left out, a no alone counts."""
    if row.contact is None:
        return
    for consent in row.contact.consents:
        worth = worth_of(consent, source=row.contact.source)
        if is_stored or (worth == "no" and row.contact.email):
            yield f"said_{worth}"


def keep_problems(session: ScopedSession, job_id: int, batch: Batch, *, already: int) -> None:
    """Keep what is wrong for the file of errors, up to 20,000 problems a job."""
    kept = list(_by_place(batch).values())[: max(PROBLEMS_KEPT_MAX - already, 0)]
    if not kept:
        return
    rows = [
        {
            "organisation_id": session.organisation_id,
            "job_id": job_id,
            "row_number": problem.row_number,
            "column_name": problem.column,
            "code": problem.code,
            "value": problem.value[:VALUE_CHARS_MAX] if problem.value else None,
            "is_warning": problem.is_warning,
        }
        for problem in kept
    ]
    session.execute(insert(ImportProblem).on_conflict_do_nothing(), rows)


def shown_rows(
    batch: Batch,
    *,
    before: Mapping[int, dict[str, Any]],
    after: Mapping[int, dict[str, Any]],
    already: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return rows worth looking at: the first ten new and the first ten changed ones, with what would differ."""
    room = Counter({"created": SHOWN_PER_OUTCOME, "updated": SHOWN_PER_OUTCOME})
    room.subtract(row["outcome"] for row in already)
    found = []
    for row in batch.taken:
        outcome, stored = batch.outcome(row), batch.stored.get(row.row_number)
        if stored is None or stored.id is None or stored.id not in after or room[outcome] <= 0:
            continue
        old, new = before.get(stored.id, {}), after[stored.id]
        differences = [
            [name, _written(old.get(name)), _written(value)]
            for name, value in new.items()
            if value != old.get(name) and value not in (None, [], {})
        ]
        room[outcome] -= 1
        found.append({"row_number": row.row_number, "outcome": outcome, "differences": differences})
    return found


def _by_place(batch: Batch) -> dict[tuple[int, str], Problem]:
    """Return one problem per row and column; an error goes before a warning."""
    found: dict[tuple[int, str], Problem] = {}
    for problem in batch.problems():
        place = problem.row_number, problem.column
        if place not in found or (found[place].is_warning and not problem.is_warning):
            found[place] = problem
    return found


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(str(each) for each in value)
        case dict():
            return ", ".join(f"{name}: {each}" for name, each in value.items())
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:.2f}"
        case _:
            return str(value)
