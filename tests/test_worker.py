"""What makes the heartbeats beat."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from app import worker
from app.accounts.models import Organisation
from app.runtime import Runtime
from app.worker import Heartbeat, scheduled


def test_a_heartbeat_that_had_to_wait_for_a_thread_is_not_skipped_until_its_next_time(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten = threading.Event()
    late = Heartbeat("late", timedelta(hours=6), lambda _runtime, _organisation_id: beaten.set() or 0)  # type: ignore[func-returns-value]
    monkeypatch.setattr(worker.clock, "now", lambda: organisation.created_at - timedelta(minutes=5))
    scheduler = scheduled(runtime, [late])
    monkeypatch.undo()
    scheduler.start()
    try:
        assert beaten.wait(30), "its time was five minutes ago"
    finally:
        scheduler.shutdown(wait=True)
