"""What goes in and out of the REST API and the forms of connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from app.ui.api_bodies import ReadableSchema
from integrations.catalogue import System

NAME = validate.Length(min=1, max=120)


class NewConnectionSchema(ReadableSchema):
    """A connection to be made. ``secrets`` go in and never come out."""

    system = fields.String(required=True, metadata={"description": "pretix, mailchimp, …"})
    kind = fields.String(validate=validate.OneOf(("source", "destination")))
    name = fields.String(validate=NAME)
    settings = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True), load_default=dict)
    secrets = fields.Dict(
        keys=fields.String(), values=fields.String(allow_none=True), load_default=dict, load_only=True
    )


class ConnectionSchema(Schema):
    """A connection as it is now, without anything secret."""

    id = fields.Integer()
    system = fields.String()
    kind = fields.String()
    name = fields.String()
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    state = fields.String(metadata={"description": "active, paused or failing"})
    last_ok_at = fields.AwareDateTime(allow_none=True)
    failing_since = fields.AwareDateTime(allow_none=True)
    failure_code = fields.String(allow_none=True)
    next_run_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class MadeConnectionSchema(ConnectionSchema):
    """A connection that was just made, with the address its webhooks go to: a secret, told once."""

    hook_url = fields.String()


class ConnectionPageSchema(Schema):
    """All connections of the organisation; there are never so many that a second page is needed."""

    items = fields.List(fields.Nested(ConnectionSchema))
    next = fields.String(allow_none=True)


class CheckedSchema(Schema):
    """The account that a connection's credentials belong to."""

    account = fields.String()


def form_schema(system: System, *, fields_shown: Mapping[str, Any]) -> Schema:
    """Return the schema of a system's form. What is required is told by ``read_settings``, field by field."""
    declared: dict[str, Any] = {name: fields.String() for name in fields_shown}
    return Schema.from_dict({"name": fields.String(validate=NAME), **declared}, name=f"{system.system}Form")()
