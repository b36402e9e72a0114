"""What segment-rules.md promises, seen from outside."""

from __future__ import annotations

import pytest

from tests.outside.conftest import Program

NAME = "İbrahim ΣΟΦΟΣ"
PROFILE = {"type": "profile", "field": "given_name"}


@pytest.mark.parametrize(
    "rule",
    [
        PROFILE | {"op": "is", "value": NAME},
        PROFILE | {"op": "in", "value": ["An", f" {NAME} "]},
        PROFILE | {"op": "contains", "value": "ΟΦΟΣ"},
        PROFILE | {"op": "starts_with", "value": "İb"},
        {"type": "tag", "tag": NAME},
        {"type": "participation", "at_least": 1, "where": {"genres": [NAME], "venues": [NAME], "channels": [NAME]}},
    ],
    ids=["is", "in", "contains", "starts_with", "tag", "where"],
)
def test_a_text_equals_itself_whatever_its_capitals(program: Program, rule: dict[str, object]) -> None:
    person = {"email": "an@example.org", "given_name": NAME, "tags": [NAME]}
    assert program("PUT", "/contacts", person).status_code == 201
    activity = {"source": "kassa", "external_id": "1"}
    assert program("PUT", "/activities", activity | {"title": "T", "genres": [NAME], "venue": NAME}).status_code == 201
    ticket = {"source": "kassa", "external_id": "1", "contact": {"email": "an@example.org"}, "activity": activity}
    assert program("PUT", "/participations", ticket | {"channel": NAME}).status_code == 201
    answer = program("POST", "/segments/preview", {"rule": rule})
    assert (answer.status_code, answer.json["count"]) == (200, 1)
