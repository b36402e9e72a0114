"""A mail in the browser: the link that stands in it, and what it shows, years later, without tracking.

The link holds the number of the delivery, signed, and no address. Whoever was erased since left a mail to nobody: the
same words, with fallbacks where their own stood.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence

from sqlalchemy import select

from app import clock
from app.consent.tokens import Claims, make_token
from app.contacts.models import Contact
from app.db import ScopedSession
from app.keyring import Keyring, KeyringError
from app.mailings.composing.content import language_for
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.fields import Row, read_fields
from app.mailings.composing.problems import BracesError
from app.mailings.composing.rendering import template_of
from app.mailings.mailings import is_marketing
from app.mailings.mime import Content
from app.mailings.models import Delivery, MailingVersion
from app.mailings.skeleton import filled
from app.runtime import Runtime

_HEAD = struct.Struct(">BHIQ")
VERSION, SIGNATURE_BYTES = 1, 16


def view_url(keyring: Keyring, *, base_url: str, organisation_id: int, delivery_id: int) -> str:
    """Return the link "view in your browser" of one delivery."""
    key_id = keyring.current_id
    head = _HEAD.pack(VERSION, key_id, organisation_id, delivery_id)
    token = base64.urlsafe_b64encode(head + _signature(keyring, key_id, head)).decode().rstrip("=")
    return f"{base_url}/v/{token}"


def read_view_token(keyring: Keyring, token: str) -> tuple[int, int] | None:
    """Return the organisation and the delivery of a link, or None for one that is not ours."""
    if len(token) > 100 or not token.isascii():
        return None
    try:
        body = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(body) != _HEAD.size + SIGNATURE_BYTES or base64.urlsafe_b64encode(body).decode().rstrip("=") != token:
        return None
    head = body[: _HEAD.size]
    version, key_id, organisation_id, delivery_id = _HEAD.unpack(head)
    try:
        expected = _signature(keyring, key_id, head)
    except KeyringError:
        return None
    is_ours = version == VERSION and hmac.compare_digest(body[_HEAD.size :], expected)
    return (organisation_id, delivery_id) if is_ours else None


def viewed(session: ScopedSession, runtime: Runtime, delivery_id: int) -> Content | None:
    """Return a mail as it is shown in the browser, its links direct; None where there is no such mailing any more."""
    delivery = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
    if delivery is None or delivery.mailing_id is None or delivery.purpose is None:
        return None
    version = session.get(MailingVersion, (session.organisation_id, delivery.mailing_id, delivery.mailing_version))
    if version is None:
        return None
    content = parse_content(version.content)
    try:
        language = language_for(
            content, variant=delivery.variant, wanted=delivery.language, house_language=delivery.language or "nl"
        )
    except KeyError:
        return None
    template = template_of(
        session,
        runtime,
        version.content,
        variant=delivery.variant,
        language=language,
        is_service=not is_marketing(session, delivery.purpose),
    )
    fields = _fields(session, delivery, language, segments=template.segments)
    try:
        content_of_person = template.rendered(fields)
    except BracesError:
        content_of_person = template.rendered({})
    return filled(content_of_person, template.direct_links() | template.words_of(fields) | _ways_out(runtime, delivery))


def _fields(session: ScopedSession, delivery: Delivery, language: str, *, segments: Sequence[int]) -> dict[str, str]:
    contact_id = delivery.contact_id or 0
    is_living = session.scalar(select(Contact.id).where(Contact.id == contact_id, Contact.state == "living"))
    if is_living is None:
        return {}
    row = Row(delivery.id, contact_id, delivery.enrolment_id, delivery.mailing_id)
    at = delivery.handed_over_at or clock.now()
    return read_fields(session, [row], language=language, segments=segments, at=at)[delivery.id]


def _ways_out(runtime: Runtime, delivery: Delivery) -> dict[str, str]:
    """The same ways out as the mail has, for the address it went to; none where that is not known (any more)."""
    url = runtime.settings.base_url
    here = view_url(runtime.keyring, base_url=url, organisation_id=delivery.organisation_id, delivery_id=delivery.id)
    if delivery.address_hash is None:
        return {"unsubscribe_url": here, "preferences_url": here, "view_url": here}
    key = bytes(delivery.address_hash)
    same = {"organisation_id": delivery.organisation_id, "subject_key": key}
    stop = make_token(runtime.keyring, Claims(kind="unsubscribe", purpose=delivery.purpose, **same))  # type: ignore[arg-type]
    choose = make_token(runtime.keyring, Claims(kind="preferences", **same))  # type: ignore[arg-type]
    return {"unsubscribe_url": f"{url}/u/{stop}", "preferences_url": f"{url}/p/{choose}", "view_url": here}


def _signature(keyring: Keyring, key_id: int, head: bytes) -> bytes:
    return hmac.digest(keyring.derived("mails in the browser", key_id=key_id), head, hashlib.sha256)[:SIGNATURE_BYTES]
