"""The page on which a house says when it was closed."""

from __future__ import annotations

from datetime import date

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import audit
from app.accounts.access import current_actor, may, requires
from app.segments.api_schemas import ClosedPeriodSchema
from app.segments.closures import add_closed_period, closed_periods, proposed_periods, remove_closed_period
from app.segments.language.windows import ClosedPeriod
from app.segments.pages import Answer, blueprint
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form


@blueprint.get("/closed")
@requires("viewer")
def closures() -> Answer:
    """When the house was closed, and when it looks as if it was."""
    return _page(new_form())


@blueprint.post("/closed")
@requires("marketer")
def add_closure() -> Answer:
    """Add a period."""
    form = read_form(ClosedPeriodSchema(), request.form)
    if form.errors:
        return _page(form), 422
    add_closed_period(request_scope.session(), ClosedPeriod(**form.values))
    return _changed(_("Kept. Segments that do not count these days follow by themselves."))


@blueprint.post("/closed/remove")
@requires("marketer")
def remove_closure() -> Answer:
    """Remove a period."""
    try:
        first = date.fromisoformat(request.form.get("first", ""))
    except ValueError:
        return redirect(url_for("segments.closures"))
    remove_closed_period(request_scope.session(), first)
    return _changed(_("Removed. Segments follow by themselves."))


def _changed(said: str) -> Answer:
    session = request_scope.session()
    kept = len(closed_periods(session))
    audit.record(session, current_actor(), "segments.closures", details={"periods": kept})
    flash(said, "success")
    return redirect(url_for("segments.closures"))


def _page(form: Form) -> str:
    session = request_scope.session()
    return render_template(
        "segments/closures.html",
        form=form,
        periods=list(reversed(closed_periods(session))),
        proposed=proposed_periods(session),
        may_edit=may("marketer"),
    )
