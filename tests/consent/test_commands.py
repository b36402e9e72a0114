"""The operator's commands about consent."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from app import cli, clock
from app.accounts.models import Organisation
from app.cli import opening
from app.consent.ledger import record_event
from app.consent.models import Permission
from app.db import transaction
from app.runtime import Runtime
from tests.consent.people import a_grant
from tests.consent.test_retention import LATER


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> Organisation:
    monkeypatch.setattr(opening, "started", lambda **_: runtime)
    with transaction(runtime.engine, organisation.id) as session:
        record_event(session, runtime.keyring, a_grant("an@example.org"))
    return organisation


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.cli, ["consent", *words])


def test_prove_finds_and_repairs_what_was_tampered_with(house: Organisation, runtime: Runtime) -> None:
    org = ("--org", str(house.id))
    assert json.loads(run("prove", *org).output) == {"differences": 0, "repaired": 0}
    with transaction(runtime.engine, house.id) as session:
        session.execute(update(Permission).values(reason="soft_opt_in", basis="soft_opt_in"))
    found = run("prove", *org)
    assert found.exit_code == 1
    assert "--repair" in found.output
    assert json.loads(run("prove", *org, "--repair").output) == {"differences": 1, "repaired": 1}
    assert run("prove", *org).exit_code == 0


def test_retention_says_what_would_end_and_ends_it(house: Organisation) -> None:
    org = ("--org", str(house.id))
    with clock.set_to(LATER):
        assert json.loads(run("retention", *org, "--dry-run").output) == {"newsletter": 1}
        assert json.loads(run("retention", *org).output) == {"ended": 1}
        assert json.loads(run("retention", *org, "--dry-run").output) == {}


def test_an_organisation_that_does_not_exist_is_said_so(house: Organisation) -> None:
    assert "no organisation" in run("prove", "--org", "999").output
