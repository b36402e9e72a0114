"""Requests for a right: whom they are about, and by when they must be answered."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app import clock
from app.consent import requests
from app.consent.errors import NobodyMeant
from app.contacts.ingest import upsert_contacts
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.runtime import Runtime
from integrations.base import ContactRecord
from tests.conftest import NOW


def person(session: ScopedSession, runtime: Runtime, address: str = "an@example.org") -> tuple[int, bytes]:
    (stored,) = upsert_contacts(
        session, runtime.keyring, [ContactRecord("box office", (), email=address)], actor="system", at=NOW
    )
    assert stored.contact_id is not None
    identity = session.query(ContactIdentity).filter_by(contact_id=stored.contact_id).one()
    return stored.contact_id, bytes(identity.subject_key or b"")


def test_a_request_from_the_preference_page_finds_its_contact_and_counts_as_proven(
    session: ScopedSession, runtime: Runtime
) -> None:
    contact_id, subject_key = person(session, runtime)
    request = requests.open_request(session, "erasure", subject_key=subject_key, channel="page", at=NOW)
    assert (request.contact_id, request.identity_check, request.due_on) == (contact_id, "link", date(2026, 12, 20))


def test_asking_twice_is_one_request_until_it_is_answered(session: ScopedSession, runtime: Runtime) -> None:
    contact_id, subject_key = person(session, runtime)
    first = requests.open_request(session, "access", subject_key=subject_key, channel="page", at=NOW)
    assert requests.open_request(session, "access", contact_id=contact_id, channel="phone", at=NOW).id == first.id
    assert requests.open_request(session, "erasure", contact_id=contact_id, channel="phone", at=NOW).id != first.id
    requests.close_request(session, first.id, state="done", outcome="handed_over", note=None, by=None, at=NOW)
    assert requests.open_request(session, "access", contact_id=contact_id, channel="phone", at=NOW).id != first.id


@pytest.mark.parametrize(
    ("received", "due", "extended"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), date(2026, 2, 28), date(2026, 4, 30)),
        # Eleven in the evening in UTC is the next day in Brussels, in winter as in summer.
        (datetime(2026, 3, 27, 23, 30, tzinfo=UTC), date(2026, 4, 28), date(2026, 6, 28)),
        (datetime(2026, 3, 28, 22, 30, tzinfo=UTC), date(2026, 4, 28), date(2026, 6, 28)),
    ],
)
def test_the_clock_is_one_month_and_three_where_it_was_extended(
    session: ScopedSession, runtime: Runtime, received: datetime, due: date, extended: date
) -> None:
    contact_id, _ = person(session, runtime)
    with clock.set_to(received):
        request = requests.open_request(session, "access", contact_id=contact_id, channel="letter", at=received)
        assert request.due_on == due
        assert requests.extend_request(session, request.id, "complex", at=received).due_on == extended
        with pytest.raises(ValueError, match=str(request.id)):
            requests.extend_request(session, request.id, "many", at=received)


def test_nobody_is_told_of_a_delay_after_the_month_is_over(session: ScopedSession, runtime: Runtime) -> None:
    contact_id, _ = person(session, runtime)
    request = requests.open_request(session, "access", contact_id=contact_id, channel="mail", at=NOW)
    with clock.set_to(datetime(2026, 12, 21, 9, tzinfo=UTC)), pytest.raises(ValueError, match=str(request.id)):
        requests.extend_request(session, request.id, "many", at=clock.now())


def test_what_is_closed_stays_as_it_is(session: ScopedSession, runtime: Runtime) -> None:
    contact_id, _ = person(session, runtime)
    request = requests.open_request(session, "access", contact_id=contact_id, channel="mail", at=NOW)
    requests.close_request(session, request.id, state="done", outcome="handed_over", note=" ", by=None, at=NOW)
    assert requests.closed_requests(session)[0].outcome_note is None
    with pytest.raises(requests.RequestClosed):
        requests.note_identity(session, request.id, "document", by=None, at=NOW)
    assert requests.count_open(session, due_until=date(2030, 1, 1)) == (0, 0)


def test_a_request_is_about_somebody_and_of_a_known_kind(session: ScopedSession) -> None:
    with pytest.raises(NobodyMeant):
        requests.open_request(session, "access", channel="mail", at=NOW)
    with pytest.raises(ValueError, match="tea"):
        requests.open_request(session, "tea", contact_id=1, channel="mail", at=NOW)
