"""Webhooks of journeys: rows that steps left, delivered to other systems with patience.

A call is taken (``lease_until``, ``attempts``) and committed before a word is spoken, and settled afterwards; no
transaction is open in between. It is told at least once, always under the same ``webhook-id``, by which the receiver
knows a repetition: a call of which no answer came, or whose worker was killed, is repeated. Every host has its own
queue, side by side, and one that does not answer waits: it keeps nobody else from being called.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, transaction
from app.journeys.models import WebhookCall
from app.keyring import Keyring
from app.runtime import Runtime
from integrations.base import ConnectorError, Permanent, Transient
from integrations.webhooks import call

LEASE = timedelta(minutes=5)
BATCH = 50
HOSTS_AT_ONCE = 8
# Waiting after the first, second, … try; after the last there is no other.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440, 1440))


@dataclass(frozen=True, slots=True)
class _Call:
    id: int
    lease: datetime
    attempts: int
    url: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of a call; ``code`` is ``None`` where the other system has it."""

    call: _Call
    code: str | None = None
    is_final: bool = True
    wait_s: float | None = None
    was_tried: bool = True


def deliver_calls(runtime: Runtime, organisation_id: int) -> int:
    """Tell other systems what is due, once round; returns how many calls were settled for good."""
    with transaction(runtime.engine, organisation_id) as session:
        taken = _take(session)
    if not taken:
        return 0
    queues: defaultdict[str, list[_Call]] = defaultdict(list)
    for one in taken:
        queues[urlsplit(one.url).netloc].append(one)
    speak = partial(_speak_in_turn, runtime, organisation_id, clock.now())
    with ThreadPoolExecutor(HOSTS_AT_ONCE, thread_name_prefix="journey-calls") as threads:
        told = [one for queue in threads.map(speak, queues.values()) for one in queue]
    with transaction(runtime.engine, organisation_id) as session:
        return sum(_settle(session, one) for one in told)


def webhook_secret(keyring: Keyring, organisation_id: int) -> bytes:
    """The secret that the house's webhooks are signed with; its receivers know it."""
    # With the first key, so that a receiver need not learn another when the keyring gets a new one.
    return keyring.derived(f"journey webhooks of {organisation_id}", key_id=keyring.keys[0][0])


def told_secret(keyring: Keyring, organisation_id: int) -> str:
    """The secret as libraries for Standard Webhooks take it."""
    return "whsec_" + base64.b64encode(webhook_secret(keyring, organisation_id)).decode()


def _take(session: ScopedSession) -> list[_Call]:
    row, now = WebhookCall, clock.now()
    free = sa.or_(row.lease_until.is_(None), row.lease_until <= now)
    due = session.scalars(
        sa.select(row)
        .where(row.state == "waiting", row.next_try_at <= now, free)
        .order_by(row.next_try_at, row.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for one in due:
        one.lease_until, one.attempts = now + LEASE, one.attempts + 1
    session.flush()
    return [_Call(one.id, now + LEASE, one.attempts, one.url, one.call_key, _body(one)) for one in due]


def _body(row: WebhookCall) -> bytes:
    """Ids and no more: who may know who it is asks the API with a key of their own."""
    told = {
        "type": "journey.step",
        "timestamp": row.made_at.isoformat(),
        "data": {
            "journey_id": row.journey_id,
            "enrolment_id": row.enrolment_id,
            "step": row.step_id,
            "contact_id": row.contact_id,
        },
    }
    return json.dumps(told).encode()


def _speak_in_turn(runtime: Runtime, organisation_id: int, at: datetime, queue: Sequence[_Call]) -> list[_Told]:
    """Call one host; after a failure that may pass, the others of its queue are not even tried."""
    told: list[_Told] = []
    for one in queue:
        if told and told[-1].code is not None and not told[-1].is_final:
            told.append(_Told(one, told[-1].code, is_final=False, wait_s=told[-1].wait_s, was_tried=False))
        else:
            told.append(_speak(runtime, organisation_id, at, one))
    return told


def _speak(runtime: Runtime, organisation_id: int, at: datetime, one: _Call) -> _Told:
    secret = webhook_secret(runtime.keyring, organisation_id)
    is_open = runtime.settings.allow_loopback_connections
    try:
        call(one.url, one.body, message_id=one.key, secret=secret, sent_at=at, allows_loopback=is_open)
    except Permanent as refused:
        return _Told(one, refused.code)
    except Transient as failed:
        return _Told(one, failed.code, is_final=False, wait_s=failed.retry_after_s)
    except ConnectorError as unknown:
        return _Told(one, unknown.code, is_final=False)
    return _Told(one)


def _settle(session: ScopedSession, told: _Told) -> bool:
    """Write what came of a call, if it is still ours; True where it will not be tried again."""
    now, tries = clock.now(), told.call.attempts
    is_over = told.is_final or (told.was_tried and tries > len(PAUSES))
    values: dict[str, object] = {"lease_until": None, "problem_code": told.code}
    if is_over:
        values |= {"state": "done" if told.code is None else "failed", "settled_at": now}
    else:
        pause = PAUSES[min(tries, len(PAUSES)) - 1]
        values["next_try_at"] = now + max(pause, timedelta(seconds=told.wait_s or 0))
        values["attempts"] = tries if told.was_tried else tries - 1
    return _changed(session, told.call, values) and is_over


def _changed(session: ScopedSession, one: _Call, values: dict[str, object]) -> bool:
    row = WebhookCall
    ours = (row.id == one.id, row.state == "waiting", row.lease_until == one.lease)
    changed: Iterable[int] = session.scalars(
        sa.update(row).where(*ours).values(values).returning(row.id).execution_options(synchronize_session=False)
    )
    return bool(list(changed))
