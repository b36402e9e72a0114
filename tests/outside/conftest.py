"""A program outside the house: it knows the page that describes the API, a key, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime


class Program:
    """Calls the REST API with a key of one house."""

    def __init__(self, client: FlaskClient, runtime: Runtime, house: Organisation, *scopes: str) -> None:
        with transaction(runtime.engine, house.id) as session:
            key = create_api_key(session, runtime.keyring, name="kassa", scopes=list(scopes or ["*"]))
        self.client, self.headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Any = None) -> TestResponse:
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=self.headers)

    def raw(self, method: str, path: str, body: str) -> TestResponse:
        """Send a body as it is."""
        headers = self.headers | {"Content-Type": "application/json"}
        return self.client.open(f"/api/v1{path}", method=method, data=body, headers=headers)


@pytest.fixture
def program(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Program:
    return Program(client, runtime, organisation)
