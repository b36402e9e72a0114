"""The content of a mailing as OpenAPI describes it, read off the schemas that read it.

A new kind of block, or a new field, is described the moment it can be read; a field of a new kind fails a test until
it can be described.
"""

from __future__ import annotations

import inspect
from typing import Any

from marshmallow import Schema, fields, validate

from app.mailings.composing import block_schemas, content_fields
from app.mailings.composing.content_schemas import ContentSchema

Described = dict[str, Any]

_NAMES = {kind: f"MailBlock{kind.title()}" for kind in block_schemas.BLOCKS}
INNER: Described = {"oneOf": [{"$ref": f"#/components/schemas/{_NAMES[kind]}"} for kind in block_schemas.INNER]}


def content_components() -> dict[str, Described]:
    """Return the schemas of OpenAPI's components: ``MailContent``, ``MailBlock``, ``MailBlock…`` for every kind."""
    return {
        "MailContent": _object(ContentSchema()),
        "MailBlock": {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _NAMES.values()]},
        **{name: _block(kind) for kind, name in _NAMES.items()},
    }


def _block(kind: str) -> Described:
    described = _object(block_schemas.BLOCKS[kind]())
    return described | {
        "properties": {"type": {"const": kind}, **described["properties"]},
        "required": ["type", *described["required"]],
    }


def _object(schema: Schema) -> Described:
    node = getattr(schema, "node", type(schema))
    return {
        "type": "object",
        "properties": {name: _field(field) for name, field in schema.fields.items()},
        "required": [name for name, field in schema.fields.items() if field.required],
        "additionalProperties": False,
        "description": (inspect.getdoc(node) or "").replace("``", "`"),
    }


def _field(field: fields.Field[Any]) -> Described:  # noqa: PLR0911 (one branch per kind of field)
    match field:
        case block_schemas.BlockField(is_inner=is_inner):
            return INNER if is_inner else {"$ref": "#/components/schemas/MailBlock"}
        case content_fields.Colour():
            return {"type": ["string", "null"], "pattern": "^(#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6}))?$"}
        case content_fields.Words(most=most):
            return {"type": "string", "maxLength": most}
        case content_fields.RichText():
            about = "HTML; p, h2, h3, ul, ol, li, strong, em, br and a are kept, everything else loses its tags."
            return {"type": "string", "description": about}
        case content_fields.Link():
            return {"type": "string", "description": "https, http, mailto, tel, or a field such as {{ activity.url }}."}
        case fields.Nested():
            described = _object(field.schema)
            return {"oneOf": [described, {"type": "null"}]} if field.allow_none else described
        case fields.List(inner=inner):
            return {"type": "array", "items": _field(inner)} | _lengths(field)
        case fields.Dict(value_field=inner) if inner is not None:
            return {"type": "object", "properties": {each: _field(inner) for each in ("nl", "fr", "en")},
                    "additionalProperties": False}  # fmt: skip
        case fields.Integer():
            return {"type": "integer"} | _limits(field)
        case fields.Boolean():
            return {"type": "boolean"}
        case fields.String():
            return {"type": ["string", "null"] if field.allow_none else "string"} | _words(field)
        case _:
            raise TypeError(f"a field of type {type(field).__name__} has no description yet")


def _lengths(field: fields.Field[Any]) -> Described:
    found = [each for each in field.validators if isinstance(each, validate.Length)]
    limits = {"minItems": found[0].min, "maxItems": found[0].max} if found else {}
    return {name: value for name, value in limits.items() if value is not None}


def _limits(field: fields.Field[Any]) -> Described:
    return next(
        ({"minimum": each.min, "maximum": each.max} for each in field.validators if isinstance(each, validate.Range)),
        {},
    )


def _words(field: fields.Field[Any]) -> Described:
    for each in field.validators:
        if isinstance(each, validate.OneOf):
            return {"enum": [*each.choices, None] if field.allow_none else list(each.choices)}
        if isinstance(each, validate.Regexp):
            return {"pattern": each.regex.pattern}
    return {}
