"""The pages of segments: the list, one segment, and the builder with its live preview."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import audit
from app.accounts.access import current_actor, current_user, requires
from app.consent.models import Purpose
from app.segments import definitions, membership, rules
from app.segments.models import Segment
from app.segments.people import contacts_by_id, members_page, members_to_export
from app.segments.preview import Preview, preview_rule, scope_of, tell_rule
from app.segments.problems import (
    InvalidRuleError,
    NameTakenError,
    SegmentError,
    SegmentInUseError,
    SegmentMissingError,
    TooSlowError,
)
from app.segments.recipes import BY_KEY, RECIPES
from app.segments.schemas import parse_rule
from app.segments.told import tell
from app.ui import request_scope
from app.ui.csv_export import csv_chunks
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import current_language

Answer = str | AnyResponse | tuple[str, int]
Json = dict[str, Any]

EVERYBODY: Json = {"type": "all", "rules": []}
PURPOSE = "newsletter"
# A page waits this long for an evaluation; after that the heartbeat does it.
AT_ONCE_S = 8.0
MEMBERS_SHOWN = 20
CHANGES_SHOWN = 12
IN_MEMORY_BYTES = 5_000_000

blueprint = Blueprint("segments", __name__, url_prefix="/segments", template_folder="templates")


class SegmentForm(Schema):
    """What the builder sends."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=120))
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    rule = fields.String(required=True)


# --- the list and one segment ----------------------------------------------------------------------------------------


@blueprint.get("/")
@requires("viewer")
def overview() -> str:
    """Every segment: how many are in it, when it last changed, and where it is used."""
    session = request_scope.session()
    wanted = request.args.get("q", "").strip()
    segments = [one for one in definitions.list_segments(session) if wanted.casefold() in one.name.casefold()]
    return render_template(
        "segments/overview.html",
        segments=sorted(segments, key=lambda one: one.name.casefold()),
        uses=definitions.uses_by_segment(session),
        told=_all_told(segments),
        wanted=wanted,
        recipes=RECIPES,
    )


@blueprint.get("/recipes")
@requires("viewer")
def recipes() -> str:
    """Ready-made segments with numbers to edit."""
    return render_template("segments/recipes.html", recipes=RECIPES)


@blueprint.get("/<int:segment_id>")
@requires("viewer")
def show(segment_id: int) -> str:
    """One segment: what it says, who is in it, and who came and went; who can be mailed follows (``funnel``)."""
    session = request_scope.session()
    segment = _found(segment_id)
    after = request.args.get("after", 0, type=int)
    members = members_page(session, segment_id, after=after, limit=MEMBERS_SHOWN)
    changes = membership.latest_changes(session, segment_id, limit=CHANGES_SHOWN)
    return render_template(
        "segments/show.html",
        segment=segment,
        told=_told(segment),
        preview=_quick_preview(segment.rule, _purpose()) if "funnel" in request.args else None,
        purposes=_purposes(),
        purpose=_purpose(),
        members=members,
        after=after,
        next_after=members[-1].contact.id if len(members) == MEMBERS_SHOWN else None,
        changes=changes,
        people=contacts_by_id(session, {change.contact_id for change in changes}),
        uses=definitions.uses_of(session, segment_id),
    )


@blueprint.get("/<int:segment_id>/funnel")
@requires("viewer")
def funnel(segment_id: int) -> str:
    """Who can be mailed, for the page of the segment, which does not wait for it."""
    preview = _quick_preview(_found(segment_id).rule, _purpose())
    return render_template("segments/_funnel.html", preview=preview)


@blueprint.post("/<int:segment_id>/delete")
@requires("marketer")
def delete(segment_id: int) -> AnyResponse:
    """Remove a segment that nothing uses."""
    session = request_scope.session()
    segment = _found(segment_id)
    try:
        definitions.delete_segment(session, segment_id)
    except SegmentInUseError:
        names = ", ".join(use.name for use in definitions.uses_of(session, segment_id))
        flash(
            _("“%(name)s” is still used by: %(users)s. Take it out there first.", name=segment.name, users=names),
            "error",
        )
        return redirect(url_for("segments.show", segment_id=segment_id))
    audit.record(session, current_actor(), "segments.delete", subject=("segment", segment_id))
    flash(_("“%(name)s” has been removed.", name=segment.name), "success")
    return redirect(url_for("segments.overview"))


@blueprint.post("/<int:segment_id>/evaluate")
@requires("marketer")
def evaluate(segment_id: int) -> AnyResponse:
    """Bring the members up to date now."""
    _found(segment_id)
    try:
        found = membership.evaluate_segment(request_scope.session(), segment_id, seconds=AT_ONCE_S)
    except TooSlowError:
        flash(_("This takes a while. It goes on in the background."), "info")
    else:
        flash(_("Up to date: %(entered)s came in, %(left)s left.", entered=found.entered, left=found.left), "success")
    return redirect(url_for("segments.show", segment_id=segment_id))


@blueprint.post("/<int:segment_id>/export")
@requires("marketer")
def export(segment_id: int) -> Response:
    """The members as a file for a spreadsheet; who took it is kept in the audit trail."""
    session = request_scope.session()
    segment = _found(segment_id)
    header = [
        _("Number"),
        _("First name"),
        _("Last name"),
        _("E-mail address"),
        _("Language"),
        _("Postcode"),
        _("Municipality"),
        _("In the segment since"),
    ]
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 (the answer closes it)
    count = 0

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal count
        for row in members_to_export(session, segment_id):
            count += 1
            yield row

    for chunk in csv_chunks(header, rows(), language=current_language()):
        file.write(chunk)
    file.seek(0)
    audit.record(
        session, current_actor(), "segments.export", subject=("segment", segment_id), details={"contacts": count}
    )
    name = f"{segment.name[:60]} {scope_of(session).as_of.isoformat()}.csv"
    return send_file(file, mimetype="text/csv; charset=utf-8", as_attachment=True, download_name=name)


# --- the builder -----------------------------------------------------------------------------------------------------


@blueprint.get("/new")
@requires("marketer")
def new() -> str:
    """The builder, empty or with a recipe in it."""
    recipe = BY_KEY.get(request.args.get("recipe", ""))
    if recipe is None:
        return _builder(new_form(name="", rule=json.dumps(EVERYBODY)), segment=None)
    rule, _problems = recipe.rule(request.args)
    return _builder(new_form(name=_(recipe.name), description=_(recipe.goal), rule=json.dumps(rule)), segment=None)


@blueprint.get("/<int:segment_id>/copy")
@requires("marketer")
def copy(segment_id: int) -> str:
    """The builder with another segment's rule in it."""
    segment = _found(segment_id)
    name = _("Copy of %(name)s", name=segment.name)[:120]
    return _builder(new_form(name=name, description=segment.description, rule=json.dumps(segment.rule)), segment=None)


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Keep what was built as a new segment."""
    return _save(None)


@blueprint.get("/<int:segment_id>/edit")
@requires("marketer")
def edit(segment_id: int) -> str:
    """The builder with this segment in it."""
    segment = _found(segment_id)
    form = new_form(name=segment.name, description=segment.description, rule=json.dumps(segment.rule))
    return _builder(form, segment=segment)


@blueprint.post("/<int:segment_id>/edit")
@requires("marketer")
def change(segment_id: int) -> Answer:
    """Keep what was changed."""
    return _save(_found(segment_id))


def _save(segment: Segment | None) -> Answer:
    session = request_scope.session()
    form = read_form(SegmentForm(), request.form)
    rule = _read_json(form)
    if form.is_valid and rule is None:
        form = form.with_error("rule", _("This is not JSON. Check brackets, commas and quotes."))
    if not form.is_valid:
        return _builder(form, segment=segment), 422
    kept = {"name": form.values["name"], "description": form.values["description"], "rule": rule}
    try:
        if segment is None:
            user = current_user()
            saved = definitions.create_segment(session, **kept, created_by=user.id if user else None)
        else:
            saved = definitions.update_segment(session, segment.id, **kept)
    except NameTakenError:
        return _builder(form.with_error("name", _("There is already a segment with this name.")), segment=segment), 422
    except InvalidRuleError as error:
        for path, sentences in error.by_field(_).items():
            form = form.with_error("rule", f"{path}: {' '.join(sentences)}")
        return _builder(form, segment=segment), 422
    action = "segments.create" if segment is None else "segments.update"
    audit.record(session, current_actor(), action, subject=("segment", saved.id))
    with suppress(TooSlowError):
        membership.evaluate_segment(session, saved.id, seconds=AT_ONCE_S)
    flash(_("“%(name)s” is saved.", name=saved.name), "success")
    return redirect(url_for("segments.show", segment_id=saved.id))


def _builder(form: Form, *, segment: Segment | None) -> str:
    session = request_scope.session()
    rule = _read_json(form)
    try:
        parsed = definitions.read_rule(session, rule, own_id=segment.id if segment else None)
        names = definitions.names_in(session, parsed, language=current_language())
        told = tell_rule(session, parsed, language=current_language())
        activities = {str(number): title for number, title in names.activities.items()}
    except SegmentError:
        told, activities = "", {}
    others = [one for one in definitions.list_segments(session) if segment is None or one.id != segment.id]
    return render_template(
        "segments/builder.html",
        form=form,
        segment=segment,
        rule=rule or EVERYBODY,
        told=told,
        activities=activities,
        purposes=_purposes(),
        others=[(one.id, one.name) for one in sorted(others, key=lambda one: one.name.casefold())],
        today=scope_of(session).as_of,
        recipes=RECIPES,
    )


def _read_json(form: Form) -> Json | None:
    with suppress(ValueError, RecursionError):
        read = json.loads(form.typed.get("rule") or "")
        return read if isinstance(read, dict) else None
    return None


# --- what pages ask more than once -----------------------------------------------------------------------------------


def _found(segment_id: int) -> Segment:
    try:
        return definitions.find_segment(request_scope.session(), segment_id)
    except SegmentMissingError:
        abort(404)


def _told(segment: Segment) -> str:
    return _all_told([segment])[segment.id]


def _all_told(segments: list[Segment]) -> dict[int, str]:
    """The sentence of each segment, with the names that any of them needs looked up once."""
    session, language = request_scope.session(), current_language()
    parsed = {one.id: parse_rule(one.rule) for one in segments}
    names = definitions.names_in(session, rules.All(tuple(parsed.values())), language=language)
    today = scope_of(session).as_of
    return {number: tell(rule, as_of=today, language=language, names=names) for number, rule in parsed.items()}


def _quick_preview(rule: Json, purpose: str) -> Preview | None:
    try:
        return preview_rule(request_scope.session(), rule, purpose=purpose, language=current_language())
    except SegmentError:
        return None


def _purposes() -> list[tuple[str, str]]:
    rows = request_scope.session().scalars(sa.select(Purpose).where(Purpose.is_active).order_by(Purpose.position))
    return [(row.code, row.names.get(current_language(), row.code)) for row in rows]


def _purpose() -> str:
    asked = request.args.get("purpose", PURPOSE)
    return asked if asked in dict(_purposes()) else PURPOSE
