"""What people fill in at the desk."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.consent.requests import CHANNELS, EXTENSION_REASONS, IDENTITY_CHECKS, KINDS
from app.contacts.restricting import LIFTED_BECAUSE
from app.rights.words import OUTCOMES

NOTE = validate.Length(max=2000)


class NewRequestSchema(Schema):
    """A request somebody made, and whom it is about: an address or the number of a contact."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    channel = fields.String(required=True, validate=validate.OneOf([each for each in CHANNELS if each != "page"]))
    who = fields.String(required=True, validate=validate.Length(max=300))
    received_on = fields.Date(load_default=None, allow_none=True)
    note = fields.String(load_default="", validate=NOTE)


class IdentitySchema(Schema):
    """How we know that it is them."""

    identity_check = fields.String(
        required=True, validate=validate.OneOf([each for each in IDENTITY_CHECKS if each != "link"])
    )


class ExtensionSchema(Schema):
    """Why it takes longer."""

    reason = fields.String(required=True, validate=validate.OneOf(EXTENSION_REASONS))


class CarryOutSchema(Schema):
    """How far an objection goes."""

    scope = fields.String(load_default="all", validate=validate.OneOf(["all", "profiling"]))


class ClosingSchema(Schema):
    """What became of a request."""

    outcome = fields.String(required=True, validate=validate.OneOf(list(OUTCOMES)))
    note = fields.String(load_default="", validate=NOTE)


class LiftingSchema(Schema):
    """Why a restriction ends."""

    reason = fields.String(required=True, validate=validate.OneOf(LIFTED_BECAUSE))
