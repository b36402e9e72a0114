"""Figures are kept, measured again when they are due, and compared with earlier mailings for the same purpose."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.db import ScopedSession, transaction
from app.mailings.effect.keeping import (
    average_before,
    keep,
    last_measured,
    measure_due,
    remark_of,
    remark_on,
    report_of,
)
from app.mailings.effect.models import MailingReport
from app.mailings.models import Mailing
from app.mailings.problems import UnknownMailing
from app.runtime import Runtime
from tests.mailings.effect.world import an_activity, book, deliver, make_people, sent_mailing

DAY = timedelta(days=1)


def test_figures_are_measured_once_and_again_when_they_are_old(session: ScopedSession) -> None:
    mailing_id, people, start = sent_mailing(session), make_people(session, 10), clock.now()
    deliver(session, mailing_id, people)
    activity = an_activity(session)
    at = start + timedelta(hours=3)
    assert report_of(session, mailing_id, at=at).funnel.booked == 0
    book(session, people[:4], activity)
    assert report_of(session, mailing_id, at=at + timedelta(minutes=9)).funnel.booked == 0
    assert report_of(session, mailing_id, at=at + timedelta(minutes=11)).funnel.booked == 4


def test_nobody_waits_for_a_count_of_very_many_people(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.mailings.effect.keeping.COUNTED_AT_ONCE", 2)
    with transaction(runtime.engine, organisation.id) as session:
        mailing_id, people = sent_mailing(session), make_people(session, 4)
        deliver(session, mailing_id, people)
        book(session, people[:2], an_activity(session))
        first = report_of(session, mailing_id, at=clock.now())
    assert (first.is_counted, first.funnel.accepted, first.funnel.booked) == (False, 4, 0)
    later = clock.now() + timedelta(hours=3)
    with clock.set_to(later):
        assert measure_due(runtime, organisation.id) == 1
    with transaction(runtime.engine, organisation.id) as session:
        counted = report_of(session, mailing_id, at=later + timedelta(minutes=5))
        assert (counted.is_counted, counted.funnel.booked) == (True, 2)
        assert report_of(session, mailing_id, at=later + timedelta(days=2)) == counted, "older, and at once"
        session.get_one(Mailing, (session.organisation_id, mailing_id)).effect_days = 2
        session.flush()
        assert not report_of(session, mailing_id, at=later).is_counted
    with clock.set_to(later):
        assert measure_due(runtime, organisation.id) == 1, "another window is counted within a minute"


def test_another_window_is_measured_at_once(session: ScopedSession) -> None:
    mailing_id, people, start = sent_mailing(session), make_people(session, 1), clock.now()
    deliver(session, mailing_id, people)
    book(session, people, an_activity(session), at=start + 3 * DAY)
    assert report_of(session, mailing_id, at=start + 5 * DAY).funnel.booked == 1
    session.get_one(Mailing, (session.organisation_id, mailing_id)).effect_days = 2
    session.flush()
    assert report_of(session, mailing_id, at=start + 5 * DAY).funnel.booked == 0


def test_an_unknown_mailing_has_no_report(session: ScopedSession) -> None:
    with pytest.raises(UnknownMailing):
        report_of(session, 4711, at=clock.now())
    with pytest.raises(UnknownMailing):
        remark_on(session, 4711, "mooi", actor=SYSTEM)


def test_the_heartbeat_measures_what_is_due_and_leaves_the_rest(runtime: Runtime, organisation: Organisation) -> None:
    start = clock.now()
    with transaction(runtime.engine, organisation.id) as session:
        new = sent_mailing(session)
        sent_mailing(session, at=start - 3 * DAY)
        sent_mailing(session, at=start - 90 * DAY)
    assert measure_due(runtime, organisation.id) == 3
    assert measure_due(runtime, organisation.id) == 0
    with clock.set_to(start + timedelta(minutes=11)):
        assert measure_due(runtime, organisation.id) == 1
    with clock.set_to(start + timedelta(minutes=61)):
        assert measure_due(runtime, organisation.id) == 2
    # The window of the oldest closed long ago; refunds of the others are still followed.
    with clock.set_to(start + 32 * DAY):
        assert measure_due(runtime, organisation.id) == 2
    with clock.set_to(start + 32 * DAY + timedelta(hours=2)):
        assert measure_due(runtime, organisation.id) == 0
    with transaction(runtime.engine, organisation.id) as session:
        kept = session.get_one(MailingReport, (organisation.id, new))
        assert kept.measured_at == start + 32 * DAY


def test_the_average_is_of_earlier_mailings_for_the_same_purpose(session: ScopedSession) -> None:
    start, activity = clock.now(), an_activity(session)
    before = [(4, 1), (10, 5)]
    for days, (got, booked) in enumerate(before, start=1):
        at = start - days * DAY
        mailing_id, people = sent_mailing(session, at=at), make_people(session, got)
        deliver(session, mailing_id, people, at=at)
        book(session, people[:booked], activity, at=at + timedelta(hours=1))
        keep(session, mailing_id, at=start)
    other = sent_mailing(session, purpose="survey", at=start - DAY)
    deliver(session, other, make_people(session, 2), at=start - DAY)
    keep(session, other, at=start)
    mailing = session.get_one(Mailing, (session.organisation_id, sent_mailing(session)))
    average = average_before(session, mailing)
    assert average is not None
    assert (average.mailings, average.booking_rate, average.click_rate) == (2, (0.25 + 0.5) / 2, None)
    assert average.amount_each == (5 + 10) / 2
    first = session.scalar(sa.select(Mailing).order_by(Mailing.started_at).limit(1))
    assert first is not None
    assert average_before(session, first) is None


def test_the_last_mailing_is_the_one_that_went_last(session: ScopedSession) -> None:
    assert last_measured(session) is None
    newest, older = sent_mailing(session), sent_mailing(session, at=clock.now() - DAY)
    for mailing_id in (newest, older):
        keep(session, mailing_id, at=clock.now())
    found = last_measured(session)
    assert found is not None
    assert found[0].id == newest


def test_a_remark_is_one_line_that_measuring_again_does_not_take_away(session: ScopedSession) -> None:
    mailing_id = sent_mailing(session)
    remark_on(session, mailing_id, "  De trailer\nstond  er niet bij. ", actor=SYSTEM)
    keep(session, mailing_id, at=clock.now())
    found = remark_of(session, mailing_id)
    assert found is not None
    assert found.remark == "De trailer stond er niet bij."
    assert found.figures is not None
    remark_on(session, mailing_id, " ", actor=SYSTEM)
    assert remark_of(session, mailing_id).remark is None  # type: ignore[union-attr]  # it was just found
