"""The pages of audiences: which there are, one at work, its people and its runs. Making one is in ``making_pages``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import current_actor, may, requires
from app.audiences import definitions, runs, words
from app.audiences.announcing import can_be_announced
from app.audiences.clearing.pages import took
from app.audiences.drift import KINDS as DRIFT_KINDS
from app.audiences.drift import SHOWN as DRIFT_SHOWN
from app.audiences.drift import count_drift, drift_of
from app.audiences.how_far import how_far
from app.audiences.models import Audience, AudienceRun
from app.audiences.people import PEOPLE_PAGE, people_of, results_of
from app.audiences.plan import Funnel
from app.audiences.problems import (
    AudienceInUse,
    NothingToConfirm,
    NotThatState,
    UnknownAudience,
    UnknownRun,
)
from app.audiences.wanted import count_there
from app.consent.models import Purpose
from app.segments.definitions import list_segments
from app.segments.models import Segment
from app.sync.connections import list_connections
from app.sync.models import Connection
from app.ui import request_scope
from app.ui.languages import current_language
from app.ui.row_ids import row_id

blueprint = Blueprint("audiences", __name__, url_prefix="/audiences", template_folder="templates")

Answer = str | tuple[str, int] | Response
RUNS_SHOWN = 5
RUNS_PAGE = 30


@blueprint.get("")
@requires("viewer")
def overview() -> Answer:
    """Show every audience: what goes where, how many are there, and how the last run went."""
    session = request_scope.session()
    found = definitions.list_audiences(session)
    ids = [audience.id for audience in found]
    segments = {segment.id: segment.name for segment in list_segments(session)}
    return render_template(
        "audiences/overview.html",
        audiences=found,
        segments=segments,
        sizes=count_there(session, ids),
        latest=runs.latest_runs(session, ids),
        has_destination=bool(destinations()),
        words=words,
    )


@blueprint.get("/<int:audience_id>")
@requires("viewer")
def show(audience_id: int) -> Answer:
    """Show one audience: how it is doing, what waits for a person, and who was refused."""
    audience = found_audience(audience_id)
    return render_template("audiences/show.html", **_at_work(audience))


@blueprint.get("/<int:audience_id>/status")
@requires("viewer")
def status(audience_id: int) -> Answer:
    """Return how it is doing now; the page asks for it again while a run is busy."""
    return render_template("audiences/status.html", **_at_work(found_audience(audience_id)))


@blueprint.get("/<int:audience_id>/drift")
@requires("viewer")
def drift(audience_id: int) -> Answer:
    """Show where the list turned out to be otherwise than we thought, person by person."""
    audience, session = found_audience(audience_id), request_scope.session()
    only = request.args.get("only", "")
    return render_template(
        "audiences/drift.html",
        audience=audience,
        found=drift_of(session, audience_id, only=only),
        counts=count_drift(session, audience_id, since=None),
        kinds=DRIFT_KINDS,
        only=only,
        limit=DRIFT_SHOWN,
        words=words,
    )


@blueprint.get("/<int:audience_id>/people")
@requires("viewer")
def people(audience_id: int) -> Answer:
    """Show who of ours is there, or was refused."""
    audience = found_audience(audience_id)
    only = request.args.get("only", "")
    found, after = people_of(request_scope.session(), audience_id, only=only, cursor=request.args.get("after", ""))
    size = count_there(request_scope.session(), [audience_id]).get(audience_id, 0)
    return render_template(
        "audiences/people.html", audience=audience, people=found, only=only, after=after, size=size, words=words
    )


@blueprint.get("/<int:audience_id>/runs")
@requires("viewer")
def all_runs(audience_id: int) -> Answer:
    """Show every run, the newest first."""
    audience = found_audience(audience_id)
    before = request.args.get("before", type=row_id)
    found = runs.runs_of(request_scope.session(), audience_id, before_id=before, limit=RUNS_PAGE + 1)
    is_more = len(found) > RUNS_PAGE
    return render_template(
        "audiences/runs.html", audience=audience, runs=found[:RUNS_PAGE], is_more=is_more, before=before, words=words
    )


@blueprint.get("/<int:audience_id>/runs/<int:run_id>")
@requires("viewer")
def run_detail(audience_id: int, run_id: int) -> Answer:
    """Show one run: what it planned, what it did, and for whom it was not simply done."""
    audience = found_audience(audience_id)
    run = _found_run(audience_id, run_id)
    results = results_of(request_scope.session(), run_id)
    return render_template(
        "audiences/run.html", audience=audience, run=run, results=results, words=words, limit=PEOPLE_PAGE
    )


@blueprint.post("/<int:audience_id>/run")
@requires("marketer")
def run_now(audience_id: int) -> Answer:
    """Run as soon as a worker is free; a draft only looks."""
    audience = found_audience(audience_id)
    try:
        definitions.ask_run(
            request_scope.session(),
            audience_id,
            is_dry=audience.state != "active",
            is_confirmed=False,
            actor=current_actor(),
        )
    except NotThatState:
        return back_to(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return back_to(audience_id, _("The run starts within a few seconds."))


@blueprint.post("/<int:audience_id>/runs/<int:run_id>/confirm")
@requires("marketer")
def confirm(audience_id: int, run_id: int) -> Answer:
    """Let a run that waits happen."""
    run = _found_run(audience_id, run_id)
    try:
        definitions.confirm(request_scope.session(), run.id, actor=current_actor())
    except (NothingToConfirm, NotThatState):
        return back_to(audience_id, _("This run does not wait any more. Look at the latest one."), "warning")
    return back_to(audience_id, _("Confirmed. The push starts within a few seconds."))


@blueprint.post("/<int:audience_id>/runs/<int:run_id>/not-now")
@requires("marketer")
def not_now(audience_id: int, run_id: int) -> Answer:
    """Dismiss a run that waits."""
    run = _found_run(audience_id, run_id)
    try:
        audience = definitions.not_now(request_scope.session(), run.id, actor=current_actor())
    except NothingToConfirm:
        return back_to(audience_id, _("This run does not wait any more. Look at the latest one."), "warning")
    if audience.state == "paused":
        return back_to(audience_id, _("Nothing was pushed, and the audience is paused. Resume it when you are ready."))
    return back_to(audience_id, _("Nothing was pushed."))


@blueprint.post("/<int:audience_id>/pause")
@requires("marketer")
def pause(audience_id: int) -> Answer:
    """Stop pushing."""
    try:
        definitions.pause_audience(request_scope.session(), found_audience(audience_id).id, actor=current_actor())
    except NotThatState:
        return back_to(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return back_to(audience_id, _("Paused. Opt-outs keep coming home, and nobody is pushed."))


@blueprint.post("/<int:audience_id>/resume")
@requires("marketer")
def resume(audience_id: int) -> Answer:
    """Push again."""
    try:
        definitions.resume_audience(request_scope.session(), found_audience(audience_id).id, actor=current_actor())
    except NotThatState:
        return back_to(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return back_to(audience_id, _("The audience is kept in step again."))


@blueprint.post("/<int:audience_id>/remove")
@requires("marketer")
def remove(audience_id: int) -> Answer:
    """Stop for good."""
    audience = found_audience(audience_id)
    try:
        definitions.remove_audience(request_scope.session(), audience_id, actor=current_actor())
    except AudienceInUse as used:
        names = ", ".join(used.journeys)
        told = _("These journeys put people in it: %(journeys)s. Change them first.", journeys=names)
        return back_to(audience_id, told, "warning")
    except NotThatState:
        return back_to(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    flash(
        _("“%(name)s” is removed. Our tag is taken off its people; they stay subscribed.", name=audience.name),
        "success",
    )
    return redirect(url_for("audiences.overview"))


def _at_work(audience: Audience) -> dict[str, Any]:
    session = request_scope.session()
    last = runs.runs_of(session, audience.id, limit=RUNS_SHOWN)
    latest = last[0] if last else None
    refused, _after = people_of(session, audience.id, only="refused", cursor="")
    waiting = latest if latest is not None and definitions.waits_for_a_person(audience, latest) else None
    return {
        "audience": audience,
        "segment": session.get(Segment, (session.organisation_id, audience.segment_id or 0)),
        "connection": session.get(Connection, (session.organisation_id, audience.connection_id)),
        "purpose": _purpose_name(audience.purpose),
        "size": count_there(session, [audience.id]).get(audience.id, 0),
        "runs": last,
        "latest": latest,
        "waiting": waiting,
        "funnel": _planned_funnel(waiting),
        "push": how_far(latest.counts, at=clock.now()) if latest is not None else None,
        "took": took,
        "is_busy": latest is not None and latest.state in ("queued", "running"),
        "refused": refused,
        "drift": count_drift(session, audience.id, since=audience.reconciled_at) if audience.reconciled_at else {},
        "is_announced": can_be_announced(request_scope.runtime()),
        "may_change": may("marketer"),
        "words": words,
    }


def _planned_funnel(run: AudienceRun | None) -> Funnel | None:
    names = Funnel.__dataclass_fields__
    if run is None or not names.keys() <= run.counts.keys():
        return None
    return Funnel(**{name: run.counts[name] for name in names})


def _purpose_name(code: str) -> str:
    return next((one.names.get(current_language(), code) for one in purposes() if one.code == code), code)


def found_audience(audience_id: int) -> Audience:
    """Return an audience, or answer that there is none."""
    try:
        return definitions.find_audience(request_scope.session(), audience_id)
    except UnknownAudience:
        abort(404)


def _found_run(audience_id: int, run_id: int) -> AudienceRun:
    found_audience(audience_id)
    try:
        run = runs.find_run(request_scope.session(), run_id)
    except UnknownRun:
        abort(404)
    if run.audience_id != audience_id:
        abort(404)
    return run


def back_to(audience_id: int, sentence: str, kind: str = "success") -> Response:
    """Say how it went on the page of the audience."""
    flash(sentence, kind)
    return redirect(url_for("audiences.show", audience_id=audience_id))


def purposes() -> Sequence[Purpose]:
    """Return what an audience may be for."""
    return definitions.purposes_to_write_for(request_scope.session())


def destinations() -> list[Connection]:
    """Return the mail systems that are connected."""
    return [one for one in list_connections(request_scope.session()) if one.kind == "destination"]
