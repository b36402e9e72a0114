"""What the builder's script asks while somebody builds: the preview, checking a person, and values to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from flask import Blueprint, abort, jsonify, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import requires
from app.contacts.search import Search, search_contacts
from app.segments.preview import FIRST_DAY, LAST_DAY, check_person, preview_rule
from app.segments.problems import InvalidRuleError, TooSlowError
from app.segments.suggestions import KINDS, suggest
from app.ui import request_scope
from app.ui.languages import current_language

PURPOSE = "newsletter"
PEOPLE_FOUND = 8

blueprint = Blueprint("segments_live", __name__, url_prefix="/segments", template_folder="templates")


@blueprint.post("/live")
@requires("viewer")
def live() -> AnyResponse:
    """What the rule in the builder holds now: the sentence, the funnel, a few people; or what is not right yet."""
    given = request.get_json(silent=True)
    if not isinstance(given, Mapping):
        abort(400)
    try:
        shown = preview_rule(
            request_scope.session(),
            given.get("rule"),
            at=_date(given.get("at")),
            purpose=str(given.get("purpose") or PURPOSE),
            language=current_language(),
        )
    except InvalidRuleError as error:
        return jsonify({"errors": {problem.path: problem.message.said_in(_) for problem in error.problems}})
    except TooSlowError:
        return jsonify({"html": render_template("segments/_too_slow.html"), "errors": {}})
    return jsonify(
        {"html": render_template("segments/_preview.html", preview=shown), "errors": {}, "count": shown.count}
    )


@blueprint.post("/check")
@requires("viewer")
def check() -> str:
    """Find people by what is typed, or say of one person whether the rule holds and each of its conditions."""
    given = request.get_json(silent=True)
    if not isinstance(given, Mapping):
        abort(400)
    session = request_scope.session()
    contact_id = given.get("contact_id")
    if not isinstance(contact_id, int) or not 0 < contact_id < 2**63:
        asked = str(given.get("q") or "").strip()
        people = search_contacts(session, Search(text=asked), limit=PEOPLE_FOUND).contacts if asked else []
        return render_template("segments/_people.html", people=people, asked=asked)
    try:
        answer = check_person(session, given.get("rule"), contact_id=contact_id, language=current_language())
    except InvalidRuleError:
        return render_template("segments/_check.html", answer=None, is_unfinished=True)
    return render_template("segments/_check.html", answer=answer, is_unfinished=False, contact_id=contact_id)


@blueprint.get("/suggestions/<kind>")
@requires("viewer")
def suggestions(kind: str) -> AnyResponse:
    """Values that are really there, for the pickers."""
    if kind not in KINDS:
        abort(404)
    found = suggest(request_scope.session(), kind, request.args.get("q", "")[:80])
    return jsonify([{"value": one.value, "label": one.label} for one in found])


def _date(value: object) -> date | None:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
    return day if day is None or FIRST_DAY <= day <= LAST_DAY else None
