"""Where a relay hands in mails that came back: ``POST /hooks/mail/{token}``, the mail as it is (RFC 822) as the body.

Store, answer, and do nothing else. An unknown token is 404. ``?recipient=`` says whom the relay took it for. Of a large
body the beginning is kept; the rest is read and let go, so that nobody tries it for ever.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from app.accounts import directory
from app.accounts.access import public
from app.mailings.returns.reading import READ_OCTETS_MAX
from app.mailings.returns.receiving import take_in
from app.ui import request_scope

HOOK_BYTES_MAX = 256 * 1024 * 1024

blueprint = Blueprint("return_hooks", __name__)


@blueprint.post("/hooks/mail/<token>")
@public
def hand_in(token: str) -> tuple[Response, int]:
    """Store what arrived. 202: stored, or known already; 200: there was nothing in it."""
    request.max_content_length = HOOK_BYTES_MAX
    runtime = request_scope.runtime()
    found = directory.find(request_scope.session(), runtime.keyring, "return_hook", token)
    if len(found) != 1:
        abort(404)
    request_scope.enter(found[0].organisation_id)
    raw = request.stream.read(READ_OCTETS_MAX)
    while request.stream.read(READ_OCTETS_MAX):
        pass
    if not raw.strip():
        return Response("nothing in it\n", mimetype="text/plain"), 200
    recipient = request.args.get("recipient")
    take_in(request_scope.session(), runtime.keyring, raw, came_by="hook", recipient=recipient)
    return Response("stored\n", mimetype="text/plain"), 202
