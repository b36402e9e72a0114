"""The pages on which an audience is made and changed; the others are in ``pages``, and so is the blueprint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.access import current_actor, requires
from app.audiences import definitions, words
from app.audiences.definitions import AudienceDraft
from app.audiences.destinations import read_fields, read_lists
from app.audiences.models import Audience
from app.audiences.pages import Answer, back_to, blueprint, destinations, found_audience, purposes
from app.audiences.payload import FIELDS, default_mapping
from app.audiences.problems import InvalidAudience, RunStopped
from app.audiences.schemas import AudienceForm, ChangeForm
from app.audiences.wanted import Aim, count_funnel
from app.segments.compiling.time_limit import within
from app.segments.definitions import list_segments
from app.segments.problems import TooSlowError
from app.sync.connections import UnknownConnection
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form, shown_again
from app.ui.languages import current_language
from app.ui.row_ids import row_id
from integrations.base import ConnectorError, DestinationList

PREVIEW_S = 10.0
FIELD_PREFIX = "field."


@blueprint.get("/new")
@requires("marketer")
def make() -> Answer:
    """Ask what goes where."""
    connected = destinations()
    if not connected or not list_segments(request_scope.session(), limit=1):
        return redirect(url_for("audiences.overview"))
    form = new_form(
        connection_id=request.args.get("connection_id", connected[0].id, type=row_id),
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


@blueprint.get("/<int:audience_id>/edit")
@requires("marketer")
def edit(audience_id: int) -> Answer:
    """Show what may be changed."""
    audience = found_audience(audience_id)
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
    audience = found_audience(audience_id)
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
    return back_to(audience_id, _("Changed. The next run follows it."))


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
    systems = {str(one.id): one.system for one in destinations()}
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


def _choices() -> dict[str, Any]:
    session = request_scope.session()
    return {
        "segments": [(segment.id, segment.name) for segment in list_segments(session)],
        "purposes": [(one.code, one.names.get(current_language(), one.code)) for one in purposes()],
        "connections": [(one.id, one.name) for one in destinations()],
    }


def _editing(audience: Audience) -> dict[str, Any]:
    offer = _offer(audience.connection_id, audience.list_ref)
    tags = tuple(sorted({*offer.tags, *audience.field_mapping}))
    shown = replace(offer, list_ref=audience.list_ref, tags=tags)
    return {"audience": audience, "offer": shown, "fields": _field_choices(), **_choices()}


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
