"""The pages of journeys: what they show, to whom, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.conftest import make_house, make_user, signed_in
from tests.journeys.moving.house import API, Walks, tag, wait, when

Json = dict[str, Any]
HAS_TAG: Json = {"type": "tag", "tag": "vriend"}
NOTHING: Json = {"steps": []}


@pytest.fixture
def marketer(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def text(answer: TestResponse, status: int = 200) -> str:
    assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
    return answer.get_data(as_text=True)


def make(client: FlaskClient, name: str = "Welkom") -> str:
    answer = client.post("/journeys/new", data={"name": name})
    assert answer.status_code == 302
    return str(answer.location)


def keep(client: FlaskClient, definition: Any, *, edition: int, journey: int = 1) -> TestResponse:
    return client.post(f"/journeys/{journey}/draft", json={"definition": definition, "edition": edition})


# --- the list and the builder ----------------------------------------------------------------------------------------


def test_a_house_without_journeys_reads_what_they_are_for(marketer: FlaskClient) -> None:
    assert "Nog geen trajecten" in text(marketer.get("/journeys/"))


def test_a_new_journey_opens_in_the_builder_and_stands_in_the_list(marketer: FlaskClient) -> None:
    build = make(marketer)
    assert build.endswith("/journeys/1/build")
    assert "Welkom" in text(marketer.get(build))
    listed = text(marketer.get("/journeys/"))
    assert "Nog niets start dit traject." in listed
    assert "Concept" in listed


def test_a_name_that_is_taken_is_said_at_the_field(marketer: FlaskClient) -> None:
    make(marketer)
    answer = marketer.post("/journeys/new", data={"name": "WELKOM"})
    assert "Er is al een traject met deze naam." in text(answer, 422)


def test_the_draft_is_kept_and_told_with_what_is_missing(marketer: FlaskClient) -> None:
    make(marketer)
    steps = [{"id": "a", "type": "send", "mailing": None}, wait("b", "P2D", at="10:00")]
    answer = keep(marketer, {"trigger": None, "purpose": "newsletter", "steps": steps}, edition=1)
    assert answer.status_code == 200
    kept = answer.get_json()
    assert kept["edition"] == 2
    assert kept["story"]["steps"] == {"a": "Mail (kies een mailing)", "b": "Wacht 2 dagen, tot 10:00"}
    assert {(one["path"], one["sentence"]) for one in kept["problems"]} == {
        ("trigger", "Kies waarover het gaat."),
        ("steps.0.mailing", "Kies een mailing, of schrijf een nieuwe."),
    }


def test_two_editors_do_not_write_over_each_other(marketer: FlaskClient) -> None:
    make(marketer)
    keep(marketer, {"steps": [tag("mine")]}, edition=1)
    answer = keep(marketer, {"steps": [tag("theirs")]}, edition=1)
    assert answer.status_code == 409
    assert answer.get_json()["edition"] == 2
    assert "mine" in text(marketer.get("/journeys/1/build"))


@pytest.mark.parametrize("body", [[], "x", {"definition": [], "edition": 1}, {"definition": None}, {"edition": "1"}])
def test_what_is_no_draft_is_refused_in_words(marketer: FlaskClient, body: Any) -> None:
    make(marketer)
    assert marketer.post("/journeys/1/draft", json=body).status_code in (400, 422)


def test_somebody_who_only_looks_cannot_build(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    marketer = make_user(runtime, organisation, "marketer")
    make(signed_in(client, marketer))
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.get("/journeys/1/build").status_code == 403
    assert keep(viewer, NOTHING, edition=1).status_code == 403
    assert "Nieuw traject" not in text(viewer.get("/journeys/"))
    assert "Welkom" in text(viewer.get("/journeys/1"))


def test_a_mailing_begins_from_a_step_and_is_of_the_journeys(marketer: FlaskClient) -> None:
    make(marketer)
    first = marketer.post("/journeys/1/mailing", json={"name": "Bedankt"}).get_json()
    second = marketer.post("/journeys/1/mailing", json={"name": "Bedankt"}).get_json()
    assert first["name"] != second["name"]
    assert "Bedankt" in text(marketer.get("/journeys/1/build"))


def test_a_copy_a_new_name_and_a_goodbye(marketer: FlaskClient) -> None:
    make(marketer)
    assert str(marketer.post("/journeys/1/copy").location).endswith("/journeys/2/build")
    marketer.post("/journeys/2/rename", data={"name": "Afscheid"})
    assert "Afscheid" in text(marketer.get("/journeys/2/build"))
    marketer.post("/journeys/2/remove")
    assert marketer.get("/journeys/2/build").status_code == 404


# --- publishing ------------------------------------------------------------------------------------------------------


def test_publishing_shows_changes_with_head_counts_and_does_what_was_said(marketer: FlaskClient, house: Walks) -> None:
    for name in ("An", "Bob", "Cas"):
        house.friend(name)
    journey = house.run(wait("w"), wait("v", "P3D"))
    house.come_in(journey, "An", "Bob")
    house.move()
    house.edit(journey, wait("w", "P5D"), tag("t"))
    shown = text(marketer.get(f"/journeys/{journey}/publish"))
    assert "2 mensen" in shown
    assert "Wacht 5 dagen" in shown
    assert 'value="move"' in shown
    answer = marketer.post(f"/journeys/{journey}/publish", data={"edition": 2, "fate-w": "end"})
    assert str(answer.location).endswith(f"/journeys/{journey}")
    page = text(marketer.get(f"/journeys/{journey}"))
    assert "Versie 2 is gepubliceerd." in page
    assert "iemand heeft het voor hen beëindigd" in text(marketer.get(f"/journeys/{journey}/people"))
    assert "Wacht 5 dagen" in text(marketer.get(f"/journeys/{journey}/versions/2"))


def test_a_draft_that_was_changed_since_is_not_published(marketer: FlaskClient, house: Walks) -> None:
    journey = house.run(wait("w"))
    house.edit(journey, tag("t"))
    marketer.post(f"/journeys/{journey}/publish", data={"edition": 1})
    assert "Versie 2" not in text(marketer.get(f"/journeys/{journey}"))


def test_an_unfinished_draft_cannot_be_published(marketer: FlaskClient) -> None:
    make(marketer)
    assert "disabled" in text(marketer.get("/journeys/1/publish"))
    marketer.post("/journeys/1/publish", data={"edition": 1})
    assert "Concept" in text(marketer.get("/journeys/1"))


def test_a_pause_holds_people_and_resuming_asks_about_what_is_overdue(marketer: FlaskClient, house: Walks) -> None:
    house.friend("An")
    journey = house.run(wait("w", "PT1S"), tag("t"))
    house.come_in(journey, "An")
    house.move()
    marketer.post(f"/journeys/{journey}/pause")
    assert "Gepauzeerd" in text(marketer.get(f"/journeys/{journey}"))
    assert marketer.post(f"/journeys/{journey}/pause").status_code == 302
    assert "Hervatten" in text(marketer.get(f"/journeys/{journey}/resume"))
    marketer.post(f"/journeys/{journey}/resume", data={"overdue": "skip"})
    assert "Loopt" in text(marketer.get(f"/journeys/{journey}"))
    marketer.post(f"/journeys/{journey}/archive")
    assert "Gearchiveerd" in text(marketer.get("/journeys/"))


# --- numbers and people ----------------------------------------------------------------------------------------------


def test_every_step_has_its_numbers_and_they_lead_to_people(marketer: FlaskClient, house: Walks) -> None:
    house.friend("An", tags=["vriend"])
    house.friend("Bob")
    journey = house.run(when("c", HAS_TAG, [wait("w")], [tag("t")]))
    house.come_in(journey, "An", "Bob")
    house.move()
    page = text(marketer.get(f"/journeys/{journey}"))
    assert f"/journeys/{journey}/people?step=c&amp;what=entered" in page
    waiting = text(marketer.get(f"/journeys/{journey}/people?step=w&what=waiting"))
    assert "An" in waiting
    assert "Bob" not in waiting
    assert marketer.get(f"/journeys/{journey}/people?what=nonsense").status_code == 404


def test_the_way_of_one_person_shows_each_decision_and_what_it_saw(marketer: FlaskClient, house: Walks) -> None:
    contact = house.friend("An", tags=["vriend"])
    journey = house.run(when("c", HAS_TAG, [wait("w")], [tag("t")]))
    [enrolment] = house.come_in(journey, "An")
    house.move()
    page = text(marketer.get(f"/journeys/{journey}/people/{enrolment}"))
    assert "Kies een weg" in page
    assert "→" in page
    assert "Wacht 1 dag" in page
    assert marketer.get(f"/journeys/{journey + 1}/people/{enrolment}").status_code == 404
    assert "Reis 0" in text(marketer.get(f"/journeys/of/{contact}"))
    assert "Reis 0" in text(marketer.get(f"/contacts/{contact}"))


def test_a_held_step_says_why(marketer: FlaskClient, house: Walks) -> None:
    house.friend("An")
    journey = house.run(wait("w"), tag("t"))
    [enrolment] = house.come_in(journey, "An")
    house.set("enrolment", enrolment, step_id="t", held_because="segment_gone")
    assert "een segment is verwijderd" in text(marketer.get(f"/journeys/{journey}"))
    assert "An" in text(marketer.get(f"/journeys/{journey}/people?step=t&what=held"))


# --- looking before it runs ------------------------------------------------------------------------------------------


def test_a_person_is_found_and_walked_through_from_a_day_on(marketer: FlaskClient, house: Walks) -> None:
    contact = house.friend("An")
    journey = house.run(wait("w", "P2D", at="10:00"), house.send("m"))
    assert f"contact={contact}" in text(marketer.get(f"/journeys/{journey}/simulate?q=An"))
    page = text(marketer.get(f"/journeys/{journey}/simulate?contact={contact}&on=2027-03-27&time=09:00"))
    assert "29 maart 2027" in page or "29/03/2027" in page or "29 mrt" in page
    invented = text(marketer.get(f"/journeys/{journey}/simulate?invented=1&language=fr&no_mail=1"))
    assert "nee" in invented


@pytest.mark.parametrize(
    "query",
    ["contact=999999", "contact=-1", "on=nonsense&invented=1", "on=0001-01-01&invented=1", "invented=1&birth_date=x"],
)
def test_nonsense_in_the_address_breaks_nothing(marketer: FlaskClient, house: Walks, query: str) -> None:
    journey = house.run(wait("w"))
    assert marketer.get(f"/journeys/{journey}/simulate?{query}").status_code in (200, 404)


def test_an_unfinished_journey_says_so_when_it_is_simulated(marketer: FlaskClient) -> None:
    make(marketer)
    assert "nog niet af" in text(marketer.get("/journeys/1/simulate?invented=1"))


def test_a_rehearsal_from_begin_to_end(marketer: FlaskClient, house: Walks) -> None:
    contact = house.friend("An")
    journey = house.run(wait("w"), house.send("m"))
    assert "An" in text(marketer.get(f"/journeys/{journey}/rehearsal?q=An"))
    marketer.post(f"/journeys/{journey}/rehearsal", data={"contact": [contact]})
    house.move()
    marketer.post(f"/journeys/{journey}/rehearsal/go-on")
    house.later(seconds=5)
    house.move()
    page = text(marketer.get(f"/journeys/{journey}/rehearsal"))
    assert "/v/" in page
    assert "Mail m" in page
    marketer.post(f"/journeys/{journey}/rehearsal/release", data={"expected": 7})
    assert house.mails()[0][2] == "draft"
    marketer.post(f"/journeys/{journey}/rehearsal/discard")
    assert house.mails()[0][2] == "cancelled"


def test_a_journey_of_the_neighbours_is_not_there(marketer: FlaskClient, house: Walks, runtime: Runtime) -> None:

    other = Walks(runtime, make_house(runtime, "De Buren"))
    theirs = other.run(wait("w"), trigger=API)
    for path in ("", "/build", "/people", "/simulate", "/rehearsal", "/publish", "/versions/1"):
        assert marketer.get(f"/journeys/{theirs + 1000}{path}").status_code == 404
        if theirs not in (1,):
            assert marketer.get(f"/journeys/{theirs}{path}").status_code == 404
    assert "Reis" not in text(marketer.get("/journeys/"))
