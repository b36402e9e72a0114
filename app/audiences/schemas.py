"""What comes in and goes out of audiences: the REST API and the forms share it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.audiences.definitions import DEFAULT_BRAKE_PCT, NAME_LENGTH_MAX, TAG_LENGTH_MAX
from app.ui.api_bodies import ReadableSchema
from app.ui.row_ids import ROW_ID_MAX

PAGE = 50
PAGE_MAX = 500
IS_ROW = validate.Range(0, ROW_ID_MAX)


class AudienceIn(ReadableSchema):
    """An audience to make, or to put in the place of another."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=NAME_LENGTH_MAX))
    segment_id = fields.Integer(required=True, validate=IS_ROW)
    purpose = fields.String(load_default="newsletter")
    connection_id = fields.Integer(required=True, validate=IS_ROW)
    list_ref = fields.String(
        required=True,
        validate=validate.Length(min=1, max=200),
        metadata={"description": "The list at the destination, by the id it has there."},
    )
    list_name = fields.String(load_default="", validate=validate.Length(max=200))
    tag = fields.String(
        load_default="",
        validate=validate.Length(max=TAG_LENGTH_MAX),
        metadata={"description": "The tag our people carry there; made from the name where it is empty."},
    )
    field_mapping = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1, max=TAG_LENGTH_MAX)),
        values=fields.String(),
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The list's field by its tag, to the contact's value that fills it. Left out: the name, in"
            " the fields every list of that system has."
        },
    )
    brake_pct = fields.Integer(load_default=DEFAULT_BRAKE_PCT, validate=validate.Range(1, 100))


class RunOut(Schema):
    """One run: what it planned and did, and how it ended."""

    id = fields.Integer()
    audience_id = fields.Integer()
    state = fields.String()
    is_dry = fields.Boolean()
    is_confirmed = fields.Boolean()
    trigger = fields.String()
    counts = fields.Dict()
    failure_code = fields.String(allow_none=True)
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)


class AudienceOut(Schema):
    """An audience as it is kept, with how many of ours are there and its last run."""

    id = fields.Integer()
    name = fields.String()
    segment_id = fields.Integer(allow_none=True)
    purpose = fields.String()
    connection_id = fields.Integer()
    list_ref = fields.String()
    list_name = fields.String()
    tag = fields.String()
    field_mapping = fields.Dict(keys=fields.String(), values=fields.String())
    brake_pct = fields.Integer()
    state = fields.String()
    size = fields.Integer()
    last_run = fields.Nested(RunOut, allow_none=True)
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class AudiencePage(Schema):
    """A page of audiences."""

    items = fields.List(fields.Nested(AudienceOut))
    next = fields.String(allow_none=True)


class RunPage(Schema):
    """A page of runs, the newest first."""

    items = fields.List(fields.Nested(RunOut))
    next = fields.String(allow_none=True)


class PageIn(Schema):
    """Where a page begins and how long it is."""

    cursor = fields.String(load_default=None, allow_none=True)
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE_MAX))


class SyncIn(Schema):
    """How to run: ``dry_run`` only looks; ``confirm`` lets a first or large push happen without asking anybody."""

    dry_run = fields.Boolean(load_default=False)
    confirm = fields.Boolean(load_default=False)


class AudienceForm(Schema):
    """The form of an audience; the fields of the list come as ``field.TAG``."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=NAME_LENGTH_MAX))
    segment_id = fields.Integer(required=True, validate=IS_ROW)
    purpose = fields.String(required=True)
    connection_id = fields.Integer(required=True, validate=IS_ROW)
    list_ref = fields.String(required=True)
    tag = fields.String(load_default="", validate=validate.Length(max=TAG_LENGTH_MAX))
    brake_pct = fields.Integer(load_default=DEFAULT_BRAKE_PCT, validate=validate.Range(1, 100))


class ChangeForm(Schema):
    """What may be changed about an audience afterwards."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=NAME_LENGTH_MAX))
    segment_id = fields.Integer(required=True, validate=IS_ROW)
    purpose = fields.String(required=True)
    brake_pct = fields.Integer(load_default=DEFAULT_BRAKE_PCT, validate=validate.Range(1, 100))
