"""Webhooks of journeys: signed, patient, and nobody waits for one that hangs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
import urllib3.util.connection

from app import clock
from app.accounts.models import Organisation
from app.journeys.calling import deliver_calls, told_secret
from app.journeys.checking import problems_of
from app.journeys.models import WebhookCall
from app.runtime import Runtime
from integrations import webhooks
from integrations.base import Permanent
from tests.journeys.moving.house import API, Walks


class Receiver(ThreadingHTTPServer):
    """Another system on loopback: answers as it is told, and remembers what it heard."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.hangs = threading.Event()
        self.is_hanging = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/arrived"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if self.server.is_hanging:
            self.server.hangs.wait(30)
            return
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    servers = [Receiver(), Receiver()]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers
    for server in servers:
        server.hangs.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Walks:
    settings = dataclasses.replace(runtime.settings, allow_loopback_connections=True)
    return Walks(dataclasses.replace(runtime, settings=settings), organisation)


def walked_past(house: Walks, *urls: str) -> None:
    """Somebody comes to a webhook for each address."""
    house.friend("an")
    journey = house.run({"id": "quiet", "type": "tag", "add": ["x"]})
    [an] = house.come_in(journey, "an")
    for number, url in enumerate(urls):
        values = {
            "organisation_id": house.organisation.id, "journey_id": journey, "enrolment_id": an,
            "step_id": f"h{number}", "contact_id": house.names["an"], "url": url, "call_key": f"msg_{number}",
            "next_try_at": house.now, "made_at": house.now,
        }  # fmt: skip
        house.do(lambda session, values=values: session.execute(sa.insert(WebhookCall).values(values)))


def deliver(house: Walks) -> int:
    with clock.set_to(house.now):
        return deliver_calls(house.runtime, house.organisation.id)


def calls(house: Walks) -> list[WebhookCall]:
    return list(house.do(lambda session: session.scalars(sa.select(WebhookCall).order_by(WebhookCall.id)).all()))


def test_a_call_is_signed_so_that_the_receiver_can_check_it(house: Walks, receivers: list[Receiver]) -> None:
    walked_past(house, receivers[0].url)
    assert deliver(house) == 1
    [(headers, body)] = receivers[0].heard
    secret = base64.b64decode(told_secret(house.runtime.keyring, house.organisation.id).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["data"]["contact_id"] == house.names["an"]
    assert "example.org" not in body.decode(), "ids, and nothing personal"
    assert calls(house)[0].state == "done"
    assert deliver(house) == 0


def test_a_failure_that_may_pass_is_tried_again_later_under_the_same_id(
    house: Walks, receivers: list[Receiver]
) -> None:
    walked_past(house, receivers[0].url)
    receivers[0].answers = [503, 429]
    assert deliver(house) == 0
    assert deliver(house) == 0, "not before its time"
    assert len(receivers[0].heard) == 1
    house.later(minutes=1)
    deliver(house)
    house.later(minutes=5)
    assert deliver(house) == 1
    assert len({headers["webhook-id"] for headers, _ in receivers[0].heard}) == 1
    assert (calls(house)[0].state, calls(house)[0].attempts) == ("done", 3)


def test_a_refusal_is_final_and_a_receiver_that_never_recovers_is_given_up(
    house: Walks, receivers: list[Receiver]
) -> None:
    walked_past(house, receivers[0].url, receivers[1].url)
    receivers[0].answers = [410]
    receivers[1].answers = [500] * 20
    for _ in range(12):
        deliver(house)
        house.later(days=2)
    assert [(one.state, one.problem_code) for one in calls(house)] == [
        ("failed", "refused"),
        ("failed", "server_error"),
    ]
    assert len(receivers[0].heard) == 1
    assert len(receivers[1].heard) == 8


def test_a_webhook_that_hangs_keeps_no_other_host_waiting(
    house: Walks, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "READ_S", 0.3)
    receivers[0].is_hanging = True
    walked_past(house, *[receivers[0].url] * 20, receivers[1].url)
    assert deliver(house) == 1
    assert len(receivers[1].heard) == 1
    assert len(receivers[0].heard) == 1, "after one that hangs, the others of the same host wait untried"
    states = [(one.state, one.attempts, one.problem_code) for one in calls(house)]
    assert states == [("waiting", 1, "no_answer"), *[("waiting", 0, "no_answer")] * 19, ("done", 1, None)]


def test_a_call_of_a_killed_worker_is_made_again_once_its_lease_is_over(
    house: Walks, receivers: list[Receiver]
) -> None:
    walked_past(house, receivers[0].url)
    held = {"attempts": 1, "lease_until": house.now + timedelta(minutes=5)}
    house.do(lambda session: session.execute(sa.update(WebhookCall).values(held)))
    assert deliver(house) == 0
    house.later(minutes=5)
    assert deliver(house) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://127.0.0.1/x", "private_address"),
        ("https://localhost/x", "private_address"),
        ("https://10.0.0.8/x", "private_address"),
        ("https://[::1]/x", "private_address"),
        ("https://[::ffff:10.0.0.1]/x", "private_address"),
        ("https://169.254.169.254/latest", "private_address"),
        ("https://database.internal/x", "private_address"),
        ("http://example.org/x", "insecure_address"),
    ],
)
def test_a_webhook_never_points_inside(house: Walks, url: str, code: str) -> None:
    with pytest.raises(Permanent) as refused:
        webhooks.check_target(url, allows_loopback=False)
    assert refused.value.code == code
    definition = {"trigger": API, "purpose": "newsletter", "steps": [{"id": "h", "type": "webhook", "url": url}]}
    [found] = house.do(lambda session: problems_of(session, definition))
    assert (found.step_id, found.severity, found.code) == ("h", "stops", code)


def test_a_name_that_leads_inside_is_found_out_when_it_is_called(
    house: Walks, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receivers[0].server_port))]
    monkeypatch.setattr(urllib3.util.connection.socket, "getaddrinfo", lambda *_args, **_more: leads)
    closed = dataclasses.replace(house.runtime.settings, allow_loopback_connections=False)
    walked_past(house, f"https://rebound.example:{receivers[0].server_port}/x")
    house.runtime = dataclasses.replace(house.runtime, settings=closed)
    deliver(house)
    assert receivers[0].heard == []
    assert (calls(house)[0].state, calls(house)[0].problem_code) == ("failed", "private_address")
