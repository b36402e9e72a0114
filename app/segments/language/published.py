"""The rule language as OpenAPI describes it: the exact shape of every kind of condition, read off what reads them.

The fields of a condition come from its schema (``schemas.py``) and its meaning from its node (``rules.py``), so a new
kind of condition is described the moment it can be read; a field of a new kind fails a test until it can be described.
"""

from __future__ import annotations

import inspect
from typing import Any

from marshmallow import Schema, fields, validate

from app.segments.language import rules, schemas
from app.segments.language.rule_fields import Between, Exact, Id, OneOf, Whole, WindowField, YesNo

Described = dict[str, Any]

RULE = {"$ref": "#/components/schemas/Rule"}
_NOTHING: Described = {"type": "null"}
_BOUNDED = {"anyOf": [{"required": ["at_least"]}, {"required": ["at_most"]}]}
_SCALAR: Described = {"type": ["string", "number", "boolean"]}

WINDOW: Described = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*[+-]?P(?=.)([+-]?\d+Y)?([+-]?\d+M)?([+-]?\d+W)?([+-]?\d+D)?\s*$"},
            {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
            _NOTHING,
        ]
    },
    "description": "From and until: ISO 8601 durations relative to the day of evaluation (-P18M, P7D, P0D), or days of "
    "the calendar; null is open. The first day is included, the last is not.",
    "examples": [["-P18M", "P1D"], ["P0D", None]],
}

# What the fields alone do not say.
_MORE: dict[str, Described] = {
    "participation": _BOUNDED,
    "share": _BOUNDED,
    "engagement": _BOUNDED,
    "pass": {
        "if": {"properties": {"is": {"const": "none"}}},
        "then": {"properties": {"expires": _NOTHING, "points_at_least": _NOTHING}},
    },
    "profile": {
        "oneOf": [
            {"properties": {"op": {"enum": ["known", "unknown"]}}},
            {"properties": {"op": {"enum": ["is", "is_not"]}, "value": _SCALAR}, "required": ["value"]},
            {
                "properties": {"op": {"enum": ["contains", "starts_with"]}, "value": {"type": ["string", "number"]}},
                "required": ["value"],
            },
            {
                "properties": {
                    "op": {"enum": ["in", "not_in"]},
                    "value": {"type": "array", "items": _SCALAR, "minItems": 1},
                },
                "required": ["value"],
            },
            {
                "properties": {
                    "op": {"const": "between"},
                    "value": {
                        "type": "array",
                        "items": {"type": ["string", "number", "boolean", "null"]},
                        "minItems": 2,
                        "maxItems": 2,
                    },
                },
                "required": ["value"],
            },
        ]
    },
}
_FIELD_NAMES = {"profile": rules.FIELDS, "anniversary": ("birth_date",)}


def rule_components() -> dict[str, Described]:
    """The schemas of OpenAPI's components: ``Rule``, ``RuleWhere``, and ``Rule…`` for every kind of rule."""
    kinds = {kind: _component(kind) for kind in schemas.RULE_TYPES}
    references = [{"$ref": f"#/components/schemas/{name}"} for name in kinds.values()]
    return {
        "Rule": {"oneOf": references, "description": "A segment's rule: a condition, or a group of rules."},
        "RuleWhere": _object(schemas.WHERE(), rules.Where),
        **{name: _described(kind) for kind, name in kinds.items()},
    }


def _component(kind: str) -> str:
    return "Rule" + "".join(part.title() for part in kind.split("_"))


def _described(kind: str) -> Described:
    several = {"type": "array", "items": RULE}
    groups: dict[str, tuple[type, Described]] = {
        "all": (rules.All, {"rules": several}),
        "any": (rules.AnyOf, {"rules": several}),
        "not": (rules.Not, {"rule": RULE}),
    }
    if kind in groups:
        node, properties = groups[kind]
        return _with_type(kind, {"properties": properties, "required": list(properties), "description": _doc(node)})
    described = _object(schemas.LEAVES[kind](), schemas.NODES[kind])
    if kind in _FIELD_NAMES:
        own = {"type": "string", "pattern": r"^\s*attributes\..+$"}
        described["properties"]["field"] = {"anyOf": [{"enum": list(_FIELD_NAMES[kind])}, own]}
    return _with_type(kind, described) | _MORE.get(kind, {})


def _with_type(kind: str, described: Described) -> Described:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **described["properties"]},
        "required": ["type", *described.get("required", [])],
        "additionalProperties": False,
        "description": described["description"],
    }


def _object(schema: Schema, node: type) -> Described:
    """The fields of a schema; one that may be left out may be null as well, which says the same."""
    named = {field.data_key or name: field for name, field in schema.fields.items()}
    return {
        "type": "object",
        "properties": {
            name: _field(field) if field.required else {"anyOf": [_field(field), _NOTHING]}
            for name, field in named.items()
        },
        "required": [name for name, field in named.items() if field.required],
        "additionalProperties": False,
        "description": _doc(node),
    }


def _field(field: fields.Field[Any]) -> Described:  # noqa: PLR0911, PLR0912 (one branch per kind of field)
    match field:
        case WindowField():
            return WINDOW
        case Between(side=side):
            number = {"anyOf": [_field(side), _NOTHING]}
            return {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        case Id():
            return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d{1,18}\s*$"}]}
        case Whole():
            return {"type": "integer"}
        case Exact():
            return {"type": "number"}
        case YesNo():
            return {"type": "boolean"}
        case fields.Enum():
            return {"enum": [one.value for one in field.enum]}
        case fields.Integer():
            return {"type": "integer"} | _limits(field)
        case fields.List(inner=inner):
            return {"type": "array", "items": _field(inner), "minItems": 1}
        case fields.String():
            return {"type": "string"} | _words(field)
        case schemas.WhereField():
            return {"$ref": "#/components/schemas/RuleWhere"}
        case schemas.AskedOfOthers():
            return RULE
        case fields.Raw():
            return {}
        case _:
            raise TypeError(f"a field of type {type(field).__name__} has no description yet")


def _limits(field: fields.Field[Any]) -> Described:
    for one in field.validators:
        if isinstance(one, validate.Range):
            return {"minimum": one.min, "maximum": one.max}
    return {}


def _words(field: fields.Field[Any]) -> Described:
    for one in field.validators:
        if isinstance(one, OneOf):
            return {"enum": list(one.allowed)}
    return {}


def _doc(node: type) -> str:
    return (inspect.getdoc(node) or "").replace("``", "`")
