"""REST: addresses never to be contacted. What a person allows is under app/contacts, which knows who is who."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_smorest import Blueprint

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, scope
from app.consent.models import Suppression
from app.consent.schemas import (
    NewSuppressionSchema,
    SuppressionPageSchema,
    SuppressionQuerySchema,
    SuppressionSchema,
)
from app.consent.subjects import email_subject
from app.consent.suppressions import list_suppressions, suppress_subjects, suppressed
from app.ui import request_scope
from app.ui.refusals import refuse

blueprint = Blueprint("suppressions_api", __name__, description="Addresses never to be contacted for marketing.")


@blueprint.get("/suppressions")
@blueprint.arguments(SuppressionQuerySchema, location="query")
@blueprint.response(200, SuppressionPageSchema)
@scope("consents:read")
def list_(query: dict[str, Any]) -> dict[str, Any]:
    """List suppressions, newest first, or look one address up."""
    session = request_scope.session()
    if "email" in query:
        key = _subject(query["email"])
        return {"items": list(suppressed(session, [key], channel=query["channel"]).values()), "next": None}
    limit = query["limit"]
    rows = list_suppressions(session, after=_position(query.get("cursor")), limit=limit + 1)
    return {"items": rows[:limit], "next": _cursor(rows[limit - 1]) if len(rows) > limit else None}


@blueprint.post("/suppressions")
@blueprint.arguments(NewSuppressionSchema)
@blueprint.response(201, SuppressionSchema)
@scope("consents:write")
def create(body: dict[str, Any]) -> Suppression:
    """Suppress an address. Effective before the answer; the first reason and date stay. It cannot be undone here."""
    session = request_scope.session()
    key = _subject(body["email"])
    is_new = suppress_subjects(
        session, [key], channel=body["channel"], reason=body["reason"], source="api", at=clock.now()
    )
    if is_new:
        audit.record(session, current_actor(), "consent.suppressed", details={"channel": body["channel"]})
    return suppressed(session, [key], channel=body["channel"])[key]


def _subject(address: str) -> bytes:
    key = email_subject(request_scope.session(), request_scope.runtime().keyring, address)
    if key is None:
        refuse("email", _("This is not a valid e-mail address. Example: name@example.org."))
    return key


def _cursor(row: Suppression) -> str:
    written = f"{row.since.isoformat()} {bytes(row.address_hash).hex()}"
    return base64.urlsafe_b64encode(written.encode()).decode()


def _position(cursor: str | None) -> tuple[datetime, bytes] | None:
    if cursor is None:
        return None
    try:
        since, _space, address_hash = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return datetime.fromisoformat(since), bytes.fromhex(address_hash)
    except (ValueError, binascii.Error):
        refuse("cursor", _("Use the value of “next” from the page before."))
