"""People over REST."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_house

CONTACTS = "/api/v1/contacts"
AN = {
    "email": "an@example.org", "identities": [{"kind": "kassa:customer", "value": "7"}], "given_name": "An",
    "birth_date": "1980-02-29", "tags": ["vriend"], "attributes": {"plaats": "A1"},
}  # fmt: skip


class Program:
    """A program with a key of one house."""

    def __init__(self, client: FlaskClient, runtime: Runtime, house: Organisation) -> None:
        with transaction(runtime.engine, house.id) as session:
            key = create_api_key(session, runtime.keyring, name="kassa", scopes=["*"])
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Any = None) -> TestResponse:
        return self.client.open(path, method=method, json=body, headers=self.headers)


@pytest.fixture
def program(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Program:
    return Program(client, runtime, organisation)


def test_a_person_is_created_then_updated_then_unchanged(program: Program) -> None:
    made = program("PUT", CONTACTS, AN)
    assert (made.status_code, made.json["email"], made.json["tags"]) == (201, "an@example.org", ["vriend"])
    assert {each["kind"] for each in made.json["identities"]} == {"email", "kassa:customer"}
    changed = program("PUT", CONTACTS, {"identities": AN["identities"], "family_name": "Peeters"})
    assert (changed.status_code, changed.json["id"]) == (200, made.json["id"])
    assert (changed.json["given_name"], changed.json["family_name"]) == ("An", "Peeters")
    again = program("PUT", CONTACTS, AN)
    assert again.json["updated_at"] == changed.json["updated_at"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "identities"),
        ({"email": "geen adres"}, "email"),
        ({"email": "an@example.org", "birth_date": "29/02/1980"}, "birth_date"),
        ({"email": "an@example.org", "country": "België"}, "country"),
        ({"email": "an@example.org", "birth_date": "2999-01-01"}, "birth_date"),
        ({"email": "an@example.org", "passes": [{"programme": "uitpas"}]}, "passes.0.number"),
        ({"email": "an@example.org", "passes": [{"programme": "uitpas", "number": "--"}]}, "passes"),
        ({"identities": [{"kind": "email", "value": "x"}]}, "identities.0.value"),
        ({"email": "an@example.org", "shoe_size": 43}, "shoe_size"),
    ],
)
def test_what_is_wrong_is_said_by_field(program: Program, body: dict[str, Any], field: str) -> None:
    answer = program("PUT", CONTACTS, body)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert list(answer.json["errors"]) == [field]


def test_identities_of_two_people_are_refused(program: Program) -> None:
    program("PUT", CONTACTS, AN)
    program("PUT", CONTACTS, {"email": "bo@example.org"})
    answer = program("PUT", CONTACTS, AN | {"email": "bo@example.org"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["identities"])


def test_a_batch_keeps_the_good_rows_and_names_the_bad_ones(program: Program) -> None:
    answer = program("POST", f"{CONTACTS}/batch", [AN, {"email": "geen adres"}, "niets", {"email": "bo@example.org"}])
    assert answer.status_code == 200
    assert [(row["index"], row.get("error")) for row in answer.json] == [
        (0, None), (1, "invalid"), (2, "invalid"), (3, None),
    ]  # fmt: skip
    assert list(answer.json[1]["errors"]) == ["email"]
    assert program("GET", f"{CONTACTS}/{answer.json[3]['id']}").json["email"] == "bo@example.org"


def test_a_batch_over_the_limit_or_of_another_shape_is_refused(program: Program) -> None:
    assert program("POST", f"{CONTACTS}/batch", [{}] * 1001).status_code == 422
    assert program("POST", f"{CONTACTS}/batch", {"rows": []}).status_code == 422
    assert program("POST", f"{CONTACTS}/batch", {"items": [AN]}).json[0]["outcome"] == "created"


def test_people_are_listed_page_by_page_without_gaps(program: Program) -> None:
    program("POST", f"{CONTACTS}/batch", [{"email": f"p{n}@example.org"} for n in range(25)])
    seen: list[int] = []
    cursor = ""
    while True:
        page = program("GET", f"{CONTACTS}?limit=10{cursor}").json
        seen += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 25
    found = program("GET", f"{CONTACTS}?email=P7@example.org").json["items"]
    assert [row["email"] for row in found] == ["p7@example.org"]
    assert program("GET", f"{CONTACTS}?updated_since=2030-01-01T00:00:00Z").json["items"] == []
    assert program("GET", f"{CONTACTS}?cursor=onzin").status_code == 422


def test_an_erased_person_is_gone(program: Program) -> None:
    made = program("PUT", CONTACTS, AN).json
    assert program("DELETE", f"{CONTACTS}/{made['id']}").status_code == 204
    assert program("GET", f"{CONTACTS}/{made['id']}").status_code == 404
    assert program("DELETE", f"{CONTACTS}/{made['id']}").status_code == 404
    assert program("GET", f"{CONTACTS}?email=an@example.org").json["items"] == []
    assert len(program("GET", "/api/v1/suppressions").json["items"]) == 1


def test_two_people_are_merged_and_parted(program: Program) -> None:
    an, bo = (program("PUT", CONTACTS, {"email": f"{name}@example.org"}).json["id"] for name in ("an", "bo"))
    merged = program("POST", f"{CONTACTS}/{an}/merge", {"into": bo})
    assert (merged.json["id"], len(merged.json["identities"])) == (bo, 2)
    assert program("GET", f"{CONTACTS}/{an}").json["merged_into_id"] == bo
    assert program("POST", f"{CONTACTS}/{bo}/merge", {"into": bo}).status_code == 422
    parted = program("POST", f"{CONTACTS}/{an}/unmerge")
    assert (parted.json["state"], parted.json["email"]) == ("living", "an@example.org")
    assert program("POST", f"{CONTACTS}/{an}/unmerge").status_code == 409


def test_activities_and_participations_come_in(program: Program) -> None:
    show = {
        "source": "kassa",
        "external_id": "v1",
        "title": "Dans",
        "genres": ["dans"],
        "starts_at": "2026-12-04T20:00:00+01:00",
    }
    assert program("PUT", "/api/v1/activities", show).status_code == 201
    assert program("PUT", "/api/v1/activities", show).json["outcome"] == "unchanged"
    line = {
        "source": "kassa", "external_id": "t1", "contact": {"email": "an@example.org"},
        "activity": {"source": "kassa", "external_id": "v1"}, "quantity": 2, "amount": 37.5, "status": "booked",
    }  # fmt: skip
    made = program("PUT", "/api/v1/participations", line)
    assert made.status_code == 201
    held = program("GET", f"{CONTACTS}/{made.json['contact_id']}/export").json["held"]
    assert held["participation"][0]["activity_on"] == "2026-12-04"
    rows = [
        line,
        line | {"external_id": "t2", "activity": {"source": "kassa", "external_id": "v9"}},
        line | {"status": "kwijt"},
    ]
    answers = program("POST", "/api/v1/participations/batch", rows).json
    assert [row.get("error") for row in answers] == [None, "unknown_activity", "invalid"]
    assert [list(row["errors"]) for row in answers[1:]] == [["activity"], ["status"]]
    batch = program("POST", "/api/v1/activities/batch", [show, {"source": "kassa"}]).json
    assert (batch[0]["outcome"], sorted(batch[1]["errors"])) == ("unchanged", ["external_id", "title"])


def test_no_program_reaches_the_people_of_another_house(
    program: Program, client: FlaskClient, runtime: Runtime
) -> None:
    made = program("PUT", CONTACTS, AN).json["id"]
    mine = program("PUT", CONTACTS, {"email": "bo@example.org"}).json["id"]
    other = Program(client, runtime, make_house(runtime, "Het Andere"))
    for method, path, body in (
        ("GET", "", None), ("DELETE", "", None), ("GET", "/export", None), ("POST", "/merge", {"into": mine}),
        ("POST", "/unmerge", None),
    ):  # fmt: skip
        assert other(method, f"{CONTACTS}/{made}{path}", body).status_code == 404, path
    assert other("GET", CONTACTS).json["items"] == []
    assert program("GET", f"{CONTACTS}/{made}").json["state"] == "living"


def test_without_the_scope_nothing_is_shown(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        key = create_api_key(session, runtime.keyring, name="lezer", scopes=["contacts:read"])
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get(CONTACTS, headers=headers).status_code == 200
    assert client.put(CONTACTS, json=AN, headers=headers).status_code == 403
    assert client.put("/api/v1/activities", json={}, headers=headers).status_code == 403


def test_passes_come_with_the_person_and_are_refused_to_another(program: Program) -> None:
    card = {"programme": "UiTPAS", "number": "0901 2345", "expires_on": "2027-06-30"}
    made = program("PUT", CONTACTS, {**AN, "passes": [card]})
    assert made.json["passes"] == [
        {"programme": "uitpas", "number": "0901 2345", "status": "valid", "valid_from": None,
         "expires_on": "2027-06-30", "points": None}
    ]  # fmt: skip
    changed = program("PUT", CONTACTS, {**AN, "passes": [{"programme": "uitpas", "number": "09012345", "points": 4}]})
    assert (changed.json["passes"][0]["points"], changed.json["passes"][0]["expires_on"]) == (4, "2027-06-30")
    other = program("PUT", CONTACTS, {"email": "bo@example.org", "passes": [card]})
    assert (other.status_code, list(other.json["errors"])) == (422, ["passes"])
    assert program("GET", f"{CONTACTS}?email=bo@example.org").json["items"] == [], "nothing is half saved"
    rows = program("POST", f"{CONTACTS}/batch", [{"email": "bo@example.org", "passes": [card]}]).json
    assert (rows[0]["outcome"], rows[0]["error"]) == ("created", "pass_of_another")


def test_events_of_mails_are_told_row_by_row(program: Program) -> None:
    program("PUT", CONTACTS, AN)
    an = {"kind": "email", "value": "AN@example.org"}
    told = {"contact": an, "event": "delivered", "occurred_at": "2026-11-19T10:00:00Z", "external_id": "1"}
    rows = [told, told | {"event": "opened", "external_id": "2"}, told | {"contact": an | {"value": "x@example.org"}},
            told | {"event": "seen"}]  # fmt: skip
    answer = program("POST", "/api/v1/mail-events/batch", rows)
    assert [row.get("outcome") or row["error"] for row in answer.json] == [
        "recorded", "passed_over", "unknown_contact", "invalid",
    ]  # fmt: skip
    assert program("POST", "/api/v1/mail-events/batch", [told]).json[0]["outcome"] == "passed_over"


def test_a_birth_that_is_still_to_come_is_refused_in_words(program: Program) -> None:
    answer = program("PUT", CONTACTS, {"email": "an@example.org", "birth_date": "2999-01-01"})
    assert answer.json["errors"] == {"birth_date": ["Op deze dag is nog niemand geboren. Kijk het jaar na."]}
