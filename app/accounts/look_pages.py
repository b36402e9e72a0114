"""The look of a house for the pages of its audience: its colours as a style sheet, and its logo."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template

from app.accounts.access import public
from app.accounts.house_look import look_of, read_house_ref, read_logo
from app.accounts.organisations import current_organisation
from app.ui import request_scope

blueprint = Blueprint("look", __name__, url_prefix="/house", template_folder="templates")

# The address carries the version of the look, so that a copy may be kept for as long as anybody likes.
KEPT = "public, max-age=31536000, immutable"


@blueprint.get("/<ref>/look.css")
@public
def style(ref: str) -> Response:
    """Return the colours of a house as tokens."""
    _enter(ref)
    session = request_scope.session()
    look = look_of(session, current_organisation(session))
    return _kept(Response(render_template("look/look.css", palette=look.palette), mimetype="text/css"))


@blueprint.get("/<ref>/logo")
@public
def logo(ref: str) -> Response:
    """Return the logo of a house, for its pages and its mails."""
    _enter(ref)
    held = read_logo(request_scope.session())
    if held is None:
        abort(404)
    answer = _kept(Response(held.content, mimetype=held.media_type))
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Content-Security-Policy"] = "default-src 'none'"
    return answer


def _enter(ref: str) -> None:
    organisation_id = read_house_ref(request_scope.runtime().keyring, ref)
    if organisation_id is None:
        abort(404)
    request_scope.enter(organisation_id)


def _kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = KEPT
    return answer
