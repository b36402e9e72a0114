"""The pages of audiences: which there are, making one, one at work, its people and its runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.accounts.access import current_actor, may, requires
from app.audiences import definitions, runs, words
from app.audiences.announcing import can_be_announced
from app.audiences.definitions import AudienceDraft
from app.audiences.destinations import read_fields, read_lists
from app.audiences.models import Audience, AudienceRun
from app.audiences.payload import FIELDS, default_mapping
from app.audiences.people import PEOPLE_PAGE, people_of, results_of
from app.audiences.plan import Funnel
from app.audiences.problems import (
    InvalidAudience,
    NothingToConfirm,
    NotThatState,
    RunStopped,
    UnknownAudience,
    UnknownRun,
)
from app.audiences.schemas import AudienceForm, ChangeForm
from app.audiences.wanted import Aim, count_funnel, count_there
from app.segments.definitions import list_segments
from app.segments.models import Segment
from app.segments.problems import TooSlowError
from app.segments.time_limit import within
from app.sync.connections import UnknownConnection, list_connections
from app.sync.models import Connection
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form, shown_again
from app.ui.languages import current_language
from app.ui.row_ids import row_id
from integrations.base import ConnectorError, DestinationList

blueprint = Blueprint("audiences", __name__, url_prefix="/audiences", template_folder="templates")

Answer = str | tuple[str, int] | Response
RUNS_SHOWN = 5
RUNS_PAGE = 30
PREVIEW_S = 10.0
FIELD_PREFIX = "field."


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
        has_destination=bool(_destinations()),
        words=words,
    )


@blueprint.get("/new")
@requires("marketer")
def make() -> Answer:
    """Ask what goes where."""
    destinations = _destinations()
    if not destinations or not list_segments(request_scope.session(), limit=1):
        return redirect(url_for("audiences.overview"))
    form = new_form(
        connection_id=request.args.get("connection_id", destinations[0].id, type=row_id),
        segment_id=request.args.get("segment_id", type=row_id),
        purpose="newsletter",
        brake_pct=definitions.DEFAULT_BRAKE_PCT,
    )
    return render_template("audiences/make.html", form=form, **_choices())


@blueprint.get("/new/lists")
@requires("marketer")
def lists() -> Answer:
    """Return the lists of a connection to choose from, and the fields of the list that is chosen."""
    connection_id = request.args.get("connection_id", type=row_id)
    offer = _offer(connection_id, request.args.get("list_ref", ""))
    form = new_form(list_ref=offer.list_ref, connection_id=connection_id, **_typed_mapping(offer))
    return render_template("audiences/lists.html", form=form, offer=offer, fields=_field_choices())


@blueprint.get("/new/preview")
@requires("marketer")
def preview() -> Answer:
    """Return how many people would be pushed, and what keeps the others back."""
    aim = Aim(
        request.args.get("segment_id", 0, type=row_id),
        request.args.get("purpose", ""),
        request.args.get("connection_id", 0, type=row_id),
        request.args.get("list_ref", ""),
        {},
    )
    return render_template("audiences/preview.html", **_funnel(aim))


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Make the audience as a draft, and look at once what the first push would do."""
    form = read_form(AudienceForm(), request.form)
    offer = _offer(form.typed.get("connection_id"), str(form.typed.get("list_ref", "")))
    chosen = next((one for one in offer.lists if one.external_id == form.typed.get("list_ref")), None)
    if form.is_valid and chosen is None:
        form = form.with_error("list_ref", offer.problem or _(words.field_wording("unknown")))
    if not form.is_valid or chosen is None:
        return shown_again("audiences/make.html", form=form, offer=offer, fields=_field_choices(), **_choices())
    draft = AudienceDraft(**form.values, list_name=chosen.name, field_mapping=_mapping(offer.tags))
    try:
        made = definitions.create_audience(request_scope.session(), draft, actor=current_actor())
    except InvalidAudience as error:
        form = _with_errors(form, error)
        return shown_again("audiences/make.html", form=form, offer=offer, fields=_field_choices(), **_choices())
    definitions.ask_run(request_scope.session(), made.id, is_dry=True, is_confirmed=False, actor=current_actor())
    flash(_("The audience is made. Nothing is pushed before you confirm it."), "success")
    return redirect(url_for("audiences.show", audience_id=made.id))


@blueprint.get("/<int:audience_id>")
@requires("viewer")
def show(audience_id: int) -> Answer:
    """Show one audience: how it is doing, what waits for a person, and who was refused."""
    audience = _found(audience_id)
    return render_template("audiences/show.html", **_at_work(audience))


@blueprint.get("/<int:audience_id>/status")
@requires("viewer")
def status(audience_id: int) -> Answer:
    """Return how it is doing now; the page asks for it again while a run is busy."""
    return render_template("audiences/status.html", **_at_work(_found(audience_id)))


@blueprint.get("/<int:audience_id>/people")
@requires("viewer")
def people(audience_id: int) -> Answer:
    """Show who of ours is there, or was refused."""
    audience = _found(audience_id)
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
    audience = _found(audience_id)
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
    audience = _found(audience_id)
    run = _found_run(audience_id, run_id)
    results = results_of(request_scope.session(), run_id)
    return render_template(
        "audiences/run.html", audience=audience, run=run, results=results, words=words, limit=PEOPLE_PAGE
    )


@blueprint.post("/<int:audience_id>/run")
@requires("marketer")
def run_now(audience_id: int) -> Answer:
    """Run as soon as a worker is free; a draft only looks."""
    audience = _found(audience_id)
    try:
        definitions.ask_run(
            request_scope.session(),
            audience_id,
            is_dry=audience.state != "active",
            is_confirmed=False,
            actor=current_actor(),
        )
    except NotThatState:
        return _back(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return _back(audience_id, _("The run starts within a few seconds."))


@blueprint.post("/<int:audience_id>/runs/<int:run_id>/confirm")
@requires("marketer")
def confirm(audience_id: int, run_id: int) -> Answer:
    """Let a run that waits happen."""
    run = _found_run(audience_id, run_id)
    try:
        definitions.confirm(request_scope.session(), run.id, actor=current_actor())
    except (NothingToConfirm, NotThatState):
        return _back(audience_id, _("This run does not wait any more. Look at the latest one."), "warning")
    return _back(audience_id, _("Confirmed. The push starts within a few seconds."))


@blueprint.post("/<int:audience_id>/runs/<int:run_id>/not-now")
@requires("marketer")
def not_now(audience_id: int, run_id: int) -> Answer:
    """Dismiss a run that waits."""
    run = _found_run(audience_id, run_id)
    try:
        audience = definitions.not_now(request_scope.session(), run.id, actor=current_actor())
    except NothingToConfirm:
        return _back(audience_id, _("This run does not wait any more. Look at the latest one."), "warning")
    if audience.state == "paused":
        return _back(audience_id, _("Nothing was pushed, and the audience is paused. Resume it when you are ready."))
    return _back(audience_id, _("Nothing was pushed."))


@blueprint.post("/<int:audience_id>/pause")
@requires("marketer")
def pause(audience_id: int) -> Answer:
    """Stop pushing."""
    try:
        definitions.pause_audience(request_scope.session(), _found(audience_id).id, actor=current_actor())
    except NotThatState:
        return _back(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return _back(audience_id, _("Paused. Opt-outs keep coming home, and nobody is pushed."))


@blueprint.post("/<int:audience_id>/resume")
@requires("marketer")
def resume(audience_id: int) -> Answer:
    """Push again."""
    try:
        definitions.resume_audience(request_scope.session(), _found(audience_id).id, actor=current_actor())
    except NotThatState:
        return _back(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    return _back(audience_id, _("The audience is kept in step again."))


@blueprint.post("/<int:audience_id>/remove")
@requires("marketer")
def remove(audience_id: int) -> Answer:
    """Stop for good."""
    audience = _found(audience_id)
    try:
        definitions.remove_audience(request_scope.session(), audience_id, actor=current_actor())
    except NotThatState:
        return _back(audience_id, _("This cannot be done in the state the audience is in."), "warning")
    flash(
        _("“%(name)s” is removed. Our tag is taken off its people; they stay subscribed.", name=audience.name),
        "success",
    )
    return redirect(url_for("audiences.overview"))


@blueprint.get("/<int:audience_id>/edit")
@requires("marketer")
def edit(audience_id: int) -> Answer:
    """Show what may be changed."""
    audience = _found(audience_id)
    form = new_form(
        name=audience.name,
        segment_id=audience.segment_id,
        purpose=audience.purpose,
        brake_pct=audience.brake_pct,
        **_typed(audience.field_mapping),
    )
    return render_template("audiences/edit.html", form=form, **_editing(audience))


@blueprint.post("/<int:audience_id>/edit")
@requires("marketer")
def change(audience_id: int) -> Answer:
    """Change it; the next run follows."""
    audience = _found(audience_id)
    form = read_form(ChangeForm(), request.form)
    context = _editing(audience)
    if not form.is_valid:
        return shown_again("audiences/edit.html", form=form, **context)
    draft = AudienceDraft(
        **form.values,
        connection_id=audience.connection_id,
        list_ref=audience.list_ref,
        list_name=audience.list_name,
        field_mapping=_mapping(context["offer"].tags),
    )
    try:
        definitions.change_audience(request_scope.session(), audience_id, draft, actor=current_actor())
    except InvalidAudience as error:
        return shown_again("audiences/edit.html", form=_with_errors(form, error), **context)
    return _back(audience_id, _("Changed. The next run follows it."))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a mail system offers: its lists, the chosen one, and that one's fields; or why it offers nothing."""

    system: str = ""
    lists: tuple[DestinationList, ...] = ()
    list_ref: str = ""
    tags: tuple[str, ...] = ()
    problem: str = ""


def _offer(connection_id: Any, list_ref: str) -> Offer:
    """Ask the mail system itself, with no transaction open."""
    systems = {str(one.id): one.system for one in _destinations()}
    if str(connection_id or "") not in systems:
        return Offer(problem=_("Choose a connection first."))
    organisation_id, runtime = request_scope.session().organisation_id, request_scope.runtime()
    request_scope.let_go()
    try:
        found = tuple(read_lists(runtime, organisation_id, int(connection_id)))
        refs = [one.external_id for one in found]
        chosen = list_ref if list_ref in refs else (refs[0] if len(refs) == 1 else "")
        tags = read_fields(runtime, organisation_id, int(connection_id), list_ref=chosen) if chosen else ()
    except (ConnectorError, UnknownConnection) as error:
        return Offer(problem=_(words.failure_wording(getattr(error, "code", "connection_removed"))))
    return Offer(systems[str(connection_id)], found, chosen, tuple(tags))


def _funnel(aim: Aim) -> dict[str, Any]:
    """The funnel of a choice, or why there is none."""
    if not aim.segment_id:
        return {"funnel": None, "problem": ""}
    session = request_scope.session()
    try:
        with within(session, PREVIEW_S):
            return {"funnel": count_funnel(session, aim), "problem": ""}
    except RunStopped as stopped:
        return {"funnel": None, "problem": _(words.failure_wording(stopped.code))}
    except TooSlowError:
        return {"funnel": None, "problem": _("Counting takes too long right now. The first look will tell.")}


def _at_work(audience: Audience) -> dict[str, Any]:
    session = request_scope.session()
    last = runs.runs_of(session, audience.id, limit=RUNS_SHOWN)
    latest = last[0] if last else None
    refused, _after = people_of(session, audience.id, only="refused", cursor="")
    waiting = latest if latest is not None and _waits(audience, latest) else None
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
        "is_busy": latest is not None and latest.state in ("queued", "running"),
        "refused": refused,
        "is_announced": can_be_announced(request_scope.runtime()),
        "may_change": may("marketer"),
        "words": words,
    }


def _waits(audience: Audience, run: AudienceRun) -> bool:
    is_open = not run.is_confirmed and audience.state in ("draft", "active")
    return is_open and (run.state == "braked" or (run.state == "planned" and audience.state == "draft"))


def _planned_funnel(run: AudienceRun | None) -> Funnel | None:
    names = Funnel.__dataclass_fields__
    if run is None or not names.keys() <= run.counts.keys():
        return None
    return Funnel(**{name: run.counts[name] for name in names})


def _choices() -> dict[str, Any]:
    session = request_scope.session()
    return {
        "segments": [(segment.id, segment.name) for segment in list_segments(session)],
        "purposes": [(one.code, one.names.get(current_language(), one.code)) for one in _purposes()],
        "connections": [(one.id, one.name) for one in _destinations()],
    }


def _editing(audience: Audience) -> dict[str, Any]:
    offer = _offer(audience.connection_id, audience.list_ref)
    tags = tuple(sorted({*offer.tags, *audience.field_mapping}))
    shown = replace(offer, list_ref=audience.list_ref, tags=tags)
    return {"audience": audience, "offer": shown, "fields": _field_choices(), **_choices()}


def _purposes() -> Any:
    return definitions.purposes_to_write_for(request_scope.session())


def _purpose_name(code: str) -> str:
    return next((one.names.get(current_language(), code) for one in _purposes() if one.code == code), code)


def _destinations() -> list[Connection]:
    return [one for one in list_connections(request_scope.session()) if one.kind == "destination"]


def _field_choices() -> list[tuple[str, str]]:
    return [(name, _(words.FIELD_NAMES[name])) for name in FIELDS]


def _typed_mapping(offer: Offer) -> dict[str, str]:
    return _typed(default_mapping(offer.tags))


def _typed(mapping: Any) -> dict[str, str]:
    return {f"{FIELD_PREFIX}{tag}": name for tag, name in mapping.items()}


def _mapping(tags: tuple[str, ...]) -> dict[str, str]:
    """The fields as they were chosen, of those the list has."""
    chosen = {tag: request.form.get(f"{FIELD_PREFIX}{tag}", "").strip() for tag in tags}
    return {tag: name for tag, name in chosen.items() if name}


def _with_errors(form: Form, error: InvalidAudience) -> Form:
    for name, code in error.errors.items():
        form = form.with_error(name, _(words.field_wording(code)))
    return form


def _found(audience_id: int) -> Audience:
    try:
        return definitions.find_audience(request_scope.session(), audience_id)
    except UnknownAudience:
        abort(404)


def _found_run(audience_id: int, run_id: int) -> AudienceRun:
    _found(audience_id)
    try:
        run = runs.find_run(request_scope.session(), run_id)
    except UnknownRun:
        abort(404)
    if run.audience_id != audience_id:
        abort(404)
    return run


def _back(audience_id: int, sentence: str, kind: str = "success") -> Response:
    flash(sentence, kind)
    return redirect(url_for("audiences.show", audience_id=audience_id))
