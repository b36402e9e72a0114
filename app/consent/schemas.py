"""What comes in and goes out of the consent room over the REST API."""

from __future__ import annotations

from datetime import UTC

from marshmallow import Schema, fields, validate

from app.ui.api_bodies import ReadableSchema

CHANNELS = ("email", "sms", "post", "phone", "ads")
BASES = ("consent", "soft_opt_in", "impersonal_address", "service")
TEXT = validate.Length(min=1, max=200)


class IdentitySchema(Schema):
    """One key by which a person is known: a kind (``email``, ``ticketmatic:customer``, …) and its value."""

    kind = fields.String(required=True, validate=TEXT)
    value = fields.String(required=True, validate=validate.Length(min=1, max=500))


class PersonSchema(IdentitySchema):
    """Whom a consent is about: an address, any other identity, or our own id."""

    kind = fields.String(validate=TEXT)
    value = fields.String(validate=validate.Length(min=1, max=500))
    email = fields.String(validate=validate.Length(min=1, max=500))
    id = fields.Integer(strict=True)
    identities = fields.List(fields.Nested(IdentitySchema), load_default=list, validate=validate.Length(max=20))


class ConsentSchema(ReadableSchema):
    """One statement about permission. ``purpose`` may be left out of a withdrawal or objection: all marketing."""

    contact = fields.Nested(PersonSchema, required=True)
    channel = fields.String(load_default="email", validate=validate.OneOf(CHANNELS))
    purpose = fields.String(load_default=None, allow_none=True, validate=TEXT)
    action = fields.String(required=True, validate=validate.OneOf(("grant", "withdraw", "object")))
    basis = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(BASES))
    occurred_at = fields.AwareDateTime(load_default=None, allow_none=True, default_timezone=UTC)
    source = fields.String(required=True, validate=TEXT)
    external_id = fields.String(load_default=None, allow_none=True, validate=TEXT)
    evidence = fields.Dict(keys=fields.String(), load_default=dict)
    wording = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=20_000))
    language = fields.String(load_default=None, allow_none=True, validate=validate.Length(min=2, max=10))
    valid_until = fields.AwareDateTime(load_default=None, allow_none=True, default_timezone=UTC)


class PermissionSchema(Schema):
    """What the ledger implies now for one channel and purpose. ``why`` is the basis, or the code of what forbids it."""

    channel = fields.String()
    purpose = fields.String()
    allowed = fields.Boolean(attribute="is_allowed")
    basis = fields.String(allow_none=True)
    since = fields.AwareDateTime(allow_none=True)
    valid_until = fields.AwareDateTime(allow_none=True)
    paused_until = fields.AwareDateTime(allow_none=True)
    why = fields.String(attribute="reason")
    event_id = fields.Integer(attribute="decided_by", allow_none=True)


class RecordedSchema(Schema):
    """What became of a statement, and what is allowed now.

    ``recorded_as`` is ``noted`` where it could not show its proof and allows nothing. ``permission`` is null where the
    statement was about all marketing, or about somebody who is no contact.
    """

    id = fields.Integer(attribute="event_id")
    contact_id = fields.Integer(allow_none=True)
    recorded_as = fields.String(attribute="action")
    is_new = fields.Boolean()
    permission = fields.Nested(PermissionSchema, allow_none=True)


class NewSuppressionSchema(ReadableSchema):
    """An address never to be contacted for marketing on a channel."""

    email = fields.String(required=True, validate=validate.Length(min=1, max=500))
    channel = fields.String(load_default="email", validate=validate.OneOf(CHANNELS))
    reason = fields.String(load_default="manual", validate=TEXT)


class SuppressionSchema(Schema):
    """A suppression as it is kept: the address is there as a keyed hash only."""

    address_hash = fields.Function(lambda row: bytes(row.address_hash).hex())
    channel = fields.String()
    reason = fields.String()
    source = fields.String()
    since = fields.AwareDateTime()


class SuppressionQuerySchema(ReadableSchema):
    """Which suppressions: those of one address, or a page of all."""

    email = fields.String(validate=validate.Length(min=1, max=500))
    channel = fields.String(load_default="email", validate=validate.OneOf(CHANNELS))
    cursor = fields.String(validate=validate.Length(max=500))
    limit = fields.Integer(load_default=100, validate=validate.Range(min=1, max=1000))


class SuppressionPageSchema(Schema):
    """A page of suppressions, newest first; ``next`` is the cursor of the following one, null on the last."""

    items = fields.List(fields.Nested(SuppressionSchema))
    next = fields.String(allow_none=True)


class PurposeSchema(Schema):
    """The settings of a purpose, as its page sends them."""

    name_nl = fields.String(required=True, validate=validate.Length(min=1, max=80))
    name_fr = fields.String(required=True, validate=validate.Length(min=1, max=80))
    name_en = fields.String(required=True, validate=validate.Length(min=1, max=80))
    allowed_bases = fields.List(fields.String(), load_default=list, validate=validate.ContainsOnly(BASES))
    needs_confirmation = fields.Boolean(load_default=False)
    retention_days = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=30, max=3650))
    is_active = fields.Boolean(load_default=False)


class NoticesSchema(Schema):
    """The texts of a purpose by language, as its page sends them."""

    nl = fields.String(load_default="", validate=validate.Length(max=5000))
    fr = fields.String(load_default="", validate=validate.Length(max=5000))
    en = fields.String(load_default="", validate=validate.Length(max=5000))
    publish = fields.Boolean(load_default=False)
