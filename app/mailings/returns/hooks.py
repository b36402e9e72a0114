"""Where a relay hands in what came back: ``POST /hooks/mail/{token}``, a mail as it is (RFC 822) or events (JSON).

Store, answer, and do nothing else. An unknown token is 404. ``?recipient=`` says whom the relay took a mail for. Of a
large mail the beginning is kept; the rest is read and let go, so that nobody tries it for ever.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from app.accounts import directory
from app.accounts.access import public
from app.mailings.returns.mailbox_settings import hook_key
from app.mailings.returns.reading import READ_OCTETS_MAX
from app.mailings.returns.receiving import take_in
from app.mailings.returns.relay_events import NotEvents, NotSigned, Posted, reports_of
from app.ui import request_scope

HOOK_BYTES_MAX = 256 * 1024 * 1024
EVENTS_BYTES_MAX = 8 * 1024 * 1024
EVENT_TYPES = ("application/json", "application/x-www-form-urlencoded")

blueprint = Blueprint("return_hooks", __name__)


@blueprint.get("/hooks/mail/<token>")
@public
def look(token: str) -> tuple[Response, int]:
    """Say that the address is there, to relays that ask before they post; changes nothing."""
    _enter(token)
    return _said("ready", 200)


@blueprint.post("/hooks/mail/<token>")
@public
def hand_in(token: str) -> tuple[Response, int]:
    """Store what arrived. 202: stored, or known already; 200: nothing that we keep; 401: not signed; 400: unknown."""
    _enter(token)
    if request.mimetype in EVENT_TYPES:
        return _take_events()
    request.max_content_length = HOOK_BYTES_MAX
    raw = request.stream.read(READ_OCTETS_MAX)
    while request.stream.read(READ_OCTETS_MAX):
        pass
    if not raw.strip():
        return _said("nothing in it", 200)
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    take_in(session, keyring, raw, came_by="hook", recipient=request.args.get("recipient"))
    return _said("stored", 202)


def _take_events() -> tuple[Response, int]:
    request.max_content_length = request.max_form_memory_size = EVENTS_BYTES_MAX
    session, runtime = request_scope.session(), request_scope.runtime()
    body = request.get_data(cache=True)
    url = runtime.settings.base_url + request.full_path.rstrip("?")
    try:
        posted = Posted(url, body, request.form.to_dict(), dict(request.headers))
        reports = reports_of(posted, key=hook_key(session, runtime.keyring))
    except NotSigned:
        return _said("not signed with the key of this house", 401)
    except NotEvents:
        return _said("no events that are known here", 400)
    for report in reports:
        take_in(session, runtime.keyring, report, came_by="event")
    return _said(f"{len(reports)} stored", 202 if reports else 200)


def _enter(token: str) -> None:
    runtime = request_scope.runtime()
    found = directory.find(request_scope.session(), runtime.keyring, "return_hook", token)
    if len(found) != 1:
        abort(404)
    request_scope.enter(found[0].organisation_id)


def _said(text: str, status: int) -> tuple[Response, int]:
    return Response(f"{text}\n", mimetype="text/plain"), status
