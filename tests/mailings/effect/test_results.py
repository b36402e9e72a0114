"""What is counted as the work of a mailing, and what is not; in worlds where the truth is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock
from app.consent.ledger import record_events
from app.contacts.merging import merge_contacts
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.effect.figures import Figures, as_json, from_json
from app.mailings.effect.people import people_at
from app.mailings.effect.proof import difference_of_rates
from app.mailings.effect.results import measure
from app.mailings.mailings import find_mailing
from app.mailings.models import Delivery, MailingSegment
from app.mailings.problems import UnknownMailing
from tests.consent.people import a_grant, a_withdrawal, make_contact
from tests.mailings.campaigns import a_mailing, a_segment
from tests.mailings.effect.world import an_activity, book, deliver, event, leave_out, make_people, sent_mailing

DAY = timedelta(days=1)


def later(days: float = 40) -> datetime:
    return clock.now() + timedelta(days=days)


def measured(
    session: ScopedSession, mailing_id: int, *, at: datetime | None = None, days: int | None = None
) -> Figures:
    return measure(session, mailing_id, at=at or later(), days=days)


def test_a_mailing_that_does_not_exist_is_said_so(session: ScopedSession) -> None:
    with pytest.raises(UnknownMailing):
        measure(session, 12345, at=later())


def test_a_draft_has_no_figures_and_no_effect(session: ScopedSession) -> None:
    found = measured(session, a_mailing(session))
    assert found.started_at is None
    assert found.closes_at is None
    assert not found.is_closed
    assert found.funnel.meant == found.funnel.booked == 0


def test_an_empty_mailing_and_one_to_a_single_person_are_measured(session: ScopedSession) -> None:
    empty = measured(session, sent_mailing(session))
    assert empty.funnel.meant == 0
    assert difference_of_rates(empty.treated, empty.control).verdict == "no_control"
    alone = sent_mailing(session)
    people = make_people(session, 1)
    deliver(session, alone, people)
    book(session, people, an_activity(session))
    found = measured(session, alone)
    assert (found.funnel.meant, found.funnel.got, found.funnel.booked) == (1, 1, 1)
    assert (found.funnel.tickets, found.funnel.amount) == (2, 20.0)


def test_where_everybody_is_held_out_nothing_is_compared(session: ScopedSession) -> None:
    mailing_id, people = sent_mailing(session), make_people(session, 5)
    leave_out(session, mailing_id, people)
    book(session, people[:2], an_activity(session))
    found = measured(session, mailing_id)
    assert (found.funnel.meant, found.funnel.planned, found.funnel.booked) == (5, 0, 0)
    assert (found.control.people, found.control.hits) == (5, 2)
    assert difference_of_rates(found.treated, found.control).verdict == "nobody_treated"


def test_only_what_was_booked_after_the_mail_and_within_the_window_counts(session: ScopedSession) -> None:
    mailing_id, people, activity = sent_mailing(session), make_people(session, 6), an_activity(session)
    now = clock.now()
    deliver(session, mailing_id, people)
    book(session, [people[0]], activity, at=now - timedelta(seconds=1))
    book(session, [people[1]], activity, at=now)
    book(session, [people[2]], activity, at=now + 30 * DAY - timedelta(seconds=1))
    book(session, [people[3]], activity, at=now + 30 * DAY)
    found = measured(session, mailing_id)
    assert (found.funnel.booked, found.funnel.bookings, found.funnel.amount) == (2, 2, 40.0)
    assert measured(session, mailing_id, days=40).funnel.booked == 3
    assert measured(session, mailing_id, at=now + DAY).funnel.booked == 1


@pytest.mark.parametrize("status", ["cancelled", "refunded", "pending"])
def test_what_was_cancelled_paid_back_or_never_paid_is_no_booking(session: ScopedSession, status: str) -> None:
    mailing_id, people = sent_mailing(session), make_people(session, 2)
    deliver(session, mailing_id, people)
    activity = an_activity(session)
    book(session, people[:1], activity, status=status)
    assert measured(session, mailing_id).funnel.booked == 0
    book(session, people[:1], activity)
    assert measured(session, mailing_id).funnel.amount == 20


@pytest.mark.parametrize("what", ["bounced", "bounced_for_now", "refused"])
def test_a_mail_that_came_back_or_never_left_earned_nothing(session: ScopedSession, what: str) -> None:
    """I20"""
    mailing_id, people = sent_mailing(session), make_people(session, 4)
    deliver(session, mailing_id, people[:1])
    deliver(session, mailing_id, people[1:2], state="failed", problem_code="mailbox_unknown")
    deliver(session, mailing_id, people[2:3], state="cancelled", handed_over_at=None, problem_code="withdrawn")
    deliver(session, mailing_id, people[3:])
    session.execute(sa.update(Delivery).where(Delivery.contact_id == people[3]).values(came_back=what))
    book(session, people, an_activity(session))
    found = measured(session, mailing_id)
    assert (found.funnel.accepted, found.funnel.bounced, found.funnel.got, found.funnel.booked) == (2, 1, 1, 1)
    assert dict(found.reasons) == {"not_accepted": 1, "withdrawn": 1}
    # Who was to get it stays on the side of who was to get it: otherwise chance would choose with us.
    assert (found.treated.people, found.treated.hits) == (4, 4)


def test_a_booking_follows_somebody_who_was_merged_after_the_mail(session: ScopedSession, keyring: Keyring) -> None:
    mailing_id = sent_mailing(session)
    mailed = make_contact(session, keyring, "een@example.org")
    other = make_contact(session, keyring, "twee@example.org")
    last = make_contact(session, keyring, "drie@example.org")
    deliver(session, mailing_id, [mailed, other])
    book(session, [mailed], an_activity(session))
    merge_contacts(session, mailed, into_id=other, at=clock.now())
    merge_contacts(session, other, into_id=last, at=clock.now())
    found = measured(session, mailing_id)
    assert (found.funnel.got, found.funnel.booked, found.funnel.amount) == (1, 1, 20.0)
    assert (found.treated.people, found.treated.hits) == (1, 1)


def test_somebody_merged_from_both_sides_is_on_neither(session: ScopedSession, keyring: Keyring) -> None:
    mailing_id = sent_mailing(session)
    mailed = make_contact(session, keyring, "een@example.org")
    held = make_contact(session, keyring, "twee@example.org")
    deliver(session, mailing_id, [mailed, *make_people(session, 3)])
    leave_out(session, mailing_id, [held, *make_people(session, 2)])
    merge_contacts(session, held, into_id=mailed, at=clock.now())
    found = measured(session, mailing_id)
    assert (found.treated.people, found.control.people) == (3, 2)


def test_two_mailings_in_one_window_both_count_a_booking_and_say_so(session: ScopedSession) -> None:
    people, activity = make_people(session, 3), an_activity(session)
    first, second = sent_mailing(session), sent_mailing(session, at=clock.now() + DAY)
    deliver(session, first, people)
    deliver(session, second, people, at=clock.now() + DAY)
    book(session, people[:1], activity, at=clock.now() + 2 * DAY)
    for mailing_id in (first, second):
        found = measured(session, mailing_id)
        assert (found.funnel.booked, found.others_in_window) == (1, 1)


def test_a_window_of_days_is_as_long_as_days_are_when_the_clock_turns(session: ScopedSession) -> None:
    # Sent at 20.00 in Brussels two days before the night that has 25 hours; the window of three days ends at 20.00.
    sent = datetime(2026, 10, 23, 18, 0, tzinfo=UTC)
    mailing_id, people = sent_mailing(session, at=sent, effect_days=3), make_people(session, 2)
    deliver(session, mailing_id, people, at=sent)
    activity = an_activity(session)
    book(session, people[:1], activity, at=datetime(2026, 10, 26, 18, 59, 59, tzinfo=UTC))
    book(session, people[1:], activity, at=datetime(2026, 10, 26, 19, 0, 0, tzinfo=UTC))
    found = measured(session, mailing_id)
    assert found.funnel.booked == 1
    assert found.treated.hits == 1
    assert found.closes_at == "2026-10-26T19:00:00+00:00"


def test_clicks_are_of_people_once_each_and_never_of_machines(session: ScopedSession, keyring: Keyring) -> None:
    mailing_id = sent_mailing(session)
    seen = make_contact(session, keyring, "ja@example.org")
    record_events(session, keyring, [a_grant("ja@example.org", purpose="track_click")])
    clicked, scanned, quiet = make_people(session, 3)
    deliver(session, mailing_id, [seen, clicked, scanned, quiet])
    event(session, "clicked", [clicked, clicked], mailing_id=mailing_id)
    event(session, "clicked", [scanned], mailing_id=mailing_id, is_machine=True)
    event(session, "opened", [quiet], mailing_id=mailing_id)
    funnel = measured(session, mailing_id).funnel
    # Who clicked agreed at that moment, whatever they say now.
    assert (funnel.got, funnel.measured, funnel.clicked, funnel.opened) == (4, 2, 1, 1)


def test_hours_first_and_then_days_show_when_people_came(session: ScopedSession) -> None:
    mailing_id, people, activity = sent_mailing(session), make_people(session, 4), an_activity(session)
    deliver(session, mailing_id, people)
    book(session, people[:2], activity, at=clock.now() + timedelta(hours=3, minutes=10))
    book(session, people[2:3], activity, at=clock.now() + timedelta(days=5))
    event(session, "clicked", people[:1], mailing_id=mailing_id, at=clock.now() + timedelta(minutes=20))
    found = measured(session, mailing_id, at=later(6))
    assert len(found.hours) == 48
    assert (found.hours[3].bookings, found.hours[0].clicked, sum(each.bookings for each in found.hours)) == (2, 1, 2)
    assert [each.bookings for each in found.dates] == [2, 0, 0, 0, 0, 1, 0]
    assert found.dates[0].at == "2026-11-20"


def test_bookings_are_told_by_performance_and_series(session: ScopedSession) -> None:
    mailing_id, people = sent_mailing(session), make_people(session, 3)
    deliver(session, mailing_id, people)
    first = an_activity(session, "Godot", series="Toneel")
    second = an_activity(session, "Godot bis", series="Toneel")
    alone = an_activity(session, "Concert")
    book(session, people, first)
    book(session, people[:1], second, amount=50)
    book(session, people[:1], alone, amount=None)
    found = measured(session, mailing_id)
    assert [(each.name, each.people, each.amount) for each in found.activities] == [
        ("Godot", 3, 60.0),
        ("Godot bis", 1, 50.0),
        ("Concert", 1, 0.0),
    ]
    assert [(each.name, each.people, each.tickets, each.amount) for each in found.series] == [("Toneel", 3, 8, 110.0)]


def test_a_ticket_ordered_for_somebody_else_is_a_booking_of_who_ordered_it(session: ScopedSession) -> None:
    mailing_id, activity = sent_mailing(session), an_activity(session)
    buyer, friend, held_out = make_people(session, 3)
    deliver(session, mailing_id, [buyer, friend])
    leave_out(session, mailing_id, [held_out])
    book(session, [friend, held_out], activity, buyer_id=buyer)
    book(session, [buyer], activity)
    found = measured(session, mailing_id)
    assert (found.funnel.booked, found.funnel.bookings, found.funnel.amount) == (1, 3, 60.0)
    assert (found.treated.hits, found.control.hits) == (1, 0)
    behind = people_at(session, find_mailing(session, mailing_id), "booked", at=clock.now() + DAY)
    assert [each.contact_id for each in behind] == [buyer]


def test_languages_variants_and_segments_are_told_apart(session: ScopedSession) -> None:
    mailing_id, people, activity = sent_mailing(session), make_people(session, 5, tags=["x"]), an_activity(session)
    deliver(session, mailing_id, people[:3], language="nl", variant="A")
    deliver(session, mailing_id, people[3:], language="fr", variant="B")
    book(session, people[2:4], activity)
    event(session, "clicked", people[4:], mailing_id=mailing_id)
    segment = a_segment(session, "Iks", {"type": "tag", "tag": "x"})
    session.execute(
        sa.text(
            "INSERT INTO segment_membership (organisation_id, segment_id, contact_id, entered_at, entered_on,"
            " entered_because) SELECT organisation_id, :segment, id, created_at, '2026-01-01', 'data'"
            " FROM contact WHERE id = ANY (:ids)"
        ),
        {"segment": segment.id, "ids": people[:4]},
    )
    session.add(
        MailingSegment(organisation_id=session.organisation_id, mailing_id=mailing_id, segment_id=segment.id, part="to")
    )
    session.flush()
    found = measured(session, mailing_id)
    assert [(each.code, each.got, each.booked, each.clicked) for each in found.languages] == [
        ("fr", 2, 1, 1),
        ("nl", 3, 1, 0),
    ]
    assert [(each.code, each.got, each.booked) for each in found.variants] == [("A", 3, 1), ("B", 2, 1)]
    assert [(each.code, each.got, each.booked) for each in found.segments] == [(str(segment.id), 4, 2)]


def test_who_stopped_after_this_mail_counts_and_who_stopped_after_a_later_one_does_not(
    session: ScopedSession, keyring: Keyring
) -> None:
    names = ["een", "twee", "drie", "vier"]
    people = [make_contact(session, keyring, f"{name}@example.org") for name in names]
    record_events(session, keyring, [a_grant(f"{name}@example.org") for name in names])
    mailing_id, second = sent_mailing(session), sent_mailing(session, at=clock.now() + DAY)
    deliver(session, mailing_id, people)
    deliver(session, second, people[2:3], at=clock.now() + DAY)
    with clock.set_to(clock.now() + 2 * DAY):
        record_events(session, keyring, [a_withdrawal(f"{name}@example.org") for name in names[:3]])
    with clock.set_to(clock.now() + 9 * DAY):
        record_events(session, keyring, [a_withdrawal("vier@example.org")])
    assert measured(session, mailing_id).funnel.stopped == 2
    assert measured(session, second).funnel.stopped == 1


def test_a_journeys_mail_counts_a_booking_once_however_often_it_went(session: ScopedSession) -> None:
    mailing_id, people = sent_mailing(session, kind="journey", state="draft"), make_people(session, 1)
    for enrolment in (1, 2):
        deliver(session, mailing_id, people, enrolment_id=enrolment, step_id="s1")
    deliver(session, mailing_id, people, enrolment_id=3, step_id="s1", state="draft", handed_over_at=None)
    book(session, people, an_activity(session))
    found = measured(session, mailing_id)
    assert (found.funnel.planned, found.funnel.got, found.funnel.bookings) == (2, 2 - 1, 1)


def test_figures_are_kept_and_read_back_as_they_were(session: ScopedSession) -> None:
    mailing_id, people = sent_mailing(session), make_people(session, 6)
    deliver(session, mailing_id, people[:4])
    leave_out(session, mailing_id, people[4:])
    book(session, people, an_activity(session, series="Reeks"))
    found = measured(session, mailing_id)
    assert from_json(as_json(found)) == found
    # What an older version kept knew less.
    kept = {name: value for name, value in as_json(found).items() if name not in {"links", "others_in_window"}}
    assert from_json(kept).links == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_numbers_add_up_and_no_step_of_the_funnel_grows(session: ScopedSession, seed: int) -> None:
    random, mailing_id = Random(seed), sent_mailing(session)
    people, activity = make_people(session, random.randrange(30)), an_activity(session)
    states = ["accepted", "failed", "cancelled", "uncertain", "planned", "left", "held_out"]
    of = {each: random.choice(states) for each in people}
    for each, state in of.items():
        if state in {"left", "held_out"}:
            leave_out(session, mailing_id, [each], "no_permission" if state == "left" else "held_out")
        else:
            gone = None if state in {"planned", "cancelled"} else clock.now()
            deliver(session, mailing_id, [each], state=state, handed_over_at=gone, variant=random.choice("AB"))
    some = [each for each in people if random.random() < 0.4]
    book(session, some, activity)
    event(session, "clicked", [each for each in people if random.random() < 0.3], mailing_id=mailing_id)
    found = measured(session, mailing_id)
    funnel = found.funnel
    assert funnel.meant == len(people) == funnel.planned + funnel.left_out
    assert funnel.planned >= funnel.handed_over >= funnel.accepted + funnel.uncertain
    assert funnel.accepted + funnel.uncertain >= funnel.got >= funnel.measured >= funnel.clicked
    assert funnel.booked <= funnel.got
    assert funnel.planned == sum((funnel.waiting, funnel.accepted, funnel.uncertain, funnel.failed, funnel.cancelled))
    assert sum(count for _reason, count in found.reasons) == funnel.left_out + funnel.failed + funnel.cancelled
    for parts in (found.variants, found.languages):
        assert sum(each.got for each in parts) == funnel.got
        assert sum(each.clicked for each in parts) == funnel.clicked
        assert sum(each.booked for each in parts) == funnel.booked
    assert sum(each.amount for each in found.activities) == funnel.amount
    assert sum(each.bookings for each in found.dates) == funnel.bookings
    assert found.treated.people + found.control.people + sum(s == "left" for s in of.values()) == len(people)


def test_an_uplift_that_is_there_is_found_and_one_that_is_not_is_not(session: ScopedSession) -> None:
    random, activity = Random(20), an_activity(session)
    for uplift, verdict in ((0.10, "more"), (0.0, "no_proof")):
        mailing_id, people = sent_mailing(session), make_people(session, 2_000)
        held = set(random.sample(people, 400))
        deliver(session, mailing_id, [each for each in people if each not in held])
        leave_out(session, mailing_id, sorted(held))
        book(session, [each for each in people if random.random() < 0.05 + (each not in held) * uplift], activity)
        found = measured(session, mailing_id)
        difference = difference_of_rates(found.treated, found.control)
        assert difference.verdict == verdict
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low <= uplift <= difference.high
