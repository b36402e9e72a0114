"""The page of what a journey brought about."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from app import clock
from app.accounts.access import requires
from app.journeys.effect import journey_effect
from app.journeys.models import Journey, JourneyVersion
from app.mailings.effect import words_for_pages as words
from app.ui import request_scope

DAYS_MAX = 365

blueprint = Blueprint("journey_effect", __name__, url_prefix="/journeys", template_folder="templates")


@blueprint.get("/<int:journey_id>/effect")
@requires("viewer")
def show(journey_id: int) -> str:
    """What a journey brought about, against its control group; one version of it where asked for."""
    session = request_scope.session()
    journey = session.get(Journey, (session.organisation_id, journey_id))
    if journey is None:
        abort(404)
    version, days = (request.args.get(name, type=int) for name in ("version", "days"))
    days = min(max(days, 1), DAYS_MAX) if days is not None else None
    if version is not None and session.get(JourneyVersion, (session.organisation_id, journey_id, version)) is None:
        abort(404)
    return render_template(
        "journeys/effect.html",
        journey=journey,
        effect=journey_effect(session, journey_id, at=clock.now(), version=version, days=days),
        words=words,
    )
