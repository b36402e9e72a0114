"""The file of errors: every row that was left out, or lost a value, beside what it said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from sqlalchemy import func, select

from app.contacts.importing.reading import Reading, data_rows
from app.contacts.importing.rows import UnreadableFile
from app.contacts.importing.sentences import LEFT_OUT_ROW, LEFT_OUT_VALUE, PROBLEM_HEADERS, ROW_PROBLEMS
from app.contacts.models import ImportJob, ImportProblem
from app.db import ScopedSession

Say = Callable[[str], str]


def list_problems(session: ScopedSession, job_id: int, *, limit: int | None = None) -> list[ImportProblem]:
    """Return what is wrong, by row; rows that are left out and values that are."""
    query = select(ImportProblem).where(ImportProblem.job_id == job_id)
    return list(session.scalars(query.order_by(ImportProblem.row_number, ImportProblem.column_name).limit(limit)))


def count_by_code(session: ScopedSession, job_id: int) -> list[tuple[str, str, bool, int]]:
    """Return (column, code, whether it is a warning, how often), errors first, the most frequent first."""
    problem = ImportProblem
    often = func.count()
    rows = session.execute(
        select(problem.column_name, problem.code, problem.is_warning, often)
        .where(problem.job_id == job_id)
        .group_by(problem.column_name, problem.code, problem.is_warning)
        .order_by(problem.is_warning, often.desc(), problem.column_name)
    )
    return [(column, code, is_warning, times) for column, code, is_warning, times in rows]


def problem_header(job: ImportJob, say: Say) -> list[str]:
    """Return the header of the file of errors: ours, then the file's own."""
    return [*(say(each) for each in PROBLEM_HEADERS), *Reading.from_json(job.reading).headers]


def problem_rows(session: ScopedSession, job: ImportJob, say: Say) -> Iterator[list[str | int]]:
    """Yield the file of errors: one line per problem, in the order of the file, with the row as it was.

    The job is loaded with its file; without it (after a month) the lines end with the reason. ``say`` translates.
    """
    cells = _cells_by_row(job)
    for row_number, problems in groupby(list_problems(session, job.id), key=lambda problem: problem.row_number):
        original = cells(row_number)
        for problem in problems:
            reason = say(ROW_PROBLEMS.get(problem.code, problem.code))
            left_out = say(LEFT_OUT_VALUE if problem.is_warning else LEFT_OUT_ROW)
            yield [row_number, problem.column_name, problem.value or "", reason, left_out, *original]


def _cells_by_row(job: ImportJob) -> Callable[[int], tuple[str, ...]]:
    """Return how to find a row's cells; asked for in the order of the file, it reads the file once."""
    rows = data_rows(job.content, Reading.from_json(job.reading)) if job.content else iter(())

    def cells(row_number: int) -> tuple[str, ...]:
        try:
            return next((row.cells for row in rows if row.number >= row_number), ())
        except UnreadableFile:
            return ()

    return cells
