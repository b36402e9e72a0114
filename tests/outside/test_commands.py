"""What the operator types, and what comes back when it makes no sense."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from app import cli
from app.accounts.models import Organisation
from app.cli import opening
from app.runtime import Runtime


@pytest.fixture(autouse=True)
def _running(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "started", lambda **_: runtime)


def test_an_organisation_without_a_name_is_refused() -> None:
    refused = CliRunner().invoke(cli.cli, ["org", "create", " "])
    assert (refused.exit_code, "not empty" in refused.output) == (2, True)
    made = CliRunner().invoke(cli.cli, ["org", "create", " De Proef "])
    assert (made.exit_code, list(json.loads(made.output))) == (0, ["id"])


def test_somebody_who_logs_in_has_an_address(organisation: Organisation) -> None:
    words = ["--org", str(organisation.id), "--role", "viewer", "--password-stdin"]
    refused = CliRunner().invoke(cli.cli, ["user", "create", "robin", *words], input="een lang wachtwoord\n")
    assert (refused.exit_code, "valid e-mail address" in refused.output) == (2, True)
    made = CliRunner().invoke(cli.cli, ["user", "create", "robin@example.org", *words], input="een lang wachtwoord\n")
    assert (made.exit_code, list(json.loads(made.output))) == (0, ["id"])
