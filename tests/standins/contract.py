"""Checking what goes over the wire against a vendor's own OpenAPI description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_instant(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


class Contract:
    """An OpenAPI 3.0 document that says what is wrong with a request or an answer, in sentences; [] is right.

    Stricter than the document in one way: a property it does not name is wrong, so a misspelt one is found.
    """

    def __init__(self, path: Path) -> None:
        self._document: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        resource = Resource.from_contents(self._document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("urn:contract", resource)
        self._paths = {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))): template
            for template in self._document["paths"]
        }
        self._validator = cache(self._make_validator)

    def operation(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        """The template and description of the call, or None where the contract does not know it."""
        for pattern, template in self._paths.items():
            described = self._document["paths"][template].get(method.lower())
            if described is not None and pattern.fullmatch(path):
                return template, described
        return None

    def faults_of_request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
        """What is wrong with a request: an unknown call, parameter or property, or a value of the wrong shape."""
        found = self.operation(method, path)
        if found is None:
            return [f"{method} of this path is not in the contract"]
        template, described = found
        faults = list(self._faults_of_query(described, query))
        content = described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return faults + (["a body that the contract does not know"] if body is not None else [])
        pointer = f"{self._pointer(template, method)}/requestBody/content/application~1json/schema"
        return faults + self._faults_of_body(pointer, content["schema"], body)

    def faults_of_answer(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with the JSON of an answer."""
        found = self.operation(method, path)
        if found is None:
            return []
        template, described = found
        code = str(status) if str(status) in described["responses"] else "default"
        if code == "default" and status < 400:
            return [f"status {status} is not in the contract"]
        content = described["responses"][code].get("content", {})
        if not content:
            return ["a body where the contract has none"] if body is not None else []
        kind = "application/problem+json" if "application/problem+json" in content else "application/json"
        pointer = f"{self._pointer(template, method)}/responses/{code}/content/{kind.replace('/', '~1')}/schema"
        return self._faults_of_body(pointer, content[kind]["schema"], body)

    def _faults_of_query(self, described: Mapping[str, Any], query: Mapping[str, str]) -> Iterator[str]:
        known = {p["name"]: p["schema"] for p in described.get("parameters", []) if p["in"] == "query"}
        for name, text in query.items():
            if name not in known:
                yield f"query parameter {name} is not in the contract"
            else:
                validator = Draft202012Validator(known[name])
                yield from (f"query {name}: {e.message}" for e in validator.iter_errors(_read(text, known[name])))

    def _faults_of_body(self, pointer: str, schema: Mapping[str, Any], body: Any) -> list[str]:
        errors = self._validator(pointer).iter_errors(body)
        return [f"{e.json_path}: {e.message}" for e in errors] + list(self._strangers(schema, body, "$"))

    def _strangers(self, schema: Mapping[str, Any], body: Any, at: str) -> Iterator[str]:
        """Properties the schema does not name, all the way down."""
        while "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if isinstance(body, list) and "items" in schema:
            for number, entry in enumerate(body):
                yield from self._strangers(schema["items"], entry, f"{at}[{number}]")
        if isinstance(body, dict) and "properties" in schema and "additionalProperties" not in schema:
            for name, value in body.items():
                if name not in schema["properties"]:
                    yield f"{at}.{name} is not in the contract"
                else:
                    yield from self._strangers(schema["properties"][name], value, f"{at}.{name}")

    def _make_validator(self, pointer: str) -> Draft202012Validator:
        return Draft202012Validator(
            {"$ref": f"urn:contract#{pointer}"}, registry=self._registry, format_checker=FORMATS
        )

    @staticmethod
    def _pointer(template: str, method: str) -> str:
        escaped = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
        return f"/paths/{escaped}/{method.lower()}"


def _read(text: str, schema: Mapping[str, Any]) -> Any:
    """A query parameter as the type its schema wants, or as it stands where it cannot be read so."""
    match schema.get("type"):
        case "integer" if re.fullmatch(r"-?[0-9]+", text):
            return int(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case "array":
            return text.split(",")
    return text
