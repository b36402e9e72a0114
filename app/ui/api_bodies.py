"""What can be read at all: JSON that is no riddle, and text that the database can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, abort, request
from marshmallow import Schema, ValidationError, fields, pre_load

# What PostgreSQL cannot hold in a text.
NUL = "\x00"


class ReadableSchema(Schema):
    """A body or query whose texts the database can hold: a field with a NUL character anywhere in it is refused."""

    @pre_load
    def _refuse_nul(self, data: Any, **_more: Any) -> Any:
        if isinstance(data, Mapping):
            errors = {name: ["Not a valid string."] for name, value in data.items() if holds_nul([name, value])}
            if errors:
                raise ValidationError(errors)
        return data


class ProblemSchema(Schema):
    """What is wrong (RFC 9457). ``errors`` maps a field to sentences about it, where fields are to blame."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


def install(app: Flask) -> None:
    """Refuse what cannot be read before any operation looks at it."""
    app.before_request(_refuse_riddles)


def holds_nul(value: Any) -> bool:
    """Whether JSON data has a NUL character in one of its texts or keys."""
    match value:
        case str():
            return NUL in value
        case Mapping():
            return any(holds_nul(key) or holds_nul(each) for key, each in value.items())
        case list():
            return any(map(holds_nul, value))
        case _:
            return False


def _refuse_riddles() -> None:
    """Answer 400 to a NUL in a query, and to JSON nested deeper than it can be parsed; the rest is found when read."""
    if b"%00" in request.query_string:
        abort(400)
    if not request.path.startswith("/api/") or not request.is_json:
        return
    try:
        request.get_json(silent=True)
    except RecursionError:
        abort(400)
