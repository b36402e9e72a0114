"""What programs send and get about people."""

from __future__ import annotations

from datetime import date

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app import clock
from app.accounts.addresses import normalise_email
from app.contacts.normalise import IDENTITY_LENGTH_MAX, TEXT_LENGTH_MAX, is_past_birth
from app.ui.api_bodies import ReadableSchema

ROWS_MAX = 1000
TAGS_MAX = 100
ATTRIBUTES_MAX = 200
TEXT = validate.Length(min=1, max=TEXT_LENGTH_MAX)
WORD = validate.Length(min=1, max=60)
KIND = validate.Regexp(r"^[a-z0-9_]{1,40}(?::[a-z0-9_]{1,40})?$")
SOURCE = validate.Regexp(r"^[a-z0-9_]{1,40}$")


def text() -> fields.String:
    """A line of text that may be left out; null says nothing either."""
    return fields.String(load_default=None, allow_none=True, validate=TEXT)


def is_address(value: str) -> bool:
    """Refuse what is no e-mail address, in marshmallow's own words, which pages and problems translate."""
    if normalise_email(value) is None:
        raise ValidationError("Not a valid email address.")
    return True


def is_past(day: date) -> bool:
    """Refuse a day of birth that is still to come."""
    if not is_past_birth(day, at=clock.now()):
        raise ValidationError("Nobody was born yet on this day. Check the year.")
    return True


class IdentityIn(Schema):
    """One key by which a person is known: ``email``, ``uitpas``, or a system's own (``pretix:customer``)."""

    kind = fields.String(required=True, validate=KIND)
    value = fields.String(required=True, validate=validate.Length(min=1, max=IDENTITY_LENGTH_MAX))

    @validates_schema
    def _address_is_one(self, data: dict[str, str], **_more: object) -> None:
        if data["kind"] == "email" and normalise_email(data["value"]) is None:
            raise ValidationError("Not a valid email address.", "value")


class ContactIn(Schema):
    """A person, by identity. What is absent or null changes nothing; tags and attributes are added to."""

    source = fields.String(load_default="api", validate=SOURCE)
    email = fields.String(load_default=None, allow_none=True, validate=is_address)
    identities = fields.List(fields.Nested(IdentityIn), load_default=list, validate=validate.Length(max=50))
    given_name = text()
    family_name = text()
    language = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(r"^[a-z]{2}$"))
    gender = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(["female", "male", "other"]))
    birth_date = fields.Date(load_default=None, allow_none=True, validate=is_past)
    phone = text()
    street = text()
    postcode = text()
    municipality = text()
    country = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(r"^[A-Z]{2}$"))
    tags = fields.List(
        fields.String(validate=validate.Length(min=1, max=60)),
        load_default=list,
        validate=validate.Length(max=TAGS_MAX),
    )
    attributes = fields.Dict(
        keys=fields.String(validate=WORD),
        load_default=dict,
        validate=validate.Length(max=ATTRIBUTES_MAX),
    )


class PassIn(Schema):
    """A card or subscription. Its programme and number say which; what is absent or null changes nothing."""

    programme = fields.String(required=True, validate=validate.Length(min=1, max=60), metadata={"example": "uitpas"})
    number = fields.String(required=True, validate=validate.Length(min=1, max=IDENTITY_LENGTH_MAX))
    status = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(["valid", "stopped"]))
    valid_from = fields.Date(load_default=None, allow_none=True)
    expires_on = fields.Date(load_default=None, allow_none=True, metadata={"description": "its last day"})
    points = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 2**31 - 1))


class ContactWithPassesIn(ContactIn):
    """A person, by identity, with their passes."""

    passes = fields.List(fields.Nested(PassIn), load_default=list, validate=validate.Length(max=50))


class MailEventIn(Schema):
    """Something that happened to a mail that another system sent to somebody we know."""

    contact = fields.Nested(IdentityIn, required=True)
    event = fields.String(required=True, validate=validate.OneOf(["delivered", "opened", "clicked", "bounced"]))
    occurred_at = fields.AwareDateTime(required=True)
    campaign = fields.String(load_default=None, allow_none=True, validate=TEXT)
    is_machine = fields.Boolean(load_default=False, metadata={"description": "a scanner or prefetch did it"})
    source = fields.String(load_default="api", validate=SOURCE)
    external_id = fields.String(required=True, validate=validate.Length(min=1, max=200))


class MailEventRowOut(Schema):
    """What became of one event: ``recorded``, ``passed_over`` (known already, or not to be kept), or an error."""

    index = fields.Integer()
    outcome = fields.String()
    error = fields.String()
    errors = fields.Dict()


class PassOut(Schema):
    """A card or subscription."""

    programme = fields.String()
    number = fields.String()
    status = fields.String()
    valid_from = fields.Date(allow_none=True)
    expires_on = fields.Date(allow_none=True)
    points = fields.Integer(allow_none=True)


class IdentityOut(Schema):
    """One key by which a person is known."""

    kind = fields.String()
    value = fields.String()
    is_primary = fields.Boolean()
    deliverability = fields.String()
    source = fields.String()
    created_at = fields.AwareDateTime()


class ContactOut(Schema):
    """A person."""

    id = fields.Integer()
    state = fields.String()
    email = fields.String(allow_none=True)
    given_name = fields.String(allow_none=True)
    family_name = fields.String(allow_none=True)
    language = fields.String(allow_none=True)
    gender = fields.String(allow_none=True)
    birth_date = fields.Date(allow_none=True)
    phone = fields.String(allow_none=True)
    street = fields.String(allow_none=True)
    postcode = fields.String(allow_none=True)
    municipality = fields.String(allow_none=True)
    country = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    attributes = fields.Dict()
    source = fields.String()
    merged_into_id = fields.Integer(allow_none=True)
    identities = fields.List(fields.Nested(IdentityOut))
    passes = fields.List(fields.Nested(PassOut))
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class ContactPage(Schema):
    """A page of people; ``next`` is the cursor of the next page, null on the last."""

    items = fields.List(fields.Nested(ContactOut))
    next = fields.String(allow_none=True)


class ContactsQuery(ReadableSchema):
    """Which people to list, by when they last changed, the oldest change first."""

    email = fields.String(load_default=None)
    updated_since = fields.AwareDateTime(load_default=None)
    tag = fields.String(load_default=None)
    source = fields.String(load_default=None)
    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 200))


class MergeIn(Schema):
    """Whom a contact becomes part of."""

    into = fields.Integer(required=True)


class RowOut(Schema):
    """What became of one row of a batch: its id, or why it was not taken, with ``errors`` by field."""

    index = fields.Integer()
    id = fields.Integer()
    outcome = fields.String()
    error = fields.String()
    errors = fields.Dict()
