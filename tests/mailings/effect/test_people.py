"""Behind every number of a report are exactly that many people."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.contacts.merging import merge_contacts
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.effect.people import STEPS, everybody_at, people_at
from app.mailings.effect.results import measure
from app.mailings.models import Delivery, Mailing
from app.mailings.tracking.models import MailLink
from tests.consent.people import make_contact
from tests.mailings.effect.world import an_activity, book, deliver, event, leave_out, make_people, sent_mailing


def a_world(session: ScopedSession, keyring: Keyring) -> Mailing:
    """Something at every step: two left out, one cancelled, failed, bounced, waiting; some clicked and booked."""
    mailing_id, people = sent_mailing(session), make_people(session, 9)
    merged = make_contact(session, keyring, "oud@example.org")
    deliver(session, mailing_id, [*people[:4], merged])
    deliver(session, mailing_id, people[4:5], state="cancelled", handed_over_at=None, problem_code="denied")
    deliver(session, mailing_id, people[5:6], state="failed", variant="B", language="fr")
    deliver(session, mailing_id, people[6:7], state="planned", handed_over_at=None)
    leave_out(session, mailing_id, people[7:8])
    # A cancelled mail is noted among those left out when a mailing ends.
    leave_out(session, mailing_id, [people[4], people[8]], "no_permission")
    session.execute(sa.update(Delivery).where(Delivery.contact_id == people[3]).values(came_back="bounced"))
    link = MailLink(
        organisation_id=session.organisation_id,
        mailing_id=mailing_id,
        version=1,
        asked_sha256=b"x",
        url="https://www.example.org/",
        registered_at=clock.now(),
    )
    session.add(link)
    session.flush()
    event(session, "clicked", people[:2], mailing_id=mailing_id, link_id=link.id)
    book(session, [people[0], merged], an_activity(session, series="Toneel"))
    merge_contacts(session, merged, into_id=make_contact(session, keyring, "nieuw@example.org"), at=clock.now())
    return session.get_one(Mailing, (session.organisation_id, mailing_id))


def test_every_number_is_that_many_people(session: ScopedSession, keyring: Keyring) -> None:
    mailing, at = a_world(session, keyring), clock.now() + timedelta(days=3)
    figures = measure(session, mailing.id, at=at)
    funnel = figures.funnel

    def count(step: str, value: str = "") -> int:
        return len(list(everybody_at(session, mailing, step, value=value, at=at)))

    assert funnel.meant == 10
    for step in ("meant", "left_out", "planned", "waiting", "handed_over", "accepted", "uncertain", "failed"):
        assert (step, count(step)) == (step, getattr(funnel, step))
    for step in ("cancelled", "bounced", "got", "clicked", "booked", "stopped", "complained"):
        assert (step, count(step)) == (step, getattr(funnel, step))
    assert dict(figures.reasons) == {"held_out": 1, "no_permission": 2, "not_accepted": 1}
    for reason, people in figures.reasons:
        assert count("reason", reason) == people
    for part in figures.variants:
        assert count("variant", part.code) == part.got
    for part in figures.languages:
        assert count("language", part.code) == part.got
    for offer in figures.activities:
        assert count("activity", str(offer.activity_id)) == offer.people
    for offer in figures.series:
        assert count("series", offer.name) == offer.people
    for link in figures.links:
        assert count("link", str(link.link_id)) == link.people
    assert funnel.booked == 2


def test_pages_follow_each_other_without_losing_anybody(session: ScopedSession, keyring: Keyring) -> None:
    mailing_id, at = sent_mailing(session), clock.now() + timedelta(days=3)
    people = make_people(session, 7)
    deliver(session, mailing_id, people)
    mailing = session.get_one(Mailing, (session.organisation_id, mailing_id))
    first = people_at(session, mailing, "accepted", at=at, limit=4)
    second = people_at(session, mailing, "accepted", at=at, limit=4, after=first[-1].contact_id)
    assert [each.contact_id for each in [*first, *second]] == people


def test_people_who_booked_come_with_what_they_spent(session: ScopedSession) -> None:
    mailing_id, at = sent_mailing(session), clock.now() + timedelta(days=3)
    people = make_people(session, 1, given_name="Ann", family_name="Peeters")
    deliver(session, mailing_id, people)
    book(session, people * 2, an_activity(session))
    mailing = session.get_one(Mailing, (session.organisation_id, mailing_id))
    (found,) = people_at(session, mailing, "booked", at=at)
    assert (found.name, found.amount) == ("Ann Peeters", 40.0)


def test_a_step_that_does_not_exist_is_an_error(session: ScopedSession) -> None:
    mailing = session.get_one(Mailing, (session.organisation_id, sent_mailing(session)))
    with pytest.raises(KeyError):
        people_at(session, mailing, "opened", at=clock.now())
    assert "opened" not in STEPS
