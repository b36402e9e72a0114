"""What can be read at all: JSON that is no riddle, and text that the database can hold."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from flask import Flask, abort, request
from marshmallow import Schema, ValidationError, fields, pre_load

# What PostgreSQL cannot hold in a text.
NUL = "\x00"
# Far more than any body has a use for, and few enough for whoever walks through it.
DEPTH_MAX = 200


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
    """Answer 400 to a NUL in a query, and to JSON nested too deeply to walk through; the rest is found when read."""
    if b"%00" in request.query_string:
        abort(400)
    if not request.path.startswith("/api/") or not request.is_json:
        return
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        abort(400)
    if _is_deeper(body, DEPTH_MAX):
        abort(400)


def _is_deeper(body: Any, most: int) -> bool:
    """Whether JSON data has more levels than ``most``, looked at level by level."""
    level = [body]
    for _depth in range(most):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = list(chain.from_iterable(inner))
        if not level:
            return False
    return True
