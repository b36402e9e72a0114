"""The forms over the REST API: where they are, and how they do."""

from __future__ import annotations

from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.contacts.forms.definitions import Definition, create_form
from app.db import transaction
from app.runtime import Runtime


def test_a_program_finds_the_forms_with_their_address_and_numbers(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        key = create_api_key(session, runtime.keyring, name="site", scopes=["consents:read"])
        definition = Definition(languages=("nl",), purposes=("newsletter",), tag="site")
        form = create_form(session, runtime.keyring, "Op de site", definition)
    client.get(f"/f/{form.code}")
    (listed,) = client.get("/api/v1/forms", headers={"Authorization": f"Bearer {key}"}).get_json()
    assert listed["url"].endswith(f"/f/{form.code}")
    assert (listed["name"], listed["tag"], listed["purposes"]) == ("Op de site", "site", ["newsletter"])
    assert listed["ever"] == listed["last_30_days"] == {"shown": 1, "sent": 0, "confirmed": 0}
    assert client.get("/api/v1/forms").status_code == 401
