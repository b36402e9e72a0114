"""The gate's answers, stored for counts: exact at any moment, kept by what changes, and never what is sent by."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.consent.models import Permission, Purpose
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.building.preview import preview_rule
from app.segments.compiling.permission_sql import StoredAnswers
from app.segments.keeping import permitted
from app.segments.keeping.entries import hold_upkeep
from app.segments.keeping.permitted import find_differences, stored_answers
from app.segments.keeping.self_check import compare_and_repair
from app.segments.keeping.upkeep import keep_segments_current, look_for_work
from app.segments.models import PermittedContact, SegmentUpkeep
from tests.conftest import NOW
from tests.segments.people import move_in, person

EVERYBODY: dict[str, Any] = {"type": "all", "rules": []}
APP = Path(permitted.__file__).parents[2]


@pytest.fixture
def people(runtime: Runtime, organisation: Organisation) -> list[int]:
    """Four people, three of whom may be mailed; the gate's answers are stored."""
    with transaction(runtime.engine, organisation.id) as session:
        filled = move_in(session, *(person(number) for number in range(3)), person(9, allowed=False))
    keep_segments_current(runtime, organisation.id)
    return [one.id for one in filled.world.contacts]


def mailable(session: ScopedSession) -> int:
    return preview_rule(session, EVERYBODY).funnel.mailable


def test_after_a_beat_the_stored_answers_are_used_and_nothing_is_left_to_do(
    session: ScopedSession, people: Any
) -> None:
    assert stored_answers(session) == StoredAnswers()
    assert look_for_work(session).is_none
    assert mailable(session) == 3
    assert session.scalar(sa.select(sa.func.count()).select_from(PermittedContact)) == 3


def test_a_no_counts_before_any_beat_has_seen_it(session: ScopedSession, people: list[int]) -> None:
    key = sa.select(ContactIdentity.subject_key).where(ContactIdentity.contact_id == people[0])
    session.execute(sa.update(Permission).where(Permission.subject_key.in_(key)).values(is_allowed=False))
    assert stored_answers(session) == StoredAnswers((people[0],))
    assert mailable(session) == 2


def test_an_address_that_bounces_counts_at_once_too(session: ScopedSession, people: list[int]) -> None:
    bouncing = sa.update(ContactIdentity).where(ContactIdentity.contact_id == people[1])
    session.execute(bouncing.values(deliverability="bouncing"))
    shown = preview_rule(session, EVERYBODY).funnel
    assert (shown.permitted, shown.mailable) == (3, 2)


def test_a_permission_that_runs_out_counts_from_that_second_on(
    runtime: Runtime, organisation: Organisation, people: list[int]
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(sa.update(Permission).values(valid_until=NOW + timedelta(minutes=5)))
    keep_segments_current(runtime, organisation.id)
    for minutes, expected in ((4, 3), (6, 0)):
        with clock.set_to(NOW + timedelta(minutes=minutes)), transaction(runtime.engine, organisation.id) as session:
            assert stored_answers(session) is not None
            assert mailable(session) == expected


def test_a_birthday_counts_on_its_day(runtime: Runtime, organisation: Organisation, people: list[int]) -> None:
    born = date(NOW.year - 13, NOW.month, NOW.day) + timedelta(days=1)
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(sa.update(Organisation).values(country="BE"))
        session.execute(sa.update(Contact).where(Contact.id == people[0]).values(birth_date=born))
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert mailable(session) == 2
    with clock.set_to(NOW + timedelta(days=1)):
        with transaction(runtime.engine, organisation.id) as session:
            assert stored_answers(session) is None, "of a day that no beat has begun the gate itself is asked"
            assert mailable(session) == 3
        keep_segments_current(runtime, organisation.id)
        with transaction(runtime.engine, organisation.id) as session:
            assert stored_answers(session) == StoredAnswers()
            assert mailable(session) == 3


def test_while_a_purpose_is_tightened_the_gate_itself_is_asked(
    runtime: Runtime, organisation: Organisation, people: list[int]
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(sa.update(Purpose).where(Purpose.code == "newsletter").values(tightened_at=NOW))
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert stored_answers(session) is None


def test_more_changes_than_can_be_asked_about_one_by_one_are_left_to_the_gate(
    session: ScopedSession, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permitted, "CHANGING_MAX", 1)
    session.execute(sa.update(Contact).where(Contact.id.in_(people[:2])).values(is_restricted=True))
    assert stored_answers(session) is None
    assert mailable(session) == 1


def test_what_differs_is_found_at_night_and_put_right(session: ScopedSession, people: list[int]) -> None:
    session.execute(sa.delete(PermittedContact).where(PermittedContact.contact_id == people[0]))
    session.execute(sa.update(PermittedContact).values(is_deliverable=False))
    assert find_differences(session) == set(people[:3])
    upkeep = hold_upkeep(session)
    assert upkeep is not None
    compare_and_repair(session, upkeep)
    assert not find_differences(session)
    assert session.scalars(sa.select(SegmentUpkeep.differences)).one() == 3


def test_nothing_but_counts_reads_the_stored_answers() -> None:
    """What is sent, exported or pushed asks the gate."""
    texts = {path.relative_to(APP).as_posix(): path.read_text() for path in APP.rglob("*.py")}
    naming = {name for name, text in texts.items() if re.search(r"\bpermitted_contact\b|\bPermittedContact\b", text)}
    assert naming == {"segments/models.py", "segments/compiling/permission_sql.py", "segments/keeping/permitted.py"}
    naming = {name for name, text in texts.items() if re.search(r"\balike_visit\b|\bAlikeVisit\b", text)}
    assert naming - {"rights/words.py"} == {
        "segments/models.py", "segments/compiling/compiler.py", "segments/keeping/alike_visits.py",
    }  # fmt: skip
    showing = {name.removeprefix("segments/") for name, text in texts.items() if "scope_to_show" in text}
    assert showing == {
        "keeping/permitted.py", "building/preview.py", "building/counts.py", "building/cost.py",
    }  # fmt: skip
