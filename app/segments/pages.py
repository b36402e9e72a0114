"""The pages of segments: the list, and one segment with its people, its history and what can be done with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import audit
from app.accounts.access import current_actor, current_user, requires
from app.consent.models import Purpose
from app.segments import definitions, membership
from app.segments.building.absences import absences_in
from app.segments.building.preview import FIRST_DAY, LAST_DAY, Preview, preview_rule
from app.segments.building.recipes import RECIPES
from app.segments.compiling.scope import scope_of
from app.segments.keeping.keeping_words import kept_back
from app.segments.language import rules
from app.segments.language.schemas import parse_rule
from app.segments.language.told import tell
from app.segments.models import Segment
from app.segments.people import contacts_by_id, members_page, members_to_export, people_on
from app.segments.problems import NameTakenError, SegmentError, SegmentInUseError, SegmentMissingError, TooSlowError
from app.segments.sizes import movements_since, sizes_between
from app.segments.snapshot import freeze_segment
from app.ui import request_scope
from app.ui.csv_export import csv_chunks
from app.ui.formats import show_date
from app.ui.languages import current_language

Answer = str | AnyResponse | tuple[str, int]
Json = dict[str, Any]

PURPOSE = "newsletter"
# A page waits this long for an evaluation; after that the heartbeat does it.
AT_ONCE_S = 8.0
MEMBERS_SHOWN = 20
CHANGES_SHOWN = 12
CHANGES_PER_PAGE = 200
SIZES_SHOWN = timedelta(days=90)
MOVEMENTS_OVER = timedelta(days=30)
IN_MEMORY_BYTES = 5_000_000
NAME_MAX = 120

blueprint = Blueprint("segments", __name__, url_prefix="/segments", template_folder="templates")


# --- the list --------------------------------------------------------------------------------------------------------


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


# --- one segment -----------------------------------------------------------------------------------------------------


@blueprint.get("/<int:segment_id>")
@requires("viewer")
def show(segment_id: int) -> str:
    """One segment: what it says, who is in it, and who came and went; who can be mailed follows (``funnel``)."""
    session = request_scope.session()
    segment = found_segment(segment_id)
    rule, today = parse_rule(segment.rule), scope_of(session).as_of
    after = _after()
    members = members_page(session, segment_id, after=after, limit=MEMBERS_SHOWN)
    return render_template(
        "segments/show.html",
        segment=segment,
        told=_all_told([segment])[segment.id],
        kept_back=[sentence.said_in(_) for sentence in kept_back(segment)],
        absences=[problem.message.said_in(_) for problem in absences_in(session, rule)],
        preview=_quick_preview(segment.rule, _purpose()) if "funnel" in request.args else None,
        purposes=all_purposes(),
        purpose=_purpose(),
        members=members,
        after=after,
        next_after=members[-1].contact.id if len(members) == MEMBERS_SHOWN else None,
        today=today,
        sizes=sizes_between(session, segment_id, since=max(today - SIZES_SHOWN, _began_on(segment)), until=today),
        movements=movements_since(session, segment_id, today - MOVEMENTS_OVER),
        uses=definitions.uses_of(session, segment_id),
        others=[one for one in definitions.list_segments(session) if one.id != segment_id],
        **_changes(segment_id, limit=CHANGES_SHOWN),
    )


@blueprint.get("/<int:segment_id>/funnel")
@requires("viewer")
def funnel(segment_id: int) -> str:
    """Who can be mailed, for the page of the segment, which does not wait for it."""
    preview = _quick_preview(found_segment(segment_id).rule, _purpose())
    return render_template("segments/_funnel.html", preview=preview)


@blueprint.get("/<int:segment_id>/changes")
@requires("viewer")
def changes(segment_id: int) -> str:
    """The latest entries and exits, more of them."""
    segment = found_segment(segment_id)
    return render_template("segments/changes.html", segment=segment, **_changes(segment_id, limit=CHANGES_PER_PAGE))


@blueprint.get("/<int:segment_id>/on")
@requires("viewer")
def on_day(segment_id: int) -> Answer:
    """Who was in it on a day, or will be by the rule."""
    session = request_scope.session()
    segment = found_segment(segment_id)
    day = _day(request.args.get("day", ""))
    if day is None:
        flash(_("Choose a day first."), "warning")
        return redirect(url_for("segments.show", segment_id=segment_id))
    after = _after()
    try:
        people, is_remembered = people_on(session, segment, day, after=after, limit=MEMBERS_SHOWN)
    except TooSlowError:
        flash(_("This takes too long to work out. Choose a day since the segment was made."), "warning")
        return redirect(url_for("segments.show", segment_id=segment_id))
    return render_template(
        "segments/on_day.html",
        segment=segment,
        day=day,
        people=people,
        after=after,
        next_after=people[-1].contact.id if len(people) == MEMBERS_SHOWN else None,
        is_remembered=is_remembered,
        size=sizes_between(session, segment_id, since=day, until=day)[-1].people if is_remembered else None,
    )


# --- what can be done with it ----------------------------------------------------------------------------------------


@blueprint.post("/<int:segment_id>/delete")
@requires("marketer")
def delete(segment_id: int) -> AnyResponse:
    """Remove a segment that nothing uses."""
    session = request_scope.session()
    segment = found_segment(segment_id)
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
    found_segment(segment_id)
    try:
        found = membership.evaluate_segment(request_scope.session(), segment_id, seconds=AT_ONCE_S)
    except TooSlowError:
        flash(_("This takes a while. It goes on in the background."), "info")
    else:
        flash(_("Up to date: %(entered)s came in, %(left)s left.", entered=found.entered, left=found.left), "success")
    return redirect(url_for("segments.show", segment_id=segment_id))


@blueprint.post("/<int:segment_id>/freeze")
@requires("marketer")
def freeze(segment_id: int) -> AnyResponse:
    """Keep who is in it now as a segment of its own, to which nobody is added."""
    session, user = request_scope.session(), current_user()
    segment = found_segment(segment_id)
    today = show_date(scope_of(session).as_of)
    name = request.form.get("name", "").strip()[:NAME_MAX] or f"{segment.name[:100]} · {today}"
    description = _("Who was in “%(name)s” on %(day)s.", name=segment.name, day=today)
    back = redirect(url_for("segments.show", segment_id=segment_id))
    kept_by = user.id if user else None
    try:
        with suppress(TooSlowError):
            membership.evaluate_segment(session, segment_id, seconds=AT_ONCE_S)
        frozen = freeze_segment(session, segment_id, name=name, description=description, created_by=kept_by)
        membership.evaluate_segment(session, frozen.id, seconds=AT_ONCE_S)
    except NameTakenError:
        flash(_("There is already a segment or a tag called “%(name)s”. Choose another name.", name=name), "error")
        return back
    except TooSlowError:
        flash(_("This takes a while. It goes on in the background."), "info")
    audit.record(session, current_actor(), "segments.freeze", subject=("segment", segment_id))
    flash(_("“%(name)s” is saved.", name=name), "success")
    return redirect(url_for("segments.overview", q=name))


@blueprint.post("/<int:segment_id>/export")
@requires("marketer")
def export(segment_id: int) -> Response:
    """The members as a file for a spreadsheet; who took it is kept in the audit trail.

    With a purpose, only those who may be mailed for it now and whose mail arrives.
    """
    session = request_scope.session()
    segment = found_segment(segment_id)
    asked = request.form.get("purpose", "")
    purpose = asked if asked in dict(all_purposes()) else None
    if asked and purpose is None:
        abort(422)
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
        for row in members_to_export(session, segment_id, purpose=purpose):
            count += 1
            yield row

    for chunk in csv_chunks(header, rows(), language=current_language()):
        file.write(chunk)
    file.seek(0)
    details = {"contacts": count} | ({"purpose": purpose} if purpose else {})
    audit.record(session, current_actor(), "segments.export", subject=("segment", segment_id), details=details)
    name = f"{segment.name[:60]} {scope_of(session).as_of.isoformat()}.csv"
    return send_file(file, mimetype="text/csv; charset=utf-8", as_attachment=True, download_name=name)


# --- what pages ask more than once -----------------------------------------------------------------------------------


def found_segment(segment_id: int) -> Segment:
    """The segment, or the page that says there is none."""
    try:
        return definitions.find_segment(request_scope.session(), segment_id)
    except SegmentMissingError:
        abort(404)


def all_purposes() -> list[tuple[str, str]]:
    """The purposes in use: code, and name in the reader's language."""
    rows = request_scope.session().scalars(sa.select(Purpose).where(Purpose.is_active).order_by(Purpose.position))
    return [(row.code, row.names.get(current_language(), row.code)) for row in rows]


def _all_told(segments: list[Segment]) -> dict[int, str]:
    """The sentence of each segment, with the names that any of them needs looked up once."""
    session, language = request_scope.session(), current_language()
    parsed = {one.id: parse_rule(one.rule) for one in segments}
    names = definitions.names_in(session, rules.All(tuple(parsed.values())), language=language)
    today = scope_of(session).as_of
    return {number: tell(rule, as_of=today, language=language, names=names) for number, rule in parsed.items()}


def _changes(segment_id: int, *, limit: int) -> Json:
    session = request_scope.session()
    found = membership.latest_changes(session, segment_id, limit=limit)
    return {"changes": found, "people": contacts_by_id(session, {change.contact_id for change in found})}


def _quick_preview(rule: Json, purpose: str) -> Preview | None:
    try:
        return preview_rule(request_scope.session(), rule, purpose=purpose, language=current_language())
    except SegmentError:
        return None


def _purpose() -> str:
    asked = request.args.get("purpose", PURPOSE)
    return asked if asked in dict(all_purposes()) else PURPOSE


def _began_on(segment: Segment) -> date:
    return segment.created_at.date() - timedelta(days=1)


def _after() -> int:
    after = request.args.get("after", 0, type=int)
    return after if 0 <= after < 2**63 else 0


def _day(text: str) -> date | None:
    with suppress(ValueError):
        day = date.fromisoformat(text)
        return day if FIRST_DAY <= day <= LAST_DAY else None
    return None
