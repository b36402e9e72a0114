"""What programs send and get about what is on offer and who took part."""

from __future__ import annotations

from decimal import Decimal

from marshmallow import Schema, fields, validate

from app.activities.ingest import QUANTITY_MAX, STATUSES
from app.contacts.schemas import SOURCE, TEXT, ContactIn, text

EXTERNAL_ID = validate.Length(min=1, max=200)
WORDS = validate.Length(max=50)


class ActivityIn(Schema):
    """Something on offer, known to its source by ``external_id``; what is absent or null changes nothing."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)
    title = fields.String(required=True, validate=TEXT)
    kind = fields.String(load_default="performance", validate=TEXT)
    genres = fields.List(fields.String(validate=TEXT), load_default=list, validate=WORDS)
    series = text()
    venue = text()
    starts_at = fields.AwareDateTime(load_default=None, allow_none=True)
    ends_at = fields.AwareDateTime(load_default=None, allow_none=True)
    audiences = fields.List(fields.String(validate=TEXT), load_default=list, validate=WORDS)
    url = fields.URL(load_default=None, allow_none=True, schemes={"http", "https"}, require_tld=False)
    is_cancelled = fields.Boolean(load_default=False)


class ActivityRef(Schema):
    """Which activity."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)


class ParticipationIn(Schema):
    """A ticket line, check-in, loan or registration, known to its source by ``external_id``."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)
    contact = fields.Nested(ContactIn, required=True)
    activity = fields.Nested(ActivityRef, required=True)
    quantity = fields.Integer(load_default=1, strict=True, validate=validate.Range(0, QUANTITY_MAX))
    amount = fields.Decimal(
        load_default=None, allow_none=True, places=2, validate=validate.Range(Decimal(-(10**9)), Decimal(10**9))
    )
    currency = fields.String(load_default="EUR", validate=validate.Regexp(r"^[A-Z]{3}$"))
    channel = text()
    kind = fields.String(load_default="ticket", validate=TEXT)
    status = fields.String(load_default="booked", validate=validate.OneOf(STATUSES))
    booked_at = fields.AwareDateTime(load_default=None, allow_none=True)
    attended_at = fields.AwareDateTime(load_default=None, allow_none=True)


class ActivityOut(Schema):
    """What became of an activity."""

    id = fields.Integer()
    outcome = fields.String()


class ParticipationOut(ActivityOut):
    """What became of a participation, and whose it is."""

    contact_id = fields.Integer()
