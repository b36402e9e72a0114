"""The pages where segments are made: the gallery of ready-made ones, and the builder."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast, get_args

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate

from app.accounts import audit
from app.accounts.access import current_actor, current_user, requires
from app.activities.listing import find_activity
from app.segments import definitions, membership
from app.segments.building.absences import absences_in
from app.segments.building.discovery import not_yet_rule
from app.segments.building.preview import tell_rule
from app.segments.building.recipes import BY_KEY, RECIPES
from app.segments.building.suggestions import suggest
from app.segments.closures import closed_periods
from app.segments.compiling.scope import scope_of
from app.segments.language.rules import STATUSES, Rule
from app.segments.models import Segment
from app.segments.overlap import Part, part_rule
from app.segments.pages import AT_ONCE_S, Answer, Json, all_purposes, blueprint, found_segment
from app.segments.problems import (
    ActivityMissingError,
    InvalidRuleError,
    NameTakenError,
    NothingInCommonError,
    SegmentError,
    TooSlowError,
)
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import current_language

EVERYBODY: Json = {"type": "all", "rules": []}
NAME_MAX = 120


class SegmentForm(Schema):
    """What the builder sends."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=NAME_MAX))
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    rule = fields.String(required=True)


@blueprint.get("/recipes")
@requires("viewer")
def recipes() -> str:
    """Ready-made segments with numbers to edit."""
    return render_template("segments/recipes.html", recipes=RECIPES)


@blueprint.get("/new")
@requires("marketer")
def new() -> Answer:
    """The builder: empty, or begun with a recipe, a part of two segments, or the people for an activity."""
    if "not_yet" in request.args:
        return _begun_with_activity(request.args.get("not_yet", 0, type=int))
    if "coming" in request.args:
        return _begun_with_who_comes(request.args.get("coming", 0, type=int))
    if "part" in request.args:
        return _begun_with_part()
    recipe = BY_KEY.get(request.args.get("recipe", ""))
    if recipe is None:
        return _builder(new_form(name="", rule=json.dumps(EVERYBODY)), segment=None)
    rule, _problems = recipe.rule(request.args)
    return _begun(_(recipe.name), _(recipe.goal), rule)


def _begun(name: str, description: str, rule: Json) -> str:
    form = new_form(name=name[:NAME_MAX], description=description, rule=json.dumps(rule))
    return _builder(form, segment=None)


def _begun_with_activity(activity_id: int) -> Answer:
    """People who like what an activity is, and have no place for it yet."""
    session = request_scope.session()
    try:
        rule = not_yet_rule(session, activity_id)
    except ActivityMissingError:
        abort(404)
    except NothingInCommonError:
        flash(_("This activity has no genre, series or venue yet, so nothing says who would like it."), "warning")
        return redirect(url_for("activities.show", activity_id=activity_id))
    activity = find_activity(session, activity_id)
    title = activity.title if activity else ""
    description = _("They like this genre or series and have no ticket for “%(title)s” yet.", title=title)
    return _begun(_("For %(title)s, not booked yet", title=title), description, rule)


def _begun_with_who_comes(activity_id: int) -> Answer:
    """People who have a place for an activity, or had one when it was called off."""
    activity = find_activity(request_scope.session(), activity_id)
    if activity is None:
        abort(404)
    where: Json = {"activities": [activity.id]}
    if activity.is_cancelled:
        # Tickets of what is called off are given back: they are no less concerned.
        where["statuses"] = list(STATUSES)
    rule: Json = {"type": "participation", "measure": "count", "at_least": 1, "where": where}
    description = _("They have a place for “%(title)s”, or had one when it was called off.", title=activity.title)
    return _begun(_("Who comes to %(title)s", title=activity.title), description, rule)


def _begun_with_part() -> str:
    """The people in both of two segments, or in only one of them, or in neither."""
    a, b = (found_segment(request.args.get(side, 0, type=int)) for side in ("a", "b"))
    part = request.args.get("part", "")
    if part not in get_args(Part):
        abort(404)
    names = {
        "both": _("%(a)s and %(b)s", a=a.name, b=b.name),
        "only_a": _("%(a)s, not %(b)s", a=a.name, b=b.name),
        "only_b": _("%(a)s, not %(b)s", a=b.name, b=a.name),
        "neither": _("Neither %(a)s nor %(b)s", a=a.name, b=b.name),
    }
    return _begun(names[part], "", part_rule(a.id, b.id, cast(Part, part)))


@blueprint.get("/<int:segment_id>/copy")
@requires("marketer")
def copy(segment_id: int) -> str:
    """The builder with another segment's rule in it."""
    segment = found_segment(segment_id)
    return _begun(_("Copy of %(name)s", name=segment.name), segment.description or "", segment.rule)


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Keep what was built as a new segment."""
    return _save(None)


@blueprint.get("/<int:segment_id>/edit")
@requires("marketer")
def edit(segment_id: int) -> str:
    """The builder with this segment in it."""
    segment = found_segment(segment_id)
    form = new_form(name=segment.name, description=segment.description, rule=json.dumps(segment.rule))
    return _builder(form, segment=segment)


@blueprint.post("/<int:segment_id>/edit")
@requires("marketer")
def change(segment_id: int) -> Answer:
    """Keep what was changed."""
    return _save(found_segment(segment_id))


def _save(segment: Segment | None) -> Answer:
    form = read_form(SegmentForm(), request.form)
    rule = _read_json(form)
    if form.is_valid and rule is None:
        form = form.with_error("rule", _("This is not JSON. Check brackets, commas and quotes."))
    if not form.is_valid:
        return _builder(form, segment=segment), 422
    try:
        saved = _keep(segment, form.values["name"], form.values["description"], rule or EVERYBODY)
    except NameTakenError:
        return _builder(form.with_error("name", _("There is already a segment with this name.")), segment=segment), 422
    except InvalidRuleError as error:
        for path, sentences in error.by_field(_).items():
            form = form.with_error("rule", f"{path}: {' '.join(sentences)}")
        return _builder(form, segment=segment), 422
    with suppress(TooSlowError):
        membership.evaluate_segment(request_scope.session(), saved.id, seconds=AT_ONCE_S)
    flash(_("“%(name)s” is saved.", name=saved.name), "success")
    return redirect(url_for("segments.show", segment_id=saved.id))


def _keep(segment: Segment | None, name: str, description: str, rule: Json) -> Segment:
    session, user = request_scope.session(), current_user()
    if segment is None:
        kept_by = user.id if user else None
        saved = definitions.create_segment(session, name=name, rule=rule, description=description, created_by=kept_by)
    else:
        saved = definitions.update_segment(session, segment.id, name=name, rule=rule, description=description)
    action = "segments.create" if segment is None else "segments.update"
    audit.record(session, current_actor(), action, subject=("segment", saved.id))
    return saved


def _builder(form: Form, *, segment: Segment | None) -> str:
    session = request_scope.session()
    rule = _read_json(form)
    user = current_user()
    others = [one for one in definitions.list_segments(session) if segment is None or one.id != segment.id]
    return render_template(
        "segments/builder.html",
        form=form,
        segment=segment,
        rule=rule or EVERYBODY,
        purposes=all_purposes(),
        others=[(one.id, one.name) for one in sorted(others, key=lambda one: one.name.casefold())],
        today=scope_of(session).as_of,
        draft=f"{session.organisation_id}.{user.id if user else 0}.{segment.id if segment else request.full_path}",
        version=segment.version if segment else 0,
        **_read_back(rule, segment),
    )


def _read_back(rule: Json | None, segment: Segment | None) -> dict[str, Any]:
    """What the rule says, and the names in it; nothing of a rule that is not right."""
    session, language = request_scope.session(), current_language()
    named: Json = {
        "activities": {},
        "journeys": {},
        "genres": {},
        "has_journeys": bool(suggest(session, "journeys", "")),
        "closed": [(one.first.isoformat(), one.last.isoformat()) for one in closed_periods(session)],
    }
    try:
        parsed: Rule = definitions.read_rule(session, rule, own_id=segment.id if segment else None)
    except SegmentError:
        return {"told": "", "named": named, "absences": []}
    names = definitions.names_in(session, parsed, language=language)
    named["activities"] = {str(number): title for number, title in names.activities.items()}
    named["journeys"] = {str(number): title for number, title in names.journeys.items()}
    named["genres"] = dict(names.genres)
    return {
        "told": tell_rule(session, parsed, language=language),
        "named": named,
        "absences": [problem.message.said_in(_) for problem in absences_in(session, parsed)],
    }


def _read_json(form: Form) -> Json | None:
    with suppress(ValueError, RecursionError):
        read = json.loads(form.typed.get("rule") or "")
        return read if isinstance(read, dict) else None
    return None
