"""The language of journeys as OpenAPI describes it, read off what reads it (``schemas.py``) and the nodes."""

from __future__ import annotations

import inspect
from typing import Any

from marshmallow import fields, validate

from app.journeys import schemas
from app.segments.language.published import RULE
from app.segments.language.rule_fields import Exact, Id, OneOf, Words
from app.segments.language.schemas import RuleField, WhereField

Described = dict[str, Any]

DEFINITION = {"$ref": "#/components/schemas/Journey"}
STEPS: Described = {"type": "array", "items": {"$ref": "#/components/schemas/JourneyStep"}}
TRIGGER = {"$ref": "#/components/schemas/JourneyTrigger"}
_NOTHING: Described = {"type": "null"}
_SPAN: Described = {
    "type": "string",
    "pattern": r"^\s*[+-]?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?\s*$",
    "examples": ["P2D", "-PT4H", "P365D"],
}


def journey_components() -> dict[str, Described]:
    """The schemas of OpenAPI's components: ``Journey``, and one for every kind of trigger and step."""
    triggers = {kind: f"JourneyTrigger{_camel(kind)}" for kind in schemas.TRIGGERS}
    steps = {kind: f"JourneyStep{_camel(kind)}" for kind in schemas.STEPS}
    return {
        "Journey": _object(schemas.DEFINITION),
        "JourneyTrigger": {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in triggers.values()]},
        "JourneyStep": {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in steps.values()]},
        **{name: _object(schemas.TRIGGERS[kind], kind) for kind, name in triggers.items()},
        **{name: _object(schemas.STEPS[kind], kind) for kind, name in steps.items()},
    }


def _camel(kind: str) -> str:
    return "".join(part.title() for part in kind.split("_"))


def _object(schema: type[schemas.NodeSchema], kind: str | None = None) -> Described:
    named = {field.data_key or name: field for name, field in schema().fields.items()}
    properties = {
        name: _field(field) if field.required else {"anyOf": [_field(field), _NOTHING]} for name, field in named.items()
    }
    required = [name for name, field in named.items() if field.required]
    if kind is not None:
        properties, required = {"type": {"const": kind}, **properties}, ["type", *required]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "description": (inspect.getdoc(schema.node) or "").replace("``", "`"),
    }


def _field(field: fields.Field[Any]) -> Described:  # noqa: PLR0911, PLR0912 (one branch per kind of field)
    match field:
        case schemas.ReentryField():
            return {"anyOf": [{"enum": ["never", "after_exit"]}, _SPAN]}
        case schemas.SpanField():
            return _SPAN
        case schemas.TimeField():
            return {"type": "string", "pattern": r"^\s*\d\d:\d\d\s*$"}
        case schemas.TriggerField():
            return TRIGGER
        case schemas.StepsField():
            return STEPS
        case schemas.Branches() | schemas.Inner():
            inner = _object(field.schema_of_one)
            return {"type": "array", "items": inner} if isinstance(field, schemas.Branches) else inner
        case schemas.ValueField():
            return {"type": ["string", "number", "boolean", "null"]}
        case RuleField():
            return RULE
        case WhereField():
            return {"$ref": "#/components/schemas/RuleWhere"}
        case Id():
            return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d{1,18}\s*$"}]}
        case Exact():
            return {"type": "number"}
        case Words():
            return {"type": "array", "items": {"type": "string"}}
        case fields.Integer():
            return {"type": "integer"} | _limits(field)
        case fields.List(inner=inner):
            return {"type": "array", "items": _field(inner)}
        case fields.String():
            allowed = [one.allowed for one in field.validators if isinstance(one, OneOf)]
            return {"type": "string"} | ({"enum": list(allowed[0])} if allowed else {})
        case _:
            raise TypeError(f"a field of type {type(field).__name__} has no description yet")


def _limits(field: fields.Field[Any]) -> Described:
    found = [one for one in field.validators if isinstance(one, validate.Range)]
    return {"minimum": found[0].min, "maximum": found[0].max} if found else {}
