"""What anybody may open: the pictures in mails, and a mail in the browser. No cookie, no tracking."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from app.accounts.access import public
from app.mailings.composing.images import find_image, house_of
from app.mailings.composing.links import ANSWER, QUESTION
from app.mailings.composing.viewing import read_view_token, viewed
from app.ui import request_scope

blueprint = Blueprint("mails_in_browser", __name__, template_folder="../templates")

KEPT = "public, max-age=31536000, immutable"


@blueprint.get("/i/<name>")
@public
def image(name: str) -> Response:
    """Return a picture; its name never comes to mean another."""
    organisation_id = house_of(name)
    if organisation_id is None:
        abort(404)
    request_scope.enter(organisation_id)
    held = find_image(request_scope.session(), name)
    if held is None:
        abort(404)
    answer = Response(held.content, mimetype=held.media_type)
    answer.headers["Cache-Control"] = KEPT
    # Webmail shows it on a page of its own.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Content-Security-Policy"] = "default-src 'none'"
    return answer


@blueprint.get("/v/<token>")
@public
def mail(token: str) -> Answer:
    """Show a mail as somebody got it; whoever pressed an answer in it is taken to the page that asks."""
    runtime = request_scope.runtime()
    found = read_view_token(runtime.keyring, token)
    if found is None:
        abort(404)
    if QUESTION in request.args:
        asked, pressed = request.args[QUESTION], request.args.get(ANSWER)
        return redirect(url_for("surveys.ask", token=token, question=asked, answer=pressed))
    organisation_id, delivery_id = found
    request_scope.enter(organisation_id)
    content = viewed(request_scope.session(), runtime, delivery_id)
    if content is None:
        return Response(render_template("mailings/no_mail.html"), status=410, mimetype="text/html")
    return mail_answer(content.html)


def mail_answer(html: str, *, framed_by: str = "'none'") -> Response:
    """Return the HTML of a mail as a page that runs nothing and loads nothing but our own pictures."""
    base_url = request_scope.runtime().settings.base_url
    answer = Response(html, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' {base_url}; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {framed_by}"
    )
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
