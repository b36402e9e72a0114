"""The house makes a form: in two minutes, with good defaults, and what cannot be is said."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import Organisation
from app.contacts.forms.definitions import Definition, Interest
from app.contacts.forms.models import SignupForm
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_user, signed_in

GIVEN: dict[str, Any] = {
    "name": "Site", "languages": ["nl", "fr"], "purposes": ["newsletter"], "given_name": "optional",
    "family_name": "off", "postcode": "off", "birth_date": "off", "needs_confirmation": "true", "tag": "van de site",
    "interests": "dans | Dans | Danse | Dance\n\njazz", "title_nl": "Blijf erbij",
    "embed_origins": "https://www.deproef.example/ https://deproef.example",
}  # fmt: skip


@pytest.fixture
def staff(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def stored(runtime: Runtime, organisation: Organisation) -> list[SignupForm]:
    with transaction(runtime.engine, organisation.id) as session:
        return list(session.scalars(select(SignupForm)))


def test_a_form_is_made_changed_and_closed(staff: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    assert staff.get("/forms/").status_code == 200
    assert staff.get("/forms/new").status_code == 200
    assert staff.post("/forms/new", data=GIVEN).status_code == 302
    (form,) = stored(runtime, organisation)
    assert form.is_active
    definition = Definition.read(form.definition)
    assert definition.languages == ("nl", "fr")
    assert definition.interests == (
        Interest("dans", {"nl": "Dans", "fr": "Danse", "en": "Dance"}),
        Interest("jazz", {}),
    )
    assert definition.embed_origins == ("https://www.deproef.example", "https://deproef.example")
    page = staff.get(f"/forms/{form.id}").text
    assert f"/f/{form.code}" in page
    assert "Blijf erbij" in staff.application.test_client().get(f"/f/{form.code}").text
    assert staff.post(f"/forms/{form.id}", data=GIVEN | {"name": "Oud"}).status_code == 302
    (form,) = stored(runtime, organisation)
    assert (form.name, form.is_active) == ("Oud", False)
    assert "Oud" in staff.get("/forms/").text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"languages": []},
        {"languages": ["de"]},
        {"purposes": []},
        {"purposes": ["service"]},
        {"purposes": ["nonsense"]},
        {"birth_date": "maybe"},
        {"embed_origins": "deproef.example"},
        {"embed_origins": "https://x.example; script-src *"},
        {"embed_origins": "https://x.example/path"},
        {"embed_origins": "javascript://x.example"},
        {"embed_origins": "https://*"},
        {"embed_origins": "https://x.example'"},
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    staff: FlaskClient, runtime: Runtime, organisation: Organisation, changes: dict[str, Any]
) -> None:
    answer = staff.post("/forms/new", data=GIVEN | changes)
    assert answer.status_code == 422
    assert stored(runtime, organisation) == []


def test_a_viewer_sees_how_forms_do_and_changes_none(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert client.get("/forms/").status_code == 200
    assert client.get("/forms/new").status_code == 403
    assert client.post("/forms/new", data=GIVEN).status_code == 403
