"""What the builder's script asks while somebody builds: the preview, the counts, checking a person, and suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from flask import Blueprint, abort, jsonify, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import current_user, requires
from app.contacts.search import Search, search_contacts
from app.segments.building.absences import absences_in
from app.segments.building.checking import check_person
from app.segments.building.cost import Cost, estimate_cost
from app.segments.building.counts import count_conditions
from app.segments.building.preview import FIRST_DAY, LAST_DAY, preview_rule
from app.segments.building.recipes import BY_KEY
from app.segments.building.suggestions import KINDS, suggest
from app.segments.building.superseding import superseding
from app.segments.definitions import read_rule
from app.segments.problems import InvalidRuleError, Problem, TooSlowError
from app.ui import request_scope
from app.ui.languages import current_language
from app.ui.row_ids import ROW_ID_MAX

PURPOSE = "newsletter"
PEOPLE_FOUND = 8
TOKEN_MAX = 60
MINUTE_S = 60

Answer = AnyResponse | tuple[AnyResponse, int]

blueprint = Blueprint("segments_live", __name__, url_prefix="/segments")


@blueprint.post("/live")
@requires("viewer")
def live() -> AnyResponse:
    """What the rule in the builder holds now: the sentence, the funnel, a few people; or what is not right yet.

    A newer question of the same builder (``asked_by``) cancels the one before at the server.
    """
    given, session = _given(), request_scope.session()
    day = _date(given.get("at"))
    try:
        rule = read_rule(session, given.get("rule"), own_id=_row_id(given.get("segment")))
        notes, cost = absences_in(session, rule), estimate_cost(session, rule, at=day)
    except InvalidRuleError as error:
        return jsonify({"errors": _said(error.problems)})
    told = {"errors": {}, "notes": _said([*notes, *cost.slow]), "slow": _duration(cost)}
    try:
        with superseding(session, _asked_by(given, "live")):
            shown = preview_rule(
                session,
                given.get("rule"),
                at=day,
                purpose=str(given.get("purpose") or PURPOSE),
                language=current_language(),
            )
    except TooSlowError:
        return jsonify({"html": render_template("segments/_too_slow.html"), **told})
    html = render_template("segments/_preview.html", preview=shown)
    return jsonify({"html": html, "count": shown.count, **told})


@blueprint.post("/live/counts")
@requires("viewer")
def counts() -> AnyResponse:
    """How many people each condition holds for by itself, and how many are left after each step."""
    given, session = _given(), request_scope.session()
    try:
        with superseding(session, _asked_by(given, "counts")):
            counted = count_conditions(session, given.get("rule"), at=_date(given.get("at")))
    except InvalidRuleError:
        return jsonify({"steps": {}})
    except TooSlowError:
        told = _("Counting each condition by itself takes too long for this rule. The number above is exact.")
        return jsonify({"steps": {}, "told": told})
    steps = {one.path: {"alone": one.alone, "left": one.left} for one in counted.steps}
    return jsonify({"of": counted.of, "steps": steps})


@blueprint.post("/recipes/<key>/count")
@requires("viewer")
def recipe_count(key: str) -> Answer:
    """How many people a ready-made segment holds now, with the numbers as they are typed."""
    recipe = BY_KEY.get(key) or abort(404)
    session = request_scope.session()
    rule, problems = recipe.rule(request.form)
    if problems:
        return jsonify({"problems": {name: message.said_in(_) for name, message in problems.items()}})
    try:
        with superseding(session, _asked_by(request.form, "recipe")):
            shown = preview_rule(session, rule, language=current_language())
    except TooSlowError:
        return jsonify({"told": _("Counting takes longer than usual. Use it all the same; the count follows.")})
    return jsonify({"count": shown.count, "of": shown.of, "told": shown.told})


@blueprint.post("/check")
@requires("viewer")
def check() -> str:
    """Find people by what is typed, or say of one person whether the rule holds and each of its conditions."""
    given, session = _given(), request_scope.session()
    contact_id = _row_id(given.get("contact_id"))
    if contact_id is None:
        asked = str(given.get("q") or "").strip()
        people = search_contacts(session, Search(text=asked), limit=PEOPLE_FOUND).contacts if asked else []
        return render_template("segments/_people.html", people=people, asked=asked)
    try:
        answer = check_person(session, given.get("rule"), contact_id=contact_id, language=current_language())
    except InvalidRuleError:
        return render_template("segments/_check.html", answer=None, is_unfinished=True)
    except TooSlowError:
        return render_template("segments/_too_slow.html")
    return render_template("segments/_check.html", answer=answer, is_unfinished=False)


@blueprint.get("/suggestions/<kind>")
@requires("viewer")
def suggestions(kind: str) -> AnyResponse:
    """Values that are really there, for the pickers."""
    if kind not in KINDS:
        abort(404)
    found = suggest(request_scope.session(), kind, request.args.get("q", "")[:80], language=current_language())
    return jsonify([{"value": one.value, "label": one.label, "about": one.about} for one in found])


def _given() -> Mapping[str, Any]:
    given = request.get_json(silent=True)
    if not isinstance(given, Mapping):
        abort(400)
    return given


def _asked_by(given: Mapping[str, Any], what: str) -> str:
    """One open builder of one person; nothing for a caller that does not name itself."""
    token, user = str(given.get("asked_by") or "")[:TOKEN_MAX], current_user()
    return f"{user.id} {what} {token}" if token and user else ""


def _said(problems: Iterable[Problem]) -> dict[str, str]:
    said: dict[str, str] = {}
    for problem in problems:
        sentence = problem.message.said_in(_)
        said[problem.path] = f"{said[problem.path]} {sentence}" if problem.path in said else sentence
    return said


def _duration(cost: Cost) -> str:
    """How long a slow rule takes, as roughly as we know it; nothing for one that is quick enough."""
    if not cost.is_slow:
        return ""
    if cost.seconds < MINUTE_S:
        return str(_("This rule takes about %(seconds)s seconds to count.", seconds=max(round(cost.seconds), 1)))
    return str(_("This rule takes about %(minutes)s minutes to count.", minutes=round(cost.seconds / MINUTE_S)))


def _row_id(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and isinstance(value, int) and 0 < value <= ROW_ID_MAX else None


def _date(value: object) -> date | None:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
    return day if day is None or FIRST_DAY <= day <= LAST_DAY else None
