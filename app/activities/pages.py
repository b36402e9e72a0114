"""The pages of what is on offer: the list, and one activity with who comes."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, date
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import may, requires
from app.activities.genres import terms_of
from app.activities.listing import ALL, Narrowing, choices, find_activity, lines_of, list_activities, turnout_of
from app.activities.neighbours import ACTIONS
from app.activities.programme_changes import count_open_changes, open_changes
from app.activities.seasons import season_name
from app.ui import request_scope
from app.ui.languages import current_language

blueprint = Blueprint("activities", __name__, url_prefix="/activities", template_folder="templates")

Answer = str | AnyResponse
ACTIVITIES_PER_PAGE = 50
LINES_PER_PAGE = 100
NARROWED_BY = ("q", "series", "venue", "audience", "season")


@blueprint.get("")
@requires("viewer")
def overview() -> Answer:
    """List activities, the latest first."""
    session, narrowing = request_scope.session(), _narrowing()
    asked: dict[str, Any] = {name: request.args[name] for name in NARROWED_BY if request.args.get(name)}
    before = _place(request.args.get("before", ""))
    found = list_activities(session, narrowing, before=before, limit=ACTIVITIES_PER_PAGE + 1)
    there = choices(session)
    shown, last = found[:ACTIVITIES_PER_PAGE], found[ACTIVITIES_PER_PAGE - 1 : ACTIVITIES_PER_PAGE]
    has_more = len(found) > ACTIVITIES_PER_PAGE
    return render_template(
        "activities/overview.html",
        activities=shown,
        turnout=turnout_of(session, [each.id for each in shown]),
        text=narrowing.text,
        selects=[
            ("season", _("Season"), [(str(one), season_name(one)) for one in there.seasons]),
            ("series", _("Series"), [(one, one) for one in there.series]),
            ("venue", _("Venue"), [(one, one) for one in there.venues]),
            ("audience", _("For whom"), [(one, one) for one in there.audiences]),
        ],
        asked=asked,
        is_narrowed=narrowing != ALL,
        open_changes=count_open_changes(session),
        next_url=url_for("activities.overview", **asked, before=f"{last[0].starts_on}~{last[0].id}")
        if has_more
        else "",
        first_url=url_for("activities.overview", **asked) if before else "",
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
        changes=open_changes(session, activity_id=activity_id),
        actions=[action for action in ACTIONS if may(action.role)],
        next_url=next_url,
        first_url=url_for("activities.show", activity_id=activity_id) if after else "",
    )


def _narrowing() -> Narrowing:
    asked = {name: request.args.get(name, "").strip() for name in NARROWED_BY}
    season = request.args.get("season", None, type=int)
    return Narrowing(
        text=asked["q"],
        series=asked["series"],
        venue=asked["venue"],
        audience=asked["audience"],
        season=season if season is not None and MINYEAR <= season < MAXYEAR else None,
    )


def _place(written: str) -> tuple[date, int] | None:
    """Return the place a page begins after, or None for what is no place of ours."""
    on, _mark, row_id = written.partition("~")
    try:
        return date.fromisoformat(on), int(row_id)
    except ValueError:
        return None
