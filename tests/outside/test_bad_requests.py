"""Whatever a program sends, it gets problem+json that says what is wrong, and never a failure of ours."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.outside.conftest import Program

WHEN = "2026-01-01T20:00:00+01:00"
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "/contacts": (
        "PUT",
        {
            "source": "kassa", "email": "an@example.org", "identities": [{"kind": "kaart", "value": "1"}],
            "given_name": "An", "family_name": "Peeters", "language": "nl", "gender": "female",
            "birth_date": "2000-02-29", "phone": "+3212345678", "street": "Kaai 1", "postcode": "9000",
            "municipality": "Gent", "country": "BE", "tags": ["vriend"], "attributes": {"plaats": "A1"},
        },
    ),
    "/activities": (
        "PUT",
        {
            "source": "kassa", "external_id": "1", "title": "Oom Wanja", "kind": "performance", "genres": ["Theater"],
            "series": "A", "venue": "Zaal", "starts_at": WHEN, "ends_at": WHEN, "audiences": ["adults"],
            "url": "https://example.org/", "is_cancelled": False,
        },
    ),
    "/participations": (
        "PUT",
        {
            "source": "kassa", "external_id": "1", "contact": {"email": "an@example.org"},
            "activity": {"source": "kassa", "external_id": "1"}, "quantity": 1, "amount": 1.5, "currency": "EUR",
            "channel": "web", "kind": "ticket", "status": "booked", "booked_at": WHEN, "attended_at": WHEN,
        },
    ),
    "/consents": (
        "POST",
        {
            "contact": {"email": "an@example.org"}, "channel": "email", "purpose": "newsletter", "action": "grant",
            "basis": "consent", "occurred_at": WHEN, "source": "form", "external_id": "1", "evidence": {"page": "1"},
            "wording": "Ja, graag", "language": "nl", "valid_until": "2027-01-01T20:00:00+01:00",
        },
    ),
    "/suppressions": ("POST", {"email": "an@example.org", "channel": "email", "reason": "asked"}),
    "/segments": ("POST", {"name": "Iedereen", "description": "d", "rule": {"type": "all", "rules": []}}),
    "/segments/preview": ("POST", {"rule": {"type": "all", "rules": []}, "at": "2026-01-01", "purpose": "newsletter"}),
    "/audiences": ("POST", {"name": "Allen", "segment_id": 1, "connection_id": 1, "list_ref": "1"}),
    "/connections": ("POST", {"system": "mailchimp", "kind": "destination", "settings": {}, "secrets": {}}),
}  # fmt: skip
ODD: tuple[Any, ...] = (
    None, "", 0, -1, 1.5, True, [], {}, "\x00", "a\x00b", "x" * 25_000, 10**30, 1e308, ["a\x00"], [None], {"a\x00": 1},
    "2026-02-30", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "a@example.org\r\nBcc: b@example.org",
)  # fmt: skip
UNREADABLE = (
    "{", "", "nul", "[1,", '"x"', "null", '{"a":NaN}',
    "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, '{"a":' * 5_000 + "1" + "}" * 5_000,
)  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_no_value_of_any_field_makes_an_operation_fail(program: Program, path: str) -> None:
    for needed in ("/contacts", "/activities"):
        assert program(GOOD[needed][0], needed, GOOD[needed][1]).status_code in (200, 201)
    method, good = GOOD[path]
    for field in good:
        for value in ODD:
            body = copy.deepcopy(good) | {field: value}
            _is_answered(program(method, path, body), (field, value))


@pytest.mark.parametrize("path", GOOD)
def test_what_is_no_json_object_is_refused(program: Program, path: str) -> None:
    for body in UNREADABLE:
        answer = program.raw(GOOD[path][0], path, body)
        assert answer.status_code in (400, 422), body[:20]
        _is_answered(answer, body[:20])


@pytest.mark.parametrize("path", ["/contacts/batch", "/activities/batch", "/participations/batch"])
def test_an_unreadable_row_of_a_batch_stands_alone(program: Program, path: str) -> None:
    assert program.raw("POST", path, "[" * 100_000).status_code == 400
    good = GOOD[path.removesuffix("/batch")][1]
    assert program(*GOOD["/activities"][:1], "/activities", GOOD["/activities"][1]).status_code == 201
    rows = [{"title": "a\x00b", "source": "kassa"}, None, 5, good]
    answer = program("POST", path, rows)
    assert [("id" in row, "error" in row) for row in answer.json] == [(False, True)] * 3 + [(True, False)]


def test_a_rule_with_text_that_no_database_holds_is_refused(program: Program) -> None:
    for rule in (
        {"type": "profile", "field": "attributes.\x00", "op": "known"},
        {"type": "profile", "field": "given_name", "op": "is", "value": "\x00"},
        {"type": "sample", "percent": 0, "seed": "\x00"},
    ):
        assert program("POST", "/segments/preview", {"rule": rule}).status_code == 422


def test_a_query_with_text_that_no_database_holds_is_refused(program: Program) -> None:
    for query in ("tag=%00", "source=%00", "cursor=%00"):
        assert program("GET", f"/contacts?{query}").status_code == 400


def test_a_program_without_a_key_is_told_what_kind_of_key_it_needs(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic eDp5"}):
        answer = client.get("/api/v1/contacts", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer realm=Zaallicht")


def test_the_description_names_the_key_the_errors_and_the_rows_of_batches(client: FlaskClient) -> None:
    described = client.get("/api/openapi.json").json
    assert described["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert described["security"] == [{"key": []}]
    assert set(described["components"]["schemas"]["Problem"]["properties"]) == {
        "type", "title", "status", "detail", "errors",
    }  # fmt: skip
    batch = described["paths"]["/api/v1/participations/batch"]["post"]["requestBody"]
    assert batch["content"]["application/json"]["schema"]["items"] == {"$ref": "#/components/schemas/ParticipationIn"}
    amount = described["components"]["schemas"]["ParticipationIn"]["properties"]["amount"]
    assert (amount["minimum"], amount["maximum"]) == (-1_000_000_000, 1_000_000_000)


def _is_answered(answer: TestResponse, sent: Any) -> None:
    assert answer.status_code < 500, sent
    if answer.status_code < 400:
        return
    assert answer.content_type == "application/problem+json", sent
    said = answer.json
    assert said["status"] == answer.status_code, sent
    assert said["title"], sent
    assert said.get("errors") or answer.status_code != 422, sent
