"""Importing a file in one go, for ``zaallicht import``: the guessed or remembered mapping, no questions asked."""

from __future__ import annotations

from dataclasses import dataclass

from app import clock
from app.contacts.importing import jobs
from app.contacts.importing.mapping import Mapping
from app.contacts.importing.problems import count_by_code
from app.contacts.importing.run import Progress, Work, run, work_of
from app.db import ScopedSession, transaction
from app.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a file: the job, its state, counts per outcome, problems by (column, code, is a warning, times)."""

    job_id: int
    state: str
    problem: str | None
    counts: dict[str, int]
    problems: list[tuple[str, str, bool, int]]
    meanings: dict[str, str]


def import_file(
    runtime: Runtime,
    organisation_id: int,
    content: bytes,
    *,
    file_name: str,
    kind: str,
    preset: str,
    is_dry: bool,
    progress: Progress | None = None,
) -> Summary:
    """Try a file out and, unless ``is_dry``, store it. Raises UnreadableFile and UnusableMapping.

    Consent columns have a meaning only a person can give: without one that is remembered from the page they are
    left out. A dry run leaves the job waiting on the page, where it can be looked at and started.
    """
    with transaction(runtime.engine, organisation_id) as session:
        job = jobs.upload(session, content, file_name=file_name, kind=kind, preset=preset)
        jobs.choose_mapping(session, job, _without_open_questions(Mapping.from_json(job.mapping)))
        work = _claimed(session, job.id)
    run(runtime, work, progress=progress)
    if not is_dry:
        with transaction(runtime.engine, organisation_id) as session:
            is_started = jobs.start(session, work.job_id)
            work = _claimed(session, work.job_id)
        if is_started:
            run(runtime, work, progress=progress)
    return _summary(runtime, organisation_id, work)


def _claimed(session: ScopedSession, job_id: int) -> Work:
    return work_of(session, jobs.claim(session, jobs.job_with_file(session, job_id), at=clock.now()))


def _without_open_questions(mapping: Mapping) -> Mapping:
    columns = tuple(
        "ignore" if code == "consent" and place not in mapping.consents else code
        for place, code in enumerate(mapping.columns)
    )
    return Mapping(mapping.source, columns, mapping.attribute_names, mapping.consents, mapping.tags)


def _summary(runtime: Runtime, organisation_id: int, work: Work) -> Summary:
    with transaction(runtime.engine, organisation_id) as session:
        job = jobs.job_with_file(session, work.job_id)
        meanings = dict(zip(work.reading.headers, work.mapping.columns, strict=True))
        return Summary(job.id, job.state, job.problem, job.counts, count_by_code(session, job.id), meanings)
