"""Beginning with a ready-made journey: one press makes its mails and its draft, to look over before anybody enters."""

from __future__ import annotations

from flask import abort, flash, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.consent.models import Purpose
from app.consent.wordings import name_of
from app.journeys.pages import blueprint
from app.journeys.ready_made.catalogue import BY_KEY, READY_MADE, ReadyMade
from app.journeys.ready_made.installing import PurposeMissingError, add_ready_made
from app.ui import request_scope
from app.ui.languages import current_language


@blueprint.app_template_global("ready_made_journeys")
def journeys() -> tuple[ReadyMade, ...]:
    """The ready-made journeys, for the gallery."""
    return READY_MADE


@blueprint.post("/ready-made/<key>")
@requires("marketer")
def begin_with(key: str) -> Response:
    """Put a ready-made journey in the house and open the builder."""
    wanted, session = BY_KEY.get(key), request_scope.session()
    if wanted is None:
        abort(404)
    try:
        journey_id = add_ready_made(session, key, name=_(wanted.name), actor=current_actor())
    except PurposeMissingError as missing:
        held = session.get(Purpose, (session.organisation_id, missing.purpose))
        purpose = name_of(held, current_language()) if held is not None else missing.purpose
        told = _("Its mails are for “%(name)s”, which your house has put away. Take it up again first.", name=purpose)
        flash(told, "error")
        return redirect(url_for("journeys.new"))
    audit.record(session, current_actor(), "journeys.create", subject=("journey", journey_id), details={"from": key})
    flash(_("The journey and its mails are ready to look over. Nobody enters before you publish it."), "success")
    return redirect(url_for("journeys.build", journey_id=journey_id))
