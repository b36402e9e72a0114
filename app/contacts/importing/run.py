"""Trying out and storing a file, in batches; each batch and its checkpoint are one transaction.

A worker leases the job, renews the lease with every batch and loses it when it dies; the next one goes on after the
last committed row. Rows before the checkpoint are read again but not stored again, because later rows depend on what
they said. A dry run stores every batch for real and takes it back: what it shows is what will happen.

What a batch says against mail is recorded first, in a transaction of its own, so that an opt-out counts even in a row
that is left out. It is recorded again with its contact, which the ledger knows for a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from app import clock
from app.contacts.consents import record_noes
from app.contacts.importing import jobs
from app.contacts.importing.kinds import KINDS, ImportKind, Setting, Stored, Taken
from app.contacts.importing.limits import ROWS_MAX
from app.contacts.importing.mapping import Mapping
from app.contacts.importing.outcomes import Batch, counted, keep_problems, shown_rows
from app.contacts.importing.reading import Reading, data_rows
from app.contacts.importing.rows import Row, UnreadableFile
from app.contacts.importing.storing import store_all
from app.contacts.models import ImportJob
from app.db import ScopedSession, transaction
from app.runtime import Runtime

log = structlog.get_logger()

BATCH_ROWS = 2_000
INTERRUPTIONS_MAX = 5
LOOKED_AT_MAX = 200

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Work:
    """A leased job with everything its rows need."""

    organisation_id: int
    job_id: int
    is_trial: bool
    kind: ImportKind
    content: bytes
    reading: Reading
    mapping: Mapping
    setting: Setting
    rows_done: int
    rows_total: int | None


class _Undone(Exception):
    """Takes a batch of a dry run back."""


def run_waiting(runtime: Runtime, organisation_id: int) -> int:
    """Do what waits: dry runs and imports of one organisation, one after the other; returns the rows looked at."""
    done = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            job = jobs.claim_waiting(session, at=clock.now())
            if job is None:
                jobs.forget_files(session, at=clock.now())
                return done
            work = work_of(session, job)
        done += run(runtime, work)


def work_of(session: ScopedSession, job: ImportJob) -> Work:
    """Return what a leased job needs to be run."""
    return Work(
        organisation_id=session.organisation_id,
        job_id=job.id,
        is_trial=job.state == "checking",
        kind=KINDS[job.kind],
        content=job.content or b"",
        reading=Reading.from_json(job.reading),
        mapping=Mapping.from_json(job.mapping),
        setting=jobs.setting_of(session, job),
        rows_done=0 if job.state == "checking" else job.rows_done,
        rows_total=job.rows_total,
    )


def run(runtime: Runtime, work: Work, *, progress: Progress | None = None) -> int:
    """Run a leased job to its end; returns the rows looked at.

    A file that breaks off half-way fails with its reason, and what was stored stays. Any other trouble gives the job
    back: its lease runs out and it goes on after the last committed row, five times at most.
    """
    try:
        return _try_out(runtime, work, progress) if work.is_trial else _store(runtime, work, progress)
    except UnreadableFile as problem:
        _end(runtime, work, "failed", problem=problem.code)
    except Exception as problem:
        log.error("import interrupted", job_id=work.job_id, error=type(problem).__name__)
        _note_interruption(runtime, work)
        raise
    return 0


def _store(runtime: Runtime, work: Work, progress: Progress | None) -> int:
    reader = work.kind.reader(work.mapping, work.setting)
    place = 0
    for rows in _batches(work):
        taken = [reader.read(row) for row in rows]
        place += len(taken)
        fresh = taken[max(len(taken) - (place - work.rows_done), 0) :] if place > work.rows_done else []
        if not fresh:
            continue
        _hear_noes(runtime, work, fresh)
        with transaction(runtime.engine, work.organisation_id) as session:
            job = jobs.find_job(session, work.job_id)
            if job is None or job.state != "running":
                return place
            batch = _stored(session, runtime, work, fresh)
            counts = counted(batch, job.counts)
            keep_problems(session, work.job_id, batch, already=int(job.counts.get("problems", 0)))
            _checkpoint(session, work, "running", place, counts)
        if progress is not None:
            progress(place, work.rows_total)
    _end(runtime, work, "done", rows_total=place)
    return place


def _hear_noes(runtime: Runtime, work: Work, taken: Sequence[Taken]) -> None:
    """Record who wants no mail before anything else is stored: a row that cannot be taken may say so too."""
    records = [each.contact for each in taken if each.contact is not None and each.contact.consents]
    if not records:
        return
    with transaction(runtime.engine, work.organisation_id) as session:
        record_noes(session, runtime.keyring, records, actor="import")


def _try_out(runtime: Runtime, work: Work, progress: Progress | None) -> int:
    reader = work.kind.reader(work.mapping, work.setting)
    counts: dict[str, int] = {}
    shown: list[dict[str, Any]] = []
    place = 0
    for rows in _batches(work):
        taken = [reader.read(row) for row in rows]
        place += len(taken)
        batch, looks = _stored_and_undone(runtime, work, taken)
        with transaction(runtime.engine, work.organisation_id) as session:
            shown += shown_rows(batch, before=work.kind.look(session, list(looks)), after=looks, already=shown)
            keep_problems(session, work.job_id, batch, already=counts.get("problems", 0))
            counts = counted(batch, counts)
            if not _checkpoint(session, work, "checking", place, counts):
                return place
        if progress is not None:
            progress(place, work.rows_total)
    _end(runtime, work, "checked", rows_total=place, preview={"rows": shown})
    return place


def _stored_and_undone(runtime: Runtime, work: Work, taken: Sequence[Taken]) -> tuple[Batch, dict[int, dict[str, Any]]]:
    """Store a batch, look at what it became, and take it back."""
    batch = Batch(taken, {})
    looks: dict[int, dict[str, Any]] = {}
    try:
        with transaction(runtime.engine, work.organisation_id) as session:
            batch = _stored(session, runtime, work, taken)
            ids = [each.id for each in batch.stored.values() if each.id is not None and each.outcome != "unchanged"]
            looks = work.kind.look(session, ids[:LOOKED_AT_MAX])
            raise _Undone
    except _Undone:
        return batch, looks


def _stored(session: ScopedSession, runtime: Runtime, work: Work, taken: Sequence[Taken]) -> Batch:
    usable = [each for each in taken if each.record is not None]

    def store(some: Sequence[Taken]) -> list[Stored]:
        records = [each.record for each in some]
        return work.kind.store(session, runtime.keyring, records, work.setting, clock.now())

    results = store_all(session, usable, store)
    return Batch(taken, {each.row_number: result for each, result in zip(usable, results, strict=True)})


def _batches(work: Work) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for place, row in enumerate(data_rows(work.content, work.reading), start=1):
        if place > ROWS_MAX:
            raise UnreadableFile("too_many_rows")
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _checkpoint(session: ScopedSession, work: Work, state: str, place: int, counts: dict[str, int]) -> bool:
    """Write down how far the job is and renew its lease; False where it was cancelled in the meantime."""
    lease_until = clock.now() + jobs.LEASE
    return jobs.move(session, work.job_id, (state,), state, rows_done=place, counts=counts, lease_until=lease_until)


def _end(runtime: Runtime, work: Work, state: str, **values: Any) -> None:
    at = clock.now() if state in ("done", "failed") else None
    with transaction(runtime.engine, work.organisation_id) as session:
        jobs.move(session, work.job_id, ("checking", "running"), state, lease_until=None, finished_at=at, **values)


def _note_interruption(runtime: Runtime, work: Work) -> None:
    with transaction(runtime.engine, work.organisation_id) as session:
        job = jobs.find_job(session, work.job_id)
        if job is None or job.state not in ("checking", "running"):
            return
        times = int(job.counts.get("interruptions", 0)) + 1
        job.counts = job.counts | {"interruptions": times}
        if times >= INTERRUPTIONS_MAX:
            job.state, job.problem, job.finished_at, job.lease_until = "failed", "interrupted", clock.now(), None
