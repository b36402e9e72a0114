"""The page of a season: what all its mailings and journeys brought about together, and starting its control group."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.activities.seasons import season_at
from app.mailings.effect import words_for_pages as words
from app.mailings.effect.holdout import SEASON_PERCENT, start_season
from app.mailings.effect.pages import blueprint
from app.mailings.effect.seasons import season_effect, seasons_with_control
from app.ui import request_scope

PERCENTS = (5, 10, 15, 20)


@blueprint.get("/season")
@requires("viewer")
def season() -> str:
    """What mailing brought about in a season; the running one unless another is asked for."""
    session, now = request_scope.session(), clock.now()
    running, kept = season_at(session, now), seasons_with_control(session)
    wanted = request.args.get("season", default=running, type=int)
    if wanted not in kept:
        wanted = running
    return render_template(
        "effect/season.html",
        effect=season_effect(session, wanted, at=now),
        tabs=[(f"{each}–{each + 1}", url_for("mailing_report.season", season=each), each == wanted) for each in kept],
        percents=PERCENTS,
        usual=SEASON_PERCENT,
        words=words,
    )


@blueprint.post("/season")
@requires("admin")
def begin_season() -> Response:
    """Start the control group of the running season. Its share stays what it is until the season ends."""
    session, now = request_scope.session(), clock.now()
    percent, running = request.form.get("percent", default=0, type=int), season_at(session, now)
    if percent not in PERCENTS:
        flash(_("Choose which share of the people the control group is."), "error")
    elif running in seasons_with_control(session):
        flash(_("This season has its control group already."), "error")
    else:
        start_season(session, running, percent=percent, at=now)
        details = {"season": running, "percent": percent}
        audit.record(session, current_actor(), "mailings.started_season", details=details)
        flash(_("The control group of this season is there. Journeys leave it alone from now on."), "success")
    return redirect(url_for("mailing_report.season"))
