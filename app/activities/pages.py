"""The pages of what is on offer: the list, and one activity with who comes."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import may, requires
from app.activities.genres import terms_of
from app.activities.listing import find_activity, lines_of, list_activities, turnout_of
from app.activities.neighbours import ACTIONS
from app.ui import request_scope
from app.ui.languages import current_language

blueprint = Blueprint("activities", __name__, url_prefix="/activities", template_folder="templates")

Answer = str | AnyResponse
ACTIVITIES_PER_PAGE = 50
LINES_PER_PAGE = 100


@blueprint.get("")
@requires("viewer")
def overview() -> Answer:
    """List activities, the latest first."""
    session, text = request_scope.session(), request.args.get("q", "").strip()
    before = _place(request.args.get("before", ""))
    found = list_activities(session, text=text, before=before, limit=ACTIVITIES_PER_PAGE + 1)
    shown, last = found[:ACTIVITIES_PER_PAGE], found[ACTIVITIES_PER_PAGE - 1 : ACTIVITIES_PER_PAGE]
    has_more = len(found) > ACTIVITIES_PER_PAGE
    return render_template(
        "activities/overview.html",
        activities=shown,
        turnout=turnout_of(session, [each.id for each in shown]),
        text=text,
        next_url=url_for("activities.overview", q=text or None, before=f"{last[0].starts_on}~{last[0].id}")
        if has_more
        else "",
        first_url=url_for("activities.overview", q=text or None) if before else "",
    )


@blueprint.get("/<int:activity_id>")
@requires("viewer")
def show(activity_id: int) -> Answer:
    """Show one activity and who comes."""
    session = request_scope.session()
    activity = find_activity(session, activity_id)
    if activity is None:
        return abort(404)
    after = request.args.get("after", 0, type=int)
    if not 0 <= after < 2**63:
        return redirect(url_for("activities.show", activity_id=activity_id))
    lines = lines_of(session, activity_id, after=after, limit=LINES_PER_PAGE + 1)
    shown = lines[:LINES_PER_PAGE]
    next_url = ""
    if len(lines) > LINES_PER_PAGE:
        next_url = url_for("activities.show", activity_id=activity_id, after=shown[-1].participation.id)
    return render_template(
        "activities/show.html",
        activity=activity,
        turnout=turnout_of(session, [activity_id]).get(activity_id),
        terms=[term.name(current_language()) for term in terms_of(session, activity.genres)],
        lines=shown,
        actions=[action for action in ACTIONS if may(action.role)],
        next_url=next_url,
        first_url=url_for("activities.show", activity_id=activity_id) if after else "",
    )


def _place(written: str) -> tuple[date, int] | None:
    """Return the place a page begins after, or None for what is no place of ours."""
    on, _mark, row_id = written.partition("~")
    try:
        return date.fromisoformat(on), int(row_id)
    except ValueError:
        return None
