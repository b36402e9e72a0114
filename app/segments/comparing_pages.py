"""Two segments beside one another: who is in both, in only one, in neither; and why somebody is in a segment."""

from __future__ import annotations

from typing import cast, get_args

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.access import requires
from app.contacts.directory import find_contact
from app.segments import definitions
from app.segments.building.checking import check_person
from app.segments.overlap import Overlap, Part, compare_segments, part_rule
from app.segments.pages import Answer, blueprint, found_segment
from app.segments.people import members_by_rule, segments_with
from app.segments.problems import SegmentError, TooSlowError
from app.ui import charts, request_scope
from app.ui.languages import current_language

PEOPLE_SHOWN = 50


@blueprint.get("/compare")
@requires("viewer")
def compare() -> str:
    """Lay two segments over one another."""
    session = request_scope.session()
    segments = sorted(definitions.list_segments(session), key=lambda one: one.name.casefold())
    by_id = {one.id: one for one in segments}
    a, b = (by_id.get(request.args.get(side, 0, type=int)) for side in ("a", "b"))
    overlap: Overlap | None = None
    is_slow = False
    if a is not None and b is not None and a is not b:
        try:
            overlap = compare_segments(session, a.id, b.id)
        except TooSlowError:
            is_slow = True
    return render_template(
        "segments/compare.html",
        segments=segments,
        a=a,
        b=b,
        overlap=overlap,
        is_slow=is_slow,
        circles=charts.venn(overlap.only_a, overlap.only_b, overlap.both) if overlap else (),
    )


@blueprint.get("/compare/people")
@requires("viewer")
def compared_people() -> Answer:
    """The people of one part."""
    a, b = (found_segment(request.args.get(side, 0, type=int)) for side in ("a", "b"))
    part = request.args.get("part", "")
    if part not in get_args(Part):
        abort(404)
    after = request.args.get("after", 0, type=int)
    rule = part_rule(a.id, b.id, cast(Part, part))
    try:
        people = members_by_rule(request_scope.session(), rule, after=max(after, 0), limit=PEOPLE_SHOWN)
    except TooSlowError:
        flash(_("Counting takes longer than usual. Try again in a while."), "warning")
        return redirect(url_for("segments.compare", a=a.id, b=b.id))
    return render_template(
        "segments/compared_people.html",
        a=a,
        b=b,
        part=part,
        people=people,
        after=after,
        next_after=people[-1].id if len(people) == PEOPLE_SHOWN else None,
    )


@blueprint.get("/why/<int:contact_id>")
@requires("viewer")
def why(contact_id: int) -> str:
    """Every segment with whether somebody is in it, and of one of them why, or why not."""
    session = request_scope.session()
    contact = find_contact(session, contact_id)
    if contact is None or contact.state != "living":
        abort(404)
    segment_id = request.args.get("segment", 0, type=int)
    segment = found_segment(segment_id) if segment_id else None
    answer, is_slow = None, False
    if segment is not None:
        try:
            answer = check_person(session, segment.rule, contact_id=contact_id, language=current_language())
        except SegmentError:
            is_slow = True
    return render_template(
        "segments/why.html",
        contact=contact,
        segment=segment,
        answer=answer,
        is_slow=is_slow,
        segments=segments_with(session, contact_id),
    )
