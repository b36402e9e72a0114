"""The pages of the clearing house: what is on its way, one of them travelling, and what each list is for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import current_actor, may, requires
from app.accounts.audit import record
from app.accounts.organisations import current_organisation
from app.audiences.clearing import outcomes
from app.audiences.clearing.errands import ask_again
from app.audiences.clearing.lists import known_lists, say_what_for
from app.audiences.clearing.standing import purposes_of_lists
from app.audiences.clearing.travelling import FILTERS, PAGE, TARGET, figures, find_travel, list_travels
from app.audiences.definitions import purposes_to_write_for
from app.audiences.problems import InvalidAudience
from app.consent.wordings import name_of
from app.contacts.directory import find_contact
from app.sync.connections import list_connections
from app.ui import request_scope
from app.ui.languages import current_language
from app.ui.row_ids import row_id

blueprint = Blueprint("clearing", __name__, url_prefix="/opt-outs", template_folder="../templates")

Answer = str | tuple[str, int] | Response


@blueprint.get("")
@requires("viewer")
def overview() -> Answer:
    """Show what is on its way, what arrived, and how long it takes."""
    session = request_scope.session()
    chosen = request.args.get("only", "all")
    only = chosen if chosen in FILTERS else "all"
    found = list_travels(session, only=only, before_id=request.args.get("before", type=row_id))
    return render_template(
        "clearing/overview.html",
        travels=found[:PAGE],
        is_more=len(found) > PAGE,
        only=only,
        before=request.args.get("before", ""),
        figures=figures(session, month_began_at=_month_began_at()),
        has_systems=any(one.kind == "destination" or one.takes_opt_outs for one in list_connections(session)),
        **_words(),
    )


@blueprint.get("/of/<int:contact_id>")
@requires("viewer")
def of_contact(contact_id: int) -> Answer:
    """Show what is, or was, on its way for one person."""
    session = request_scope.session()
    if find_contact(session, contact_id) is None:
        abort(404)
    before = request.args.get("before", type=row_id)
    found = list_travels(session, contact_id=contact_id, before_id=before)
    return render_template(
        "clearing/of_contact.html",
        travels=found[:PAGE],
        is_more=len(found) > PAGE,
        before=request.args.get("before", ""),
        contact_id=contact_id,
        **_words(),
    )


@blueprint.get("/<int:clearing_id>")
@requires("viewer")
def show(clearing_id: int) -> Answer:
    """Show one travelling: where it was said, and when it arrived where."""
    travel = find_travel(request_scope.session(), clearing_id)
    if travel is None:
        abort(404)
    return render_template("clearing/show.html", travel=travel, may_retry=may("marketer"), **_words())


@blueprint.post("/<int:clearing_id>/retry/<int:connection_id>")
@requires("marketer")
def retry(clearing_id: int, connection_id: int) -> Answer:
    """Try again at once."""
    session = request_scope.session()
    if find_travel(session, clearing_id) is None:
        abort(404)
    if ask_again(session, clearing_id, connection_id):
        details = {"connection_id": connection_id}
        record(session, current_actor(), "clearing.retry", subject=("clearing", clearing_id), details=details)
        flash(_("It is tried again within a few seconds."), "success")
    else:
        flash(_("There is nothing left to try: look at how it ended."), "warning")
    return redirect(url_for("clearing.show", clearing_id=clearing_id))


@blueprint.get("/lists")
@requires("viewer")
def lists() -> Answer:
    """Show every list of the mail systems, and what it is for."""
    session = request_scope.session()
    systems = [one for one in list_connections(session) if one.kind == "destination"]
    found = known_lists(session)
    return render_template(
        "clearing/lists.html",
        systems=systems,
        lists={one.id: [known for known in found if known.connection_id == one.id] for one in systems},
        served={one.id: purposes_of_lists(session, one.id) for one in systems},
        purposes=[(one.code, name_of(one, current_language())) for one in purposes_to_write_for(session)],
        may_change=may("marketer"),
    )


@blueprint.post("/lists/<int:connection_id>")
@requires("marketer")
def label(connection_id: int) -> Answer:
    """Say what a list is for."""
    list_ref, purposes = request.form.get("list_ref", ""), request.form.getlist("purposes")
    try:
        say_what_for(request_scope.session(), connection_id, list_ref, purposes, actor=current_actor())
    except InvalidAudience:
        flash(_("That list is not there any more, or the purpose is not. Nothing was changed."), "warning")
    else:
        flash(_("Noted. From now on opt-outs for this go to that list, and come from it."), "success")
    return redirect(url_for("clearing.lists"))


def _month_began_at() -> Any:
    zone = ZoneInfo(current_organisation(request_scope.session()).time_zone)
    today = clock.now().astimezone(zone)
    return today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def took(duration: timedelta | float | None) -> str:
    """Return how long something took, in words; a dash where nobody knows."""
    if duration is None:
        return "–"
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    return format_timedelta(timedelta(seconds=max(1, round(seconds))), threshold=1.5, locale=get_locale())


def _words() -> dict[str, Any]:
    purposes = purposes_to_write_for(request_scope.session())
    return {
        "words": outcomes,
        "took": took,
        "now": clock.now(),
        "target_s": TARGET.total_seconds(),
        "purpose_names": {one.code: name_of(one, current_language()) for one in purposes},
    }
