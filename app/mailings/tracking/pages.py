"""Where followed links and pixels point: ``/t/c/…`` leads on, ``/t/o/…`` is an invisible image.

No log-in, no cookie. A link leads to the address that was frozen with its mailing and to nowhere else; whatever goes
wrong with counting, the person gets where they wanted to go. HEAD stores nothing: no person sends it.
"""

from __future__ import annotations

import base64

import structlog
from flask import Blueprint, make_response, redirect, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import public
from app.consent.public_pages import keep_calm, shown, speak_to, unknown_link
from app.mailings.tracking.hits import Request, record_click, record_open, where_to
from app.mailings.tracking.tokens import Followed, Kind, read_token
from app.ui import request_scope

log = structlog.get_logger()

blueprint = Blueprint("tracking", __name__, template_folder="templates")
keep_calm(blueprint)

Answer = str | tuple[str, int] | Response

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@blueprint.get("/t/c/<token>")
@public
def follow(token: str) -> Answer:
    """Lead on to where the link of a mail goes, counting it where the person agrees."""
    followed = read_token(request_scope.runtime().keyring, "click", token)
    if followed is None:
        return unknown_link()
    request_scope.enter(followed.organisation_id)
    url = where_to(request_scope.session(), followed)
    if url is None:
        speak_to(None)
        return shown("tracking/gone.html"), 404
    _count("click", followed)
    answer = redirect(url, 302)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


@blueprint.get("/t/o/<token>")
@public
def pixel(token: str) -> Answer:
    """Answer an invisible image, always the same one, counting it where the person agrees."""
    followed = read_token(request_scope.runtime().keyring, "open", token)
    if followed is None:
        return unknown_link()
    request_scope.enter(followed.organisation_id)
    _count("open", followed)
    answer = make_response(PIXEL)
    answer.mimetype = "image/gif"
    answer.headers["Cache-Control"] = "no-store"
    # Webmail shows the image from a page of its own.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _count(kind: Kind, followed: Followed) -> None:
    if request.method != "GET":
        return
    session, now = request_scope.session(), clock.now()
    record = record_click if kind == "click" else record_open
    try:
        with session.begin_nested():
            record(session, followed, Request(dict(request.headers), now))
    except SQLAlchemyError as problem:
        log.warning("hit not counted", kind=kind, error=type(problem).__name__)
