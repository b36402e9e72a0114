"""The wall between organisations, tried from outside: every route and every table."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.routing import Rule

from app.accounts.access import declared_access
from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.activities.models import HistoryDue
from app.db import ScopedSession, tenant_tables, transaction
from app.runtime import Runtime
from tests.conftest import make_house, make_user, signed_in
from tests.structure.furnishing import furnish

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What flask-smorest and Flask serve by themselves; none of it knows an organisation.
OPEN_ENDPOINTS = {"api-docs.openapi_json"}


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    undeclared = [
        f"{method} {rule.rule}"
        for rule, method in _routes(app)
        if declared_access(app.view_functions[rule.endpoint], method) is None
    ]
    assert undeclared == []


def test_nobody_gets_past_a_page_without_logging_in(app: Flask, client: FlaskClient) -> None:
    for rule, method in _routes(app):
        declared = declared_access(app.view_functions[rule.endpoint], method)
        if declared is None or declared[0] == "public":
            continue
        answer = client.open(_address(rule.rule, 1), method=method)
        expected = {401} if declared[0] == "scope" else {302, 401}
        assert answer.status_code in expected, f"{method} {rule.rule}: {answer.status_code}"


def test_no_table_shows_or_takes_a_row_of_another_house(runtime: Runtime, organisation: Organisation) -> None:
    other = make_house(runtime, "De Buren")
    furnish(runtime, other.id)
    with transaction(runtime.engine, other.id) as theirs:
        # Empty again by the commit, whoever fills it.
        theirs.execute(insert(HistoryDue).values(organisation_id=other.id, contact_ids=[]))
        filled = {table.name: theirs.execute(select(table)).mappings().first() for table in tenant_tables()}
    empty = [name for name, row in filled.items() if row is None]
    assert empty == [], "furnish() must put a row in every table"
    for table in tenant_tables():
        with transaction(runtime.engine, organisation.id) as ours:
            seen = ours.scalars(select(table.c.organisation_id if table.name != "organisation" else table.c.id)).all()
            assert other.id not in seen, table.name
            with pytest.raises(DBAPIError, match=r"row-level security|facts|permission denied"), ours.begin_nested():
                ours.execute(insert(table).values(**_writable(table.name, dict(filled[table.name] or {}))))
            touched = _try_to_take(ours, table.name, organisation.id)
            assert touched == 0, table.name


def test_no_route_shows_anything_of_another_house(runtime: Runtime, organisation: Organisation, app: Flask) -> None:
    other = make_house(runtime, "De Buren")
    marks = furnish(runtime, other.id)
    admin = make_user(runtime, organisation, "admin")
    with transaction(runtime.engine, organisation.id) as session:
        key = create_api_key(session, runtime.keyring, name="all", scopes=["*"])
    tried = 0
    for rule, method in _routes(app):
        declared = declared_access(app.view_functions[rule.endpoint], method)
        if declared is None:
            continue
        browser = app.test_client() if declared[0] == "scope" else signed_in(app.test_client(), admin)
        headers = {"Authorization": f"Bearer {key}"} if declared[0] == "scope" else {}
        for number in sorted(marks.ids):
            body = {"json": {}} if declared[0] == "scope" and method != "GET" else {}
            answer = browser.open(_address(rule.rule, number), method=method, headers=headers, **body)
            tried += 1
            assert answer.status_code != 500, f"{method} {rule.rule} with {number}"
            for mark in marks.texts:
                assert mark not in answer.get_data(as_text=True), f"{method} {rule.rule} shows {mark}"
            answer.close()
    assert tried > 0
    with transaction(runtime.engine, other.id) as theirs:
        assert marks.still_stand(theirs)


def _routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_ENDPOINTS or rule.endpoint.endswith("static"):
            continue
        for method in METHODS:
            if method in (rule.methods or ()):
                yield rule, method


def _address(rule: str, number: int) -> str:
    """Fill the holes of a route with another house's id; texts get the id as well."""
    return re.sub(r"<[^>]+>", str(number), rule)


def _writable(table: str, row: dict[str, object]) -> dict[str, object]:
    generated = {
        column.name for each in tenant_tables() if each.name == table for column in each.columns if column.computed
    }
    return {name: value for name, value in row.items() if name not in generated}


def _try_to_take(session: ScopedSession, table: str, organisation_id: int) -> int:
    key = "id" if table == "organisation" else "organisation_id"
    try:
        with session.begin_nested():
            taken = session.execute(
                text(f"DELETE FROM {table} WHERE {key} <> :ours RETURNING 1"), {"ours": organisation_id}
            )
            return len(taken.all())
    except DBAPIError:
        return 0
