"""Checking what goes over the wire against what Campaign Monitor tells of itself.

There is no OpenAPI document. An answer must have the shape of the vendor's own example of it; a request must be a call
that the vendor's Python client makes, with the names of the vendor's pages, and must bring nobody back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FIXTURES = Path(__file__).parents[1] / "contracts" / "campaign_monitor"

PAGING = frozenset({"page", "pagesize", "orderfield", "orderdirection"})
TEXT = {"type": "string"}
NEVER = {"const": False}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


FIELDS = {"type": "array", "items": _object({"Key": TEXT, "Value": TEXT}, {"Clear": {"type": "boolean"}})}
SUBSCRIBER = (
    {"EmailAddress": TEXT, "ConsentToTrack": {"enum": ["Yes", "No", "Unchanged"]}},
    {"Name": TEXT, "CustomFields": FIELDS},
)
RESUBSCRIBE = {"Resubscribe": NEVER, "RestartSubscriptionBasedAutoresponders": NEVER}
ONE = _object({**SUBSCRIBER[0], **RESUBSCRIBE}, SUBSCRIBER[1])
MANY = _object(
    {
        "Subscribers": {"type": "array", "minItems": 1, "maxItems": 1_000, "items": _object(*SUBSCRIBER)},
        **RESUBSCRIBE,
        "QueueSubscriptionBasedAutoResponders": NEVER,
    }
)
OPTIONS = {"type": "array", "items": TEXT, "minItems": 1}
FIELD = _object(
    {
        "FieldName": TEXT,
        "DataType": {"enum": ["Text", "Number", "MultiSelectOne", "MultiSelectMany", "Date", "Country", "USState"]},
        "Options": OPTIONS,
        "VisibleInPreferenceCenter": NEVER,
    }
)
HOOK = _object(
    {
        "Events": {"type": "array", "items": {"enum": ["Subscribe", "Update", "Deactivate"]}, "minItems": 1},
        "Url": TEXT,
        "PayloadFormat": {"enum": ["json", "xml"]},
    }
)
NOTHING: dict[str, Any] = {"const": {}}


class Call:
    """One call: its name, where it is, what it may be asked, and whose shape its answer has (None: empty)."""

    def __init__(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        query: frozenset[str] = frozenset(),
        body: Mapping[str, Any] | None = None,
        example: str | None = None,
    ) -> None:
        self.kind, self.method, self.query, self.body, self.example = kind, method, query, body, example
        self.pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path + ".json")))


CALLS = [
    Call("get_systemdate", "GET", "/systemdate", example="systemdate"),
    Call("get_client", "GET", "/clients/{id}", example="client_details"),
    Call("get_lists", "GET", "/clients/{id}/lists", example="lists"),
    Call("get_suppressions", "GET", "/clients/{id}/suppressionlist", query=PAGING, example="suppressionlist"),
    Call(
        "get_lists_for_email",
        "GET",
        "/clients/{id}/listsforemail",
        query=frozenset({"email"}),
        example="listsforemail",
    ),
    Call("suppress", "POST", "/clients/{id}/suppress", body=_object({"EmailAddresses": OPTIONS})),
    Call("delete_subscriber", "DELETE", "/subscribers/{id}", query=frozenset({"email"})),
    Call("get_list", "GET", "/lists/{id}", example="list_details"),
    Call("get_stats", "GET", "/lists/{id}/stats", example="list_stats"),
    Call("get_fields", "GET", "/lists/{id}/customfields", example="custom_fields"),
    Call("post_field", "POST", "/lists/{id}/customfields", body=FIELD, example="create_custom_field"),
    Call(
        "put_options",
        "PUT",
        "/lists/{id}/customfields/{key}/options",
        body=_object({"Options": OPTIONS, "KeepExistingOptions": {"const": True}}),
    ),
    *(
        Call("get_listing", "GET", f"/lists/{{id}}/{state}", query=PAGING | {"date"}, example=f"{state}_subscribers")
        for state in ("active", "unconfirmed", "unsubscribed", "bounced", "deleted")
    ),
    Call("get_subscriber", "GET", "/subscribers/{id}", query=frozenset({"email"}), example="subscriber_details"),
    Call("post_subscriber", "POST", "/subscribers/{id}", body=ONE, example="add_subscriber"),
    Call("put_subscriber", "PUT", "/subscribers/{id}", query=frozenset({"email"}), body=ONE),
    Call("import", "POST", "/subscribers/{id}/import", body=MANY, example="import_subscribers"),
    Call("unsubscribe", "POST", "/subscribers/{id}/unsubscribe", body=_object({"EmailAddress": TEXT})),
    Call("get_webhooks", "GET", "/lists/{id}/webhooks", example="list_webhooks"),
    Call("post_webhook", "POST", "/lists/{id}/webhooks", body=HOOK, example="create_list_webhook"),
    Call("test_webhook", "GET", "/lists/{id}/webhooks/{hook}/test"),
    Call("activate_webhook", "PUT", "/lists/{id}/webhooks/{hook}/activate", body=NOTHING),
    Call(
        "get_campaigns",
        "GET",
        "/clients/{id}/campaigns",
        query=frozenset({"page", "pagesize", "orderdirection", "sentfromdate", "senttodate", "tags"}),
        example="campaigns",
    ),
    Call("get_summary", "GET", "/campaigns/{id}/summary", example="campaign_summary"),
    Call("get_recipients", "GET", "/campaigns/{id}/recipients", query=PAGING, example="campaign_recipients"),
    *(
        Call("get_happenings", "GET", f"/campaigns/{{id}}/{part}", query=PAGING | {"date"}, example=f"campaign_{part}")
        for part in ("clicks", "bounces", "unsubscribes", "spam")
    ),
    Call("delete_webhook", "DELETE", "/lists/{id}/webhooks/{hook}"),
]


def find_call(method: str, path: str) -> Call | None:
    """The call a request makes, or None for one the vendor's client never makes."""
    return next((call for call in CALLS if call.method == method and call.pattern.fullmatch(path)), None)


def faults_of_request(method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
    """What is wrong with a request, in sentences; [] is right."""
    call = find_call(method, path)
    if call is None:
        return [f"{method} of this path is no call of the vendor's"]
    faults = [f"query parameter {name} is not known" for name in query.keys() - call.query]
    if call.body is None:
        return faults + (["a body where there is none"] if body is not None else [])
    return faults + [f"{e.json_path}: {e.message}" for e in Draft202012Validator(call.body).iter_errors(body)]


def faults_of_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with the JSON of an answer."""
    call = find_call(method, path)
    if call is None or (status < 400 and call.example is None):
        return []
    example = call.example if status < 400 else "custom_api_error"
    if isinstance(body, dict) and body.get("Code") == 210:
        example = "import_subscribers_partial_success"
    return [f"{e.json_path}: {e.message}" for e in _validator(str(example)).iter_errors(body)]


@cache
def _validator(example: str) -> Draft202012Validator:
    return Draft202012Validator(shape_of(json.loads((FIXTURES / f"{example}.json").read_text("utf-8"))))


def shape_of(example: Any) -> dict[str, Any]:
    """A schema that says: the same names, the same kinds of values, nothing else."""
    match example:
        case dict():
            return _object({name: shape_of(value) for name, value in example.items()})
        case list():
            shapes = [shape_of(one) for one in example]
            return {"type": "array", "items": {"anyOf": shapes} if shapes else {}}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", example):
            return {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
        case _:
            return {"type": "string"}
