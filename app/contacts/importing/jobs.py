"""An uploaded file and its way through the house.

    uploaded ──► checking ──► checked ──► queued ──► running ──► done
        ▲   (mapped)            │ (started by somebody)    │
        └───────────────────────┘ (mapped again)           └──► failed | cancelled

Every step is a conditional UPDATE: whoever comes second changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import defer

from app import clock
from app.accounts.organisations import current_organisation
from app.consent.models import Purpose
from app.contacts.importing.columns import guess_columns
from app.contacts.importing.kinds import Setting
from app.contacts.importing.mapping import Mapping, headers_sha256, problems_of
from app.contacts.importing.presets import PRESETS
from app.contacts.importing.reading import Reading, data_rows, read_file
from app.contacts.models import ImportJob, ImportMapping, ImportProblem
from app.db import ScopedSession

SAMPLE_ROWS = 50
LEASE = timedelta(minutes=2)
CONTENT_KEPT = timedelta(days=30)
MAPPABLE = ("uploaded", "checking", "checked")


class UnusableMapping(ValueError):
    """A mapping that cannot be used; ``problems`` are codes with the column they are about."""

    def __init__(self, problems: Sequence[tuple[str, int | None]]) -> None:
        super().__init__(", ".join(code for code, _ in problems))
        self.problems = list(problems)


def upload(
    session: ScopedSession, content: bytes, *, file_name: str, kind: str, preset: str, created_by: int | None = None
) -> ImportJob:
    """Keep a file and what it looks like, with a mapping guessed or remembered. Raises UnreadableFile, KeyError."""
    reading = read_file(content)
    job = ImportJob(
        organisation_id=session.organisation_id,
        kind=kind,
        preset=PRESETS[preset].code,
        file_name=file_name[-200:],
        content=content,
        content_sha256=hashlib.sha256(content).digest(),
        reading=reading.as_json(),
        state="uploaded",
        # A guess until the dry run has counted them; workbooks do not tell.
        rows_total=max(content.count(b"\n") - reading.header_row, 1) if reading.form == "csv" else None,
        created_by=created_by,
        created_at=clock.now(),
    )
    job.mapping = _first_mapping(session, job, reading, content).as_json()
    session.add(job)
    session.flush()
    return job


def job_with_file(session: ScopedSession, job_id: int) -> ImportJob:
    """Return a job that exists, with its file."""
    return session.scalars(select(ImportJob).where(ImportJob.id == job_id)).one()


def find_job(session: ScopedSession, job_id: int, *, with_content: bool = False) -> ImportJob | None:
    """Return a job, without its file unless asked for, or None."""
    query = select(ImportJob).where(ImportJob.id == job_id)
    return session.scalars(query if with_content else query.options(defer(ImportJob.content))).one_or_none()


def list_jobs(session: ScopedSession, *, limit: int = 50) -> list[ImportJob]:
    """Return the last jobs, newest first, without their files."""
    query = select(ImportJob).options(defer(ImportJob.content)).order_by(ImportJob.id.desc()).limit(limit)
    return list(session.scalars(query))


def sample_of(job: ImportJob) -> list[tuple[str, ...]]:
    """Return the first rows of a job that was loaded with its file, for people to recognise columns by."""
    rows = data_rows(job.content or b"", Reading.from_json(job.reading))
    return [row.cells for row, _ in zip(rows, range(SAMPLE_ROWS), strict=False) if row.problem is None]


def purpose_codes(session: ScopedSession) -> list[str]:
    """Return the codes of the purposes a consent column can be about."""
    return list(
        session.scalars(select(Purpose.code).where(Purpose.is_active, Purpose.is_marketing).order_by(Purpose.position))
    )


def check_mapping(session: ScopedSession, job: ImportJob, mapping: Mapping) -> list[tuple[str, int | None]]:
    """Return what is wrong with a mapping, as codes with the column they are about."""
    return problems_of(mapping, kind=job.kind, purposes=purpose_codes(session))


def choose_mapping(session: ScopedSession, job: ImportJob, mapping: Mapping) -> bool:
    """Set what the columns mean, remember it for files with the same headers, and ask for a dry run.

    Raises UnusableMapping. Returns False where the import has begun in the meantime; then nothing changes.
    """
    if problems := check_mapping(session, job, mapping):
        raise UnusableMapping(problems)
    _forget_problems(session, job.id)
    remembered = {"preset": job.preset, "mapping": mapping.as_json(), "used_at": clock.now()}
    session.execute(
        insert(ImportMapping)
        .values(
            organisation_id=session.organisation_id,
            kind=job.kind,
            headers_sha256=headers_sha256(Reading.from_json(job.reading).headers),
            **remembered,
        )
        .on_conflict_do_update(index_elements=["organisation_id", "kind", "headers_sha256"], set_=remembered)
    )
    fresh = {"mapping": mapping.as_json(), "preview": None, "counts": {}, "rows_done": 0, "lease_until": None}
    return move(session, job.id, MAPPABLE, "checking", **fresh)


def start(session: ScopedSession, job_id: int) -> bool:
    """Let a checked file be stored; False where it is not (or no longer) waiting for that."""
    _forget_problems(session, job_id)
    return move(session, job_id, ("checked",), "queued", rows_done=0, counts={}, preview=None, lease_until=None)


def cancel(session: ScopedSession, job_id: int) -> bool:
    """Stop a job after the batch it is in; what was stored stays. False where it was over already."""
    waiting = ("uploaded", "checking", "checked", "queued", "running")
    return move(session, job_id, waiting, "cancelled", finished_at=clock.now(), preview=None)


def move(session: ScopedSession, job_id: int, states: Sequence[str], to: str, **values: Any) -> bool:
    """Move a job from one of ``states`` to another, setting columns on the way; returns whether it was in one."""
    moved = session.execute(
        update(ImportJob).where(ImportJob.id == job_id, ImportJob.state.in_(states)).values(state=to, **values)
    )
    assert isinstance(moved, CursorResult)  # noqa: S101  what every UPDATE returns
    return moved.rowcount == 1


def claim_waiting(session: ScopedSession, *, at: datetime) -> ImportJob | None:
    """Lease the oldest job that waits for a dry run or for storing, or whose worker died; None where none does."""
    job = session.scalars(
        select(ImportJob)
        .where(
            ImportJob.state.in_(("checking", "queued", "running")),
            ImportJob.lease_until.is_(None) | (ImportJob.lease_until < at),
        )
        .order_by(ImportJob.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if job is None else claim(session, job, at=at)


def claim(session: ScopedSession, job: ImportJob, *, at: datetime) -> ImportJob:
    """Lease a job that waits, whoever else looks; for the command, which does its own work."""
    job.lease_until = at + LEASE
    job.started_at = job.started_at or at
    if job.state == "queued":
        job.state = "running"
    session.flush()
    return job


def forget_files(session: ScopedSession, *, at: datetime) -> int:
    """Remove the content of files of a month ago, and cancel those nobody went on with; returns how many."""
    old = update(ImportJob).where(ImportJob.content.is_not(None), ImportJob.created_at < at - CONTENT_KEPT)
    session.execute(
        old.where(ImportJob.state.in_(("uploaded", "checked"))).values(state="cancelled", finished_at=at),
        execution_options={"synchronize_session": False},
    )
    forgotten = session.execute(
        old.where(ImportJob.state.in_(("done", "failed", "cancelled"))).values(content=None, preview=None),
        execution_options={"synchronize_session": False},
    )
    assert isinstance(forgotten, CursorResult)  # noqa: S101  what every UPDATE returns
    return forgotten.rowcount


def setting_of(session: ScopedSession, job: ImportJob) -> Setting:
    """Return what the rows of a job are read against."""
    organisation = current_organisation(session)
    return Setting(
        time_zone=organisation.time_zone,
        country=organisation.country,
        file_key=bytes(job.content_sha256).hex()[:16],
        headers=Reading.from_json(job.reading).headers,
    )


def _forget_problems(session: ScopedSession, job_id: int) -> None:
    session.execute(delete(ImportProblem).where(ImportProblem.job_id == job_id))


def _first_mapping(session: ScopedSession, job: ImportJob, reading: Reading, content: bytes) -> Mapping:
    remembered = session.scalars(
        select(ImportMapping).where(
            ImportMapping.kind == job.kind, ImportMapping.headers_sha256 == headers_sha256(reading.headers)
        )
    ).one_or_none()
    if remembered is not None and remembered.preset == job.preset:
        return Mapping.from_json(remembered.mapping)
    rows = data_rows(content, reading)
    sample = [row.cells for row, _ in zip(rows, range(SAMPLE_ROWS), strict=False)]
    guessed = guess_columns(reading.headers, sample, kind=job.kind, known=PRESETS[job.preset].columns)
    return Mapping(source=PRESETS[job.preset].source, columns=tuple(guessed))
