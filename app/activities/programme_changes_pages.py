"""The page of what was called off or moved."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from app.accounts import audit
from app.accounts.access import current_actor, may, requires
from app.activities.neighbours import ACTIONS
from app.activities.pages import Answer, blueprint
from app.activities.programme_changes import finish_change, open_changes
from app.ui import request_scope


@blueprint.get("/changes")
@requires("viewer")
def programme_changes() -> Answer:
    """What was called off or moved, and whom it concerns."""
    return render_template(
        "activities/changes.html",
        changes=open_changes(request_scope.session()),
        actions=[action for action in ACTIONS if may(action.role) and action.is_about_who_comes],
        may_edit=may("marketer"),
    )


@blueprint.post("/changes/<int:change_id>/done")
@requires("marketer")
def finish_programme_change(change_id: int) -> Answer:
    """Say that everybody it concerns knows."""
    session = request_scope.session()
    if not finish_change(session, change_id):
        abort(404)
    audit.record(session, current_actor(), "activities.change_done", details={"change": change_id})
    flash(_("Done. It is no longer listed."), "success")
    return redirect(url_for("activities.programme_changes"))
