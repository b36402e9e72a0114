"""The pages of journeys: the list, and making, copying, naming and removing one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import audit
from app.accounts.access import current_actor, current_user, requires
from app.journeys import drafts
from app.journeys.figures import Figures, figures_of
from app.journeys.models import Journey
from app.journeys.problems import JourneyInUseError, JourneyMissingError, JourneyNameTakenError
from app.journeys.telling import Wording, branches_of, names_of, tell_start
from app.ui import request_scope
from app.ui.forms import new_form, read_form, shown_again
from app.ui.languages import current_language

Answer = str | AnyResponse | tuple[str, int] | tuple[AnyResponse, int]
Json = dict[str, Any]

blueprint = Blueprint("journeys", __name__, url_prefix="/journeys", template_folder="templates")

# What templates walk a definition with.
blueprint.add_app_template_global(branches_of)
blueprint.add_app_template_global(datetime.fromisoformat, "moment")


class NameForm(Schema):
    """What a journey is called."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=drafts.NAME_MAX))


@blueprint.get("/")
@requires("viewer")
def overview() -> str:
    """Every journey: its state, what starts it, who is inside, and what needs somebody."""
    session = request_scope.session()
    wanted = request.args.get("q", "").strip()
    journeys = [one for one in drafts.list_journeys(session) if wanted.casefold() in one.name.casefold()]
    wording = wording_of_reader()
    names = names_of(session, [one.draft for one in journeys], wording.language)
    figures = figures_of(session, [one.id for one in journeys])
    return render_template(
        "journeys/overview.html",
        journeys=journeys,
        starts={one.id: tell_start(one.draft, wording, names) for one in journeys},
        figures={one.id: figures.get(one.id, Figures()) for one in journeys},
        wanted=wanted,
    )


@blueprint.get("/new")
@requires("marketer")
def new() -> str:
    """Ask for a name, and begin."""
    return render_template("journeys/new.html", form=new_form(name=""))


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Keep an empty journey and open the builder."""
    form = read_form(NameForm(), request.form)
    session = request_scope.session()
    if form.is_valid:
        try:
            journey = drafts.make_journey(session, form.values["name"], created_by=user_id())
        except JourneyNameTakenError:
            form = form.with_error("name", _("There is already a journey with this name."))
    if not form.is_valid:
        return shown_again("journeys/new.html", form=form)
    audit.record(session, current_actor(), "journeys.create", subject=("journey", journey.id))
    return redirect(url_for("journeys.build", journey_id=journey.id))


@blueprint.post("/<int:journey_id>/copy")
@requires("marketer")
def copy(journey_id: int) -> Answer:
    """Make a draft of its own from the draft of this one, and open the builder."""
    session, journey = request_scope.session(), found_journey(journey_id)
    name = drafts.free_name(session, _("Copy of %(name)s", name=journey.name)[: drafts.NAME_MAX])
    made = drafts.copy_journey(session, journey_id, name, created_by=user_id())
    audit.record(session, current_actor(), "journeys.create", subject=("journey", made.id))
    flash(_("“%(name)s” is saved.", name=made.name), "success")
    return redirect(url_for("journeys.build", journey_id=made.id))


@blueprint.post("/<int:journey_id>/rename")
@requires("marketer")
def rename(journey_id: int) -> Answer:
    """Give it another name."""
    session = request_scope.session()
    found_journey(journey_id)
    form = read_form(NameForm(), request.form)
    if not form.is_valid:
        flash(_("Give the journey a name of at most %(most)s characters.", most=drafts.NAME_MAX), "error")
        return redirect(url_for("journeys.build", journey_id=journey_id))
    try:
        drafts.rename_journey(session, journey_id, form.values["name"])
    except JourneyNameTakenError:
        flash(_("There is already a journey with this name."), "error")
    else:
        audit.record(session, current_actor(), "journeys.rename", subject=("journey", journey_id))
        flash(_("The journey has a new name."), "success")
    return redirect(url_for("journeys.build", journey_id=journey_id))


@blueprint.post("/<int:journey_id>/remove")
@requires("marketer")
def remove(journey_id: int) -> Answer:
    """Remove a journey that nobody ever entered."""
    session, journey = request_scope.session(), found_journey(journey_id)
    try:
        drafts.remove_journey(session, journey_id)
    except JourneyInUseError:
        flash(_("People entered “%(name)s”, so it stays. Archive it instead.", name=journey.name), "error")
        return redirect(url_for("journeys.build", journey_id=journey_id))
    audit.record(session, current_actor(), "journeys.remove", subject=("journey", journey_id))
    flash(_("“%(name)s” has been removed.", name=journey.name), "success")
    return redirect(url_for("journeys.overview"))


# --- what pages ask more than once -----------------------------------------------------------------------------------


def found_journey(journey_id: int) -> Journey:
    """The journey, or the page that says there is none."""
    try:
        return drafts.find_journey(request_scope.session(), journey_id)
    except JourneyMissingError:
        abort(404)


def wording_of_reader() -> Wording:
    """Sentences in the language of whoever reads the page."""
    return Wording(gettext=_, ngettext=_plural, language=current_language())


def user_id() -> int | None:
    """The person who is at work, where it is one."""
    user = current_user()
    return user.id if user else None


def _plural(singular: str, plural: str, count: int) -> str:
    return str(ngettext(singular, plural, count))
