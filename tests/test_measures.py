"""What /metrics tells an operator, house by house, and that it tells nothing about anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from app import clock, create_app
from app.accounts.models import Organisation
from app.audiences.models import Audience, AudienceRun
from app.consent.clearing.models import Clearance, Clearing
from app.contacts.models import Contact, ImportJob
from app.db import ScopedSession, transaction
from app.demo.demonstration import open_demonstration
from app.measures import MEASURES
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.models import Connection, Heartbeat, InboxItem, SyncProblem
from app.worker import HEARTBEATS, tick
from tests.conftest import NOW, make_house

HOUR = timedelta(hours=1)
Read = Callable[[], dict[tuple[str, str], float]]


@pytest.fixture
def read(client: FlaskClient) -> Read:
    """A function that asks /metrics and returns every number by name and by its one label."""

    def ask() -> dict[tuple[str, str], float]:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        return {
            (sample.name.removeprefix("zaallicht_"), next(iter(sample.labels.values()), "")): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return ask


def connect(session: ScopedSession, **more: Any) -> Connection:
    connection = Connection(
        organisation_id=session.organisation_id, system="pretix", kind="source", name="Kassa", created_at=NOW, **more
    )
    session.add(connection)
    session.flush()
    return connection


def aim(session: ScopedSession, connection: Connection, **more: Any) -> Audience:
    segment = Segment(
        organisation_id=session.organisation_id,
        name="Iedereen",
        rule={"type": "all", "rules": []},
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(segment)
    session.flush()
    audience = Audience(
        organisation_id=session.organisation_id, name="Nieuwsbrief", segment_id=segment.id, purpose="newsletter",
        connection_id=connection.id, list_ref="l1", list_name="Lijst", tag="huis", created_at=NOW, updated_at=NOW,
        **more,
    )  # fmt: skip
    session.add(audience)
    session.flush()
    return audience


def test_a_quiet_house_has_nothing_to_alarm_anybody(organisation: Organisation, read: Read) -> None:
    numbers = read()
    assert numbers["organisations", ""] == 1
    for measure in MEASURES:
        assert numbers[measure.name, str(organisation.id)] == 0, measure.name


def test_webhooks_that_wait_or_died_are_counted_and_aged(
    runtime: Runtime, organisation: Organisation, read: Read
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        connection = connect(session)
        for state, age, due_in in (
            ("waiting", 2, -1),
            ("waiting", 3, 1),
            ("waiting", 1, -1),
            ("dead", 9, 0),
            ("done", 9, 0),
        ):
            session.add(
                InboxItem(
                    organisation_id=organisation.id,
                    connection_id=connection.id,
                    received_at=NOW - age * HOUR,
                    body=b"{}",
                    state=state,
                    next_try_at=NOW + due_in * HOUR,
                )
            )
    numbers, house = read(), str(organisation.id)
    assert numbers["inbox_due", house] == 2
    assert numbers["inbox_oldest_due_seconds", house] == 2 * 3600
    assert numbers["inbox_dead", house] == 1


def test_failing_connections_refused_records_and_imports_are_told_for_their_own_house_only(
    runtime: Runtime, organisation: Organisation, read: Read
) -> None:
    other = make_house(runtime, "De Andere")
    with transaction(runtime.engine, organisation.id) as session:
        failing = connect(session, state="failing", failing_since=NOW - 5 * HOUR)
        connect(session, state="paused", failing_since=NOW - 9 * HOUR)
        session.add(
            SyncProblem(
                organisation_id=organisation.id,
                connection_id=failing.id,
                stream="orders",
                external_id="ABC",
                code="unknown_activity",
                occurred_at=NOW,
            )
        )
        for state, age in (("queued", 2), ("failed", 3), ("failed", 30), ("done", 1)):
            session.add(
                ImportJob(
                    organisation_id=organisation.id,
                    kind="contacts",
                    preset="own",
                    file_name="lijst.csv",
                    content_sha256=b"x",
                    state=state,
                    created_at=NOW - age * HOUR,
                    finished_at=NOW - age * HOUR,
                )
            )
    numbers = read()
    told = {name: value for (name, house), value in numbers.items() if house == str(organisation.id) and value}
    assert told == {
        "connections_failing": 1,
        "connections_failing_seconds": 5 * 3600,
        "records_refused": 1,
        "imports_waiting_seconds": 2 * 3600,
        "imports_failed": 1,
    }
    assert not [value for (_, house), value in numbers.items() if house == str(other.id) and value]


def test_runs_held_back_are_told_until_somebody_looked(
    runtime: Runtime, organisation: Organisation, read: Read
) -> None:
    def add_run(state: str, **more: Any) -> None:
        with transaction(runtime.engine, organisation.id) as session:
            audience_id = session.scalars(select(Audience.id)).one()
            session.add(
                AudienceRun(
                    organisation_id=organisation.id,
                    audience_id=audience_id,
                    state=state,
                    trigger="schedule",
                    started_at=NOW - HOUR,
                    finished_at=NOW - HOUR,
                    **({"is_dry": False} | more),
                )
            )

    with transaction(runtime.engine, organisation.id) as session:
        aim(session, connect(session), state="active", opt_outs_pulled_until=NOW - 7 * HOUR)
    house = str(organisation.id)
    add_run("failed")
    add_run("braked")
    add_run("planned", is_dry=True)
    assert read()["audience_runs_braked", house] == 1
    assert read()["audience_runs_failed", house] == 1
    assert read()["opt_outs_unread_seconds", house] == 7 * 3600
    add_run("done")
    assert read()["audience_runs_braked", house] == 0


def test_opt_outs_nobody_acknowledged_are_counted_and_aged(
    runtime: Runtime, organisation: Organisation, read: Read
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        connect(session).kind = "destination"
        session.flush()
        for hours in (1, 2):
            session.add(
                Clearing(
                    organisation_id=organisation.id,
                    kind="opt_out",
                    subject_key=bytes([hours] * 32),
                    source="website",
                    recorded_at=NOW - hours * HOUR,
                )
            )
        session.flush()
        told = select(Clearance).order_by(Clearance.clearing_id)
        first = session.scalars(told).all()[0]
        first.state, first.failing_since, first.failure_code = "failing", NOW, "unreachable"
    numbers, house = read(), str(organisation.id)
    assert numbers["opt_outs_unsent", house] == 2
    assert numbers["opt_outs_unsent_seconds", house] == 2 * 3600
    assert numbers["opt_outs_failing", house] == 1
    assert numbers["opt_outs_repaired", house] == 0


def test_heartbeats_tell_when_they_last_ended_and_whether_they_failed(runtime: Runtime, read: Read) -> None:
    tick(runtime)
    with transaction(runtime.engine, None) as session:
        beat = session.scalars(select(Heartbeat).where(Heartbeat.name == HEARTBEATS[0].name)).one()
        beat.finished_at, beat.failure_code = NOW - HOUR, "OperationalError"
    numbers = read()
    assert {name for kind, name in numbers if kind == "heartbeat_age_seconds"} == {beat.name for beat in HEARTBEATS}
    assert numbers["heartbeat_age_seconds", HEARTBEATS[0].name] == 3600
    assert numbers["heartbeat_failed", HEARTBEATS[0].name] == 1
    assert numbers["heartbeat_failed", HEARTBEATS[1].name] == 0


def test_nothing_about_anybody_is_told(runtime: Runtime, client: FlaskClient) -> None:
    made = open_demonstration(runtime, contacts=100, seed=1, seasons=4)
    told = client.get("/metrics").text
    with transaction(runtime.engine, made.organisation_id) as session:
        people = session.execute(select(Contact.email, Contact.family_name, Contact.phone)).all()
    words = {word for row in people for word in row if word}
    assert len(words) > 100
    assert not [word for word in words if word in told]
    assert "Lantaarn" not in told


def test_only_this_machine_or_whoever_has_the_token_may_ask(app: Flask, runtime: Runtime) -> None:
    asked_from = {"REMOTE_ADDR": "192.0.2.7"}
    assert app.test_client().get("/metrics", environ_overrides=asked_from).status_code == 403
    assert app.test_client().get("/metrics").status_code == 200
    guarded = create_app(replace(runtime, settings=replace(runtime.settings, metrics_token="sesam")))
    asked = {"environ_overrides": asked_from, "headers": {"Authorization": "Bearer sesam"}}
    assert guarded.test_client().get("/metrics", **asked).status_code == 200
    assert guarded.test_client().get("/metrics").status_code == 403
    assert guarded.test_client().get("/metrics", headers={"Authorization": "Bearer Sesam"}).status_code == 403


def test_readiness_names_what_is_missing(client: FlaskClient, runtime: Runtime) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["checks"] == {"database": True, "migrations": True, "worker": False}
    tick(runtime)
    assert client.get("/readyz").status_code == 200
    with clock.set_to(NOW + timedelta(minutes=3)):
        assert client.get("/readyz").get_json()["checks"]["worker"] is False
