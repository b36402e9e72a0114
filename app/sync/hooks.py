"""Where other systems knock: ``/hooks/{system}/{token}``. Store, answer, and do nothing else.

The token is looked up by its keyed hash, so that neither the time it takes nor the database tells anything about it.
An unknown token is 404. A body is bounded; whatever it says is stored as it is, and 202 is answered at once.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from app.accounts import directory
from app.accounts.access import public
from app.sync.connections import UnknownConnection, get_connection
from app.sync.inbox import receive
from app.sync.models import Connection
from app.ui import request_scope

HOOK_BYTES_MAX = 1024 * 1024

blueprint = Blueprint("hooks", __name__)


@blueprint.get("/hooks/<system>/<token>")
@public
def probe(system: str, token: str) -> Response:
    """Tell a system that looks whether anybody lives here (MailChimp does before it sends) that somebody does."""
    _connection(system, token)
    return Response("ok\n", mimetype="text/plain")


@blueprint.post("/hooks/<system>/<token>")
@public
def take_in(system: str, token: str) -> tuple[Response, int]:
    """Store what arrived. 202: stored, or known already; 200: there was nothing in it."""
    request.max_content_length = HOOK_BYTES_MAX
    connection = _connection(system, token)
    body = request.get_data(cache=False)
    if not body:
        return Response("ok\n", mimetype="text/plain"), 200
    receive(request_scope.session(), connection, headers=dict(request.headers), body=body)
    return Response("stored\n", mimetype="text/plain"), 202


def _connection(system: str, token: str) -> Connection:
    found = directory.find(request_scope.session(), request_scope.runtime().keyring, "connection", token)
    if len(found) != 1:
        abort(404)
    request_scope.enter(found[0].organisation_id)
    try:
        connection = get_connection(request_scope.session(), found[0].target_id)
    except UnknownConnection:
        abort(404)
    if connection.system != system:
        abort(404)
    return connection
