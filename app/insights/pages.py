"""The home page, and the page that makes the first house."""

from __future__ import annotations

from typing import Any

from babel.dates import format_date
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts import access, audit
from app.accounts.access import public, requires
from app.accounts.organisations import COUNTRIES, TIME_ZONES, UnknownTimeZone
from app.accounts.schemas import WelcomeSchema
from app.accounts.settings_pages import COUNTRY_NAMES
from app.accounts.users import PASSWORD_LENGTH_MIN
from app.activities.programme_changes import count_open_changes
from app.insights.founding import found_first_house, may_welcome
from app.insights.overview import FirstSteps, figures, first_steps, health
from app.mailings.attention import count_uncertain, what_is_wrong
from app.mailings.effect.keeping import last_measured
from app.mailings.returns.attention import what_came_back
from app.mailings.returns.words import ALARMS
from app.ui import request_scope
from app.ui.forms import new_form, read_form, shown_again
from app.ui.interface import has_page
from app.ui.languages import LANGUAGE_NAMES, current_language

blueprint = Blueprint("insights", __name__, template_folder="templates")

Answer = str | tuple[str, int] | Response


@blueprint.get("/")
@requires("viewer")
def home() -> Answer:
    """Show how the house is doing, and what to do next."""
    session = request_scope.session()
    done = first_steps(session)
    wrong = what_is_wrong(session, request_scope.runtime())
    return render_template(
        "insights/home.html",
        done=done,
        steps=_steps(done),
        health=health(session),
        mail_trouble=_(wrong) if wrong else "",
        programme_changes=count_open_changes(session),
        uncertain_mails=count_uncertain(session),
        last_mailing=last_measured(session),
        came_back=what_came_back(session, at=clock.now()),
        alarm_words={about: _(words) for about, words in ALARMS.items()},
    )


@blueprint.get("/figures")
@requires("viewer")
def key_figures() -> Answer:
    """Return the figures of the home page, which it asks for by itself: counting a large house takes a moment."""
    counted = figures(request_scope.session())
    labels = [format_date(month, "MMM y", locale=get_locale()) for month, _count in counted.months]
    return render_template("insights/figures.html", figures=counted, labels=labels)


@blueprint.get("/welcome/<token>")
@public
def welcome(token: str) -> Answer:
    """Ask who makes the first house."""
    _check_welcome(token)
    return render_template("insights/welcome.html", form=new_form(**_guesses()), **_choices())


@blueprint.post("/welcome/<token>")
@public
def make_house(token: str) -> Answer:
    """Make the first house and let its administrator in. The link works no more."""
    _check_welcome(token)
    form = read_form(WelcomeSchema(), request.form)
    if not form.is_valid:
        return shown_again("insights/welcome.html", form=form, **_choices())
    wanted = form.values
    try:
        user = found_first_house(
            request_scope.session(),
            request_scope.runtime().keyring,
            token,
            name=wanted["organisation"],
            country=wanted["country"],
            time_zone=wanted["time_zone"],
            language=wanted["language"],
            administrator={name: wanted[name] for name in ("name", "email", "password")},
        )
    except UnknownTimeZone:
        form = form.with_error("time_zone", _("We do not know this time zone. Choose one from the list."))
        return shown_again("insights/welcome.html", form=form, **_choices())
    if user is None:
        abort(410)
    request_scope.enter(user.organisation_id)
    audit.record(request_scope.session(), audit.Actor("user", user.id), "accounts.founded")
    access.sign_in(user)
    flash(_("Your house is open. Welcome, %(name)s.", name=user.name), "success")
    return redirect(url_for("insights.home"))


def _check_welcome(token: str) -> None:
    if not may_welcome(request_scope.session(), request_scope.runtime().keyring, token):
        abort(410)


def _guesses() -> dict[str, str]:
    return {"country": "BE", "time_zone": "Europe/Brussels", "language": current_language()}


def _choices() -> dict[str, Any]:
    return {
        "countries": [(code, COUNTRY_NAMES[code]) for code in COUNTRIES],
        "time_zones": [(zone, zone.replace("_", " ")) for zone in TIME_ZONES],
        "languages": list(LANGUAGE_NAMES.items()),
        "password_length_min": PASSWORD_LENGTH_MIN,
    }


def _steps(done: FirstSteps) -> list[dict[str, Any]]:
    """Return the checklist of a new house, without what this person may not do or what does not exist here."""
    wanted = (
        (True, _("Make the house"), "", "", "", ""),
        (
            done.has_address,
            _("Say where the house is"),
            _("The law asks for your postal address under every mail."),
            _("Fill in"),
            "settings.house",
            "admin",
        ),
        (
            done.has_colleagues,
            _("Invite a colleague"),
            _("Four eyes see more. Everybody gets a role of their own."),
            _("Invite"),
            "settings.who",
            "admin",
        ),
        (
            done.has_contacts,
            _("Bring in your contacts"),
            _("Import a file from your box office, or connect it."),
            _("Import"),
            "imports.overview",
            "marketer",
        ),
        (
            done.has_segment,
            _("Make a first segment"),
            _("Start from a recipe, such as people who have not come for two seasons."),
            _("Make a segment"),
            "segments.overview",
            "marketer",
        ),
        (
            done.has_audience,
            _("Fill a first audience"),
            _("Keep a segment in step with a list in your mail system."),
            _("Make an audience"),
            "audiences.overview",
            "marketer",
        ),
    )
    return [
        {
            "is_done": is_done,
            "title": title,
            "text": text,
            "action": action,
            "url": url_for(endpoint) if endpoint and has_page(endpoint) and access.may(role) else "",
        }
        for is_done, title, text, action, endpoint, role in wanted
    ]
