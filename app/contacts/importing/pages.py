"""The pages of an import: upload, say what the columns mean, see what would change, start, watch, mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import current_actor, current_user, requires
from app.accounts.audit import record
from app.consent.models import Purpose
from app.contacts.importing import jobs
from app.contacts.importing.columns import IGNORE, fields_of
from app.contacts.importing.mapping import Mapping
from app.contacts.importing.mapping_form import form_of, form_problems, mapping_of
from app.contacts.importing.presets import PRESETS
from app.contacts.importing.problems import count_by_code, problem_header, problem_rows
from app.contacts.importing.reading import Reading
from app.contacts.importing.rows import UnreadableFile
from app.contacts.importing.sentences import (
    FIELD_LABELS,
    FILE_PROBLEMS,
    KIND_LABELS,
    MAPPING_PROBLEMS,
    ROW_PROBLEMS,
    STATE_LABELS,
)
from app.contacts.models import ImportJob
from app.ui import request_scope
from app.ui.csv_export import csv_chunks
from app.ui.forms import Form, new_form, read_form, shown_again
from app.ui.languages import current_language

blueprint = Blueprint("imports", __name__, url_prefix="/imports", template_folder="templates")

Answer = str | tuple[str, int] | AnyResponse
SAMPLES_SHOWN = 3
BUSY = ("checking", "queued", "running")


class UploadSchema(Schema):
    """What is said about a file when it is uploaded."""

    kind = fields.String(required=True, validate=validate.OneOf(list(KIND_LABELS)))
    preset = fields.String(required=True, validate=validate.OneOf(list(PRESETS)))


@blueprint.url_value_preprocessor
def _allow_a_large_file(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let the one page that takes files take large ones; this runs before anything reads the request."""
    if endpoint == "imports.receive":
        request.max_content_length = request_scope.runtime().settings.upload_bytes_max


@blueprint.app_template_filter("sentence_of")
def sentence_of(code: str, table: str) -> str:
    """Return what people are told about a code, in their language."""
    return str(_(_TABLES[table].get(code, code)))


_TABLES = {
    "field": FIELD_LABELS,
    "file": FILE_PROBLEMS,
    "row": ROW_PROBLEMS,
    "kind": KIND_LABELS,
    "state": STATE_LABELS,
}


@blueprint.get("")
@requires("marketer")
def overview() -> Answer:
    """Ask for a file, and show the last ones."""
    return _overview(new_form(kind=request.args.get("kind", "contacts"), preset="generic"))


@blueprint.post("")
@requires("marketer")
def receive() -> Answer:
    """Take in a file and go on to its columns."""
    form = read_form(UploadSchema(), request.form)
    file = request.files.get("file")
    if file is None or not file.filename:
        form = form.with_error("file", _("Choose a file."))
    if not form.is_valid or file is None:
        return _overview(form), 422
    session, user = request_scope.session(), current_user()
    try:
        job = jobs.upload(
            session,
            file.read(),
            file_name=file.filename or "",
            kind=form.values["kind"],
            preset=form.values["preset"],
            created_by=user.id if user else None,
        )
    except UnreadableFile as problem:
        return _overview(form.with_error("file", sentence_of(problem.code, "file"))), 422
    record(session, current_actor(), "contacts.import_upload", subject=("import", job.id))
    return redirect(url_for("imports.columns", job_id=job.id))


@blueprint.get("/<int:job_id>")
@requires("marketer")
def show(job_id: int) -> Answer:
    """Show where an import is: its progress, what it would change, or what it did."""
    job = _job(job_id)
    if job.state == "uploaded":
        return redirect(url_for("imports.columns", job_id=job_id))
    session = request_scope.session()
    template = {"checked": "imports/dry_run.html"}.get(job.state, "imports/result.html")
    if job.state in BUSY:
        template = "imports/progress.html"
    return render_template(template, job=job, problems=count_by_code(session, job_id), mapping=job.mapping)


@blueprint.get("/<int:job_id>/columns")
@requires("marketer")
def columns(job_id: int) -> Answer:
    """Ask what the columns mean, beside a few values of each."""
    job = _job(job_id, with_content=True)
    if job.state not in jobs.MAPPABLE:
        return redirect(url_for("imports.show", job_id=job_id))
    return render_template("imports/columns.html", **_columns(job, form_of(Mapping.from_json(job.mapping))))


@blueprint.post("/<int:job_id>/columns")
@requires("marketer")
def choose_columns(job_id: int) -> Answer:
    """Take what the columns mean, and have the file checked."""
    job = _job(job_id, with_content=True)
    mapping, form = mapping_of(request.form, width=len(Reading.from_json(job.reading).headers))
    session = request_scope.session()
    for code, field in form_problems(jobs.check_mapping(session, job, mapping)):
        form = form.with_error(field, _(MAPPING_PROBLEMS[code]))
    if form.errors:
        return shown_again("imports/columns.html", **_columns(job, form))
    if not jobs.choose_mapping(session, job, mapping):
        flash(_("This import has already begun."), "warning")
    return redirect(url_for("imports.show", job_id=job_id))


@blueprint.post("/<int:job_id>/start")
@requires("marketer")
def start(job_id: int) -> Answer:
    """Let a checked file be stored."""
    _job(job_id)
    session = request_scope.session()
    if jobs.start(session, job_id):
        record(session, current_actor(), "contacts.import_start", subject=("import", job_id))
    return redirect(url_for("imports.show", job_id=job_id))


@blueprint.post("/<int:job_id>/cancel")
@requires("marketer")
def cancel(job_id: int) -> Answer:
    """Stop an import; what was stored stays."""
    _job(job_id)
    session = request_scope.session()
    if jobs.cancel(session, job_id):
        record(session, current_actor(), "contacts.import_cancel", subject=("import", job_id))
        flash(_("The import is cancelled. What was stored before stays."), "success")
    return redirect(url_for("imports.overview"))


@blueprint.get("/<int:job_id>/progress")
@requires("marketer")
def progress(job_id: int) -> Answer:
    """Return the progress for htmx; when the work is over the page is loaded anew."""
    job = _job(job_id)
    answer = Response(render_template("imports/_progress.html", job=job))
    if job.state not in BUSY:
        answer.headers["HX-Refresh"] = "true"
    return answer


@blueprint.get("/<int:job_id>/problems.csv")
@requires("marketer")
def problems_file(job_id: int) -> Answer:
    """Download the rows that were left out or lost a value, with the reason, as a harmless CSV file."""
    job = _job(job_id, with_content=True)
    # Read while the session is open: the answer is streamed after it is closed.
    lines = list(problem_rows(request_scope.session(), job, _))
    chunks: Iterator[bytes] = csv_chunks(problem_header(job, _), lines, language=current_language())
    record(request_scope.session(), current_actor(), "contacts.import_problems", subject=("import", job_id))
    headers = {"Content-Disposition": f'attachment; filename="import-{job_id}-problems.csv"'}
    return Response(chunks, mimetype="text/csv", headers=headers)


def _job(job_id: int, *, with_content: bool = False) -> ImportJob:
    job = jobs.find_job(request_scope.session(), job_id, with_content=with_content)
    return job if job is not None else abort(404)


def _overview(form: Form) -> str:
    found = jobs.list_jobs(request_scope.session())
    kinds = [
        ("contacts", _("Contacts"), _("One row per person: customers, subscribers, members.")),
        ("participations", _("Visits and tickets"), _("One row per ticket or registration, with the person on it.")),
    ]
    presets = [(preset.code, preset.name) for preset in PRESETS.values()]
    return render_template("imports/overview.html", form=form, jobs=found, kinds=kinds, presets=presets)


def _columns(job: ImportJob, form: Form) -> dict[str, Any]:
    reading = Reading.from_json(job.reading)
    rows = jobs.sample_of(job)
    purposes = request_scope.session().scalars(select(Purpose).order_by(Purpose.position))
    return {
        "job": job,
        "form": form,
        "headers": reading.headers,
        "has_header": reading.header_row > 0,
        "samples": [_samples(rows, place) for place in range(len(reading.headers))],
        "options": [(IGNORE, sentence_of(IGNORE, "field"))]
        + [(each.code, sentence_of(each.code, "field")) for each in fields_of(job.kind)],
        "purposes": [
            (each.code, each.names.get(current_language(), each.code))
            for each in purposes
            if each.is_active and each.is_marketing
        ],
        "preset": PRESETS[job.preset],
    }


def _samples(rows: list[tuple[str, ...]], place: int) -> list[str]:
    filled = dict.fromkeys(row[place].strip()[:60] for row in rows if place < len(row) and row[place].strip())
    return list(filled)[:SAMPLES_SHOWN]
