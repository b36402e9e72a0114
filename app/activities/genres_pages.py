"""The page on which a house says which term of the shared vocabulary each of its genres is."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import audit
from app.accounts.access import current_actor, may, requires
from app.activities.genres import UnknownTermError, list_genres, set_terms
from app.activities.pages import Answer, blueprint
from app.activities.vocabulary import TERMS
from app.ui import request_scope
from app.ui.languages import current_language

GENRES_MAX = 500
# What the page sends for a word that goes by what it plainly is.
BY_ITSELF = "-"


@blueprint.get("/genres")
@requires("viewer")
def genres() -> Answer:
    """The genres of the house, each with its term."""
    session, language = request_scope.session(), current_language()
    found = list_genres(session)
    return render_template(
        "activities/genres.html",
        genres=found[:GENRES_MAX],
        is_cut=len(found) > GENRES_MAX,
        unnamed=sum(each.term is None and not each.is_said for each in found),
        choices=sorted(((term.domain, term.value, term.name(language)) for term in TERMS), key=lambda one: one[2]),
        language=language,
        may_edit=may("marketer"),
    )


@blueprint.post("/genres")
@requires("marketer")
def set_genres() -> Answer:
    """Keep what somebody said of each genre."""
    session = request_scope.session()
    words, values = request.form.getlist("word"), request.form.getlist("term")
    told = {word: None if value == BY_ITSELF else value for word, value in zip(words, values, strict=False)}
    try:
        set_terms(session, told)
    except UnknownTermError:
        flash(_("The list of genres changed meanwhile. Choose again."), "error")
        return redirect(url_for("activities.genres"))
    audit.record(session, current_actor(), "activities.genres", details={"genres": len(told)})
    flash(_("Kept. Segments that ask for these genres follow by themselves."), "success")
    return redirect(url_for("activities.genres"))
