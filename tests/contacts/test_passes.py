"""Passes: kept once each, brought up to date, and never moved to somebody else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Pass
from app.contacts.passes import PassRecord, upsert_passes
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ContactRecord
from tests.conftest import NOW


@pytest.fixture
def people(session: ScopedSession, runtime: Runtime) -> list[int]:
    records = [ContactRecord("csv", (), email=f"{name}@example.org") for name in ("an", "bo")]
    stored = upsert_contacts(session, runtime.keyring, records, actor="import", at=NOW)
    return [one.contact_id for one in stored if one.contact_id is not None]


def card(contact_id: int, number: str = "0901 23.45", **more: Any) -> PassRecord:
    return PassRecord(contact_id, "UiTPAS ", number, "csv", **more)


def held(session: ScopedSession) -> list[tuple[int, str, str, date | None, int | None]]:
    columns = (Pass.contact_id, Pass.programme, Pass.status, Pass.expires_on, Pass.points)
    return [tuple(row) for row in session.execute(select(*columns).order_by(Pass.id))]


def test_a_pass_that_is_said_again_is_brought_up_to_date_by_what_is_said(
    session: ScopedSession, people: list[int]
) -> None:
    an, _ = people
    end = date(2027, 6, 30)
    assert upsert_passes(session, [card(an, expires_on=end, points=3)], at=NOW) == [None]
    assert upsert_passes(session, [card(an, "09012345", points=5), card(an, status="stopped")], at=NOW) == [None, None]
    assert held(session) == [(an, "uitpas", "stopped", end, 5)]


def test_what_changes_nothing_leaves_no_trace(session: ScopedSession, people: list[int]) -> None:
    upsert_passes(session, [card(people[0], points=3)], at=NOW)
    stamp = session.scalar(select(Pass.updated_at))
    upsert_passes(session, [card(people[0], points=3)], at=NOW.replace(year=2027))
    session.expire_all()
    assert session.scalar(select(Pass.updated_at)) == stamp


def test_a_pass_of_somebody_else_is_refused_and_stays(session: ScopedSession, people: list[int]) -> None:
    an, bo = people
    upsert_passes(session, [card(an)], at=NOW)
    assert upsert_passes(session, [card(bo, points=9), card(bo, "other")], at=NOW) == ["pass_of_another", None]
    assert [row[0] for row in held(session)] == [an, bo]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (PassRecord(0, " ", "1", "csv"), "invalid_pass"),
        (PassRecord(0, "uitpas", " .- ", "csv"), "invalid_pass"),
        (PassRecord(0, "uitpas", "1", "csv", valid_from=date(2027, 1, 1), expires_on=date(2026, 1, 1)), "pass_dates"),
    ],
)
def test_what_is_no_pass_is_said_and_not_stored(session: ScopedSession, record: PassRecord, error: str) -> None:
    assert upsert_passes(session, [record], at=NOW) == [error]
    assert held(session) == []


def test_dates_that_only_together_are_wrong_are_refused_too(session: ScopedSession, people: list[int]) -> None:
    upsert_passes(session, [card(people[0], expires_on=date(2026, 1, 1))], at=NOW)
    assert upsert_passes(session, [card(people[0], valid_from=date(2027, 1, 1))], at=NOW) == ["pass_dates"]


def test_passes_go_along_in_a_merge_and_come_back(session: ScopedSession, people: list[int]) -> None:
    an, bo = people
    upsert_passes(session, [card(an, "1"), card(bo, "2")], at=NOW)
    merge_contacts(session, an, into_id=bo, at=NOW)
    assert [row[0] for row in held(session)] == [bo, bo]
    unmerge_contact(session, an, at=NOW)
    assert [row[0] for row in held(session)] == [an, bo]
