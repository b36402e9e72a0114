"""A small house with three people and a marketer who works there, for the tests of pages."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.segments.filling import Filled
from tests.segments.kept import DANCE
from tests.segments.people import move_in, person, visits


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Filled:
    with transaction(runtime.engine, organisation.id) as session:
        return move_in(
            session,
            person(1, *visits(5), given_name="Ada", family_name="=cmd|' /C calc'!A0", municipality="Gent"),
            person(2, *visits(3, activity=DANCE), given_name="Bo", family_name="<b>Peeters</b>"),
            person(3, *visits(90), given_name="Cas", family_name="Claes"),
        )


@pytest.fixture
def marketer(client: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))
