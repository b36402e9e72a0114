"""What somebody gets when something is wrong: a calm page, a fragment, or problem+json (RFC 9457).

Paths under /api get problem+json with ``errors`` by field; htmx gets a message to show beside the page it stays on;
everybody else gets a page that says what happened and what to do. Never a stack trace.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, Response, current_app, json, make_response, render_template, request
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as AnyResponse

from app.ui.forms import translated_errors

log = structlog.get_logger(__name__)

PLACES_LOGGED = 8

# Where the audience comes: pages that set no cookie, not even when something is wrong.
AUDIENCE_PATHS = ("/u/", "/p/", "/c/", "/a/", "/f/", "/house/", "/i/", "/v/")


@dataclass(frozen=True, slots=True)
class Wording:
    """What a page says about an error."""

    title: LazyString
    advice: LazyString


WORDINGS = {
    400: Wording(
        _l("We could not read that"),
        _l("Something in the request was incomplete. Go back, check what you filled in and send it again."),
    ),
    401: Wording(_l("Please log in"), _l("You need to log in to see this page.")),
    403: Wording(
        _l("This is not open to you"),
        _l("Your role does not include this. An administrator of your organisation can change that under Settings."),
    ),
    404: Wording(
        _l("This page does not exist"),
        _l("The address may be mistyped, or what was here has been removed. Start again from the home page."),
    ),
    405: Wording(_l("That is not possible here"), _l("Go back and try again from the page you came from.")),
    409: Wording(
        _l("Somebody was ahead of you"),
        _l("What you wanted to change has changed in the meantime. Load the page again and look at it first."),
    ),
    410: Wording(
        _l("This link has been used or has run out"),
        _l("Links like this one work once and for a limited time. Ask an administrator for a new one."),
    ),
    413: Wording(
        _l("That file is too large"),
        _l("Split it into smaller files, or take out columns you do not need, and send it again."),
    ),
    422: Wording(_l("Something is not right yet"), _l("Go back, mend the fields that are marked and send it again.")),
    429: Wording(
        _l("A little too fast"),
        _l("You tried this too often in a short time. Wait a moment and try again."),
    ),
    500: Wording(
        _l("Something went wrong on our side"),
        _l("It has been noted, and nothing was half-saved. Try again; if it comes back, tell your administrator."),
    ),
    503: Wording(
        _l("Back in a moment"),
        _l("The service is starting or being updated. Try again in a minute."),
    ),
}
FORM_EXPIRED = Wording(
    _l("This form has been open too long"),
    _l("For your safety a form works for a limited time. Load the page again and send it once more."),
)


def install(app: Flask) -> None:
    """Take over every error of an application. Call it after extensions that register handlers of their own."""
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_unexpected(error: Exception) -> AnyResponse:
    """Log an exception nobody caught, by its type and places only (its text may hold personal data), and answer 500.

    In tests it is raised instead, so that they see what it was.
    """
    if current_app.testing:
        raise error
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("request failed", error=type(error).__name__, places=places[-PLACES_LOGGED:], endpoint=request.endpoint)
    return answer_http_error(InternalServerError())


def answer_http_error(error: HTTPException) -> AnyResponse:
    """Turn an HTTP error into the answer that suits who asked."""
    status = error.code or 500
    if status < 400:
        return error.get_response()
    if request.path.startswith("/api/") or request.path == "/api":
        response = _problem(error, status)
    elif request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers:
        response = _fragment(error, status)
    else:
        response = _page(error, status)
    _keep_headers(error, response)
    return response


def problem(status: int, title: str, *, detail: str = "", errors: Mapping[str, list[str]] | None = None) -> Response:
    """Return a problem+json answer (RFC 9457); ``errors`` maps a field to its sentences."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = dict(errors)
    return Response(json.dumps(body) + "\n", status=status, mimetype="application/problem+json")


def _problem(error: HTTPException, status: int) -> Response:
    data = getattr(error, "data", None) or {}
    messages = data.get("errors") or data.get("messages") or {}
    # flask-smorest and webargs put the place of a field (json, query, …) around its name.
    if isinstance(messages, Mapping) and messages.keys() <= {"json", "query", "form", "files", "path", "headers"}:
        messages = {name: inner for place in messages.values() for name, inner in _as_mapping(place).items()}
    wording = _wording(error, status)
    detail = str(data.get("message") or wording.advice)
    return problem(status, str(wording.title), detail=detail, errors=translated_errors(messages) if messages else None)


def _as_mapping(messages: Any) -> Mapping[str, Any]:
    return messages if isinstance(messages, Mapping) else {"_schema": messages}


def _page(error: HTTPException, status: int) -> Response:
    wording = _wording(error, status)
    try:
        template = "ui/error_for_audience.html" if request.path.startswith(AUDIENCE_PATHS) else "ui/error.html"
        return make_response(render_template(template, status=status, wording=wording), status)
    except Exception as failure:
        log.error("error page failed", error=type(failure).__name__)
        return Response(f"{wording.title}\n\n{wording.advice}\n", status=status, mimetype="text/plain")


def _fragment(error: HTTPException, status: int) -> Response:
    response = make_response(render_template("ui/error_toast.html", wording=_wording(error, status)), status)
    if status == 401:
        # The session has ended: loading the page again leads to the log-in and back.
        response.headers["HX-Refresh"] = "true"
    response.headers["HX-Retarget"] = "#toasts"
    response.headers["HX-Reswap"] = "beforeend"
    return response


def _wording(error: HTTPException, status: int) -> Wording:
    if isinstance(error, CSRFError):
        return FORM_EXPIRED
    if status == 413 and request.max_content_length:
        most = request.max_content_length // (1024 * 1024)
        advice = _l("At most %(size)s MB at a time. Split it, or take out columns you do not need.", size=most)
        return Wording(WORDINGS[413].title, advice)
    return WORDINGS.get(status) or WORDINGS[400 if status < 500 else 500]


def _keep_headers(error: HTTPException, response: AnyResponse) -> None:
    """Carry Allow, Retry-After and WWW-Authenticate over from the error."""
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "www-authenticate"}:
            response.headers[name] = value
