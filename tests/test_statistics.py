"""The planner knows a house from its first people on."""

from __future__ import annotations

from sqlalchemy import text

from app import worker
from app.accounts.models import Organisation
from app.contacts.ingest import upsert_contacts
from app.db import transaction
from app.runtime import Runtime
from integrations.base import ContactRecord
from tests.conftest import NOW

ANALYSED = "SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND relname = 'contact'"


def test_a_house_of_eleven_people_is_analysed_and_then_left_alone(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        people = [ContactRecord("counter", (), email=f"guest{number}@example.org") for number in range(11)]
        upsert_contacts(session, runtime.keyring, people, actor="import", at=NOW)
        # What a transaction did is counted when the server finds the time; a test cannot wait for that.
        session.execute(text("SELECT pg_stat_force_next_flush()"))
    assert worker.tick(runtime, only="statistics")["statistics"] > 0
    with transaction(runtime.engine, None) as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
    with transaction(runtime.engine, None) as session:
        assert session.scalar(text(ANALYSED)) == 1
    worker.tick(runtime, only="statistics")
    assert worker.tick(runtime, only="statistics")["statistics"] == 0
