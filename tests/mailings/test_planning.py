"""Who gets a mailing and who does not, and that planning makes exactly that."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.consent.ledger import record_events
from app.contacts.households import Sharer
from app.contacts.ingest import upsert_contacts
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.composing.fields import Row, read_fields
from app.mailings.composing.joint_names import names_together
from app.mailings.deliveries import NEVER
from app.mailings.freezing import freeze
from app.mailings.mailings import find_mailing
from app.mailings.models import Delivery, MailingLeftOut
from app.mailings.planning import plan_campaign, plan_journey_mails
from app.mailings.problems import CannotSend, NeedsAWord
from app.mailings.recipients import count_recipients
from app.segments.membership import due_segments, evaluate_segment
from integrations.base import ContactRecord, IdentityRecord
from tests.consent.people import a_grant, make_contact
from tests.mailings.campaigns import a_mailing, a_segment, words

NOT_THEM = {"type": "tag", "tag": "niet"}


def people(session: ScopedSession, keyring: Keyring, *names: str, **fields: Any) -> dict[str, int]:
    """Somebody for each name, who wants the newsletter."""
    found = {name: make_contact(session, keyring, f"{name}@example.org", **fields) for name in names}
    record_events(session, keyring, [a_grant(f"{name}@example.org") for name in names])
    return found


def reasons(session: ScopedSession, mailing_id: int) -> dict[int, str]:
    rows = session.execute(
        select(MailingLeftOut.contact_id, MailingLeftOut.reason).where(MailingLeftOut.mailing_id == mailing_id)
    )
    return {row.contact_id: row.reason for row in rows}


def planned(session: ScopedSession, mailing_id: int) -> list[Delivery]:
    query = select(Delivery).where(Delivery.mailing_id == mailing_id).order_by(Delivery.contact_id)
    return list(session.scalars(query))


def test_everybody_meant_gets_it_or_has_a_reason(session: ScopedSession, keyring: Keyring) -> None:
    yes = people(session, keyring, "an", "bo")
    niet = make_contact(session, keyring, "niet@example.org", tags=["niet"])
    nameless = make_contact(session, keyring)
    silent = make_contact(session, keyring, "stil@example.org")
    bouncing = people_after(session, keyring, "weg")
    session.scalars(
        select(ContactIdentity).where(ContactIdentity.contact_id == bouncing)
    ).one().deliverability = "bouncing"
    session.flush()
    mailing_id = a_mailing(session, a_segment(session).id, without=[a_segment(session, "Niet", NOT_THEM).id])
    freeze(session, mailing_id)
    funnel = count_recipients(session, mailing_id)
    result = plan_campaign(session, mailing_id)
    assert (result.deliveries, result.left_out) == (2, 4)
    assert {each.contact_id for each in planned(session, mailing_id)} == set(yes.values())
    expected = {niet: "excluded", nameless: "no_address", silent: "no_permission", bouncing: "undeliverable"}
    assert reasons(session, mailing_id) == expected
    assert (funnel.meant, funnel.gets) == (6, 2), "what was shown before is what happens"
    assert {name: count for name, count in funnel.left_out.items() if count} == Counter(expected.values())


def people_after(session: ScopedSession, keyring: Keyring, name: str) -> int:
    contact_id = make_contact(session, keyring, f"{name}@example.org")
    record_events(session, keyring, [a_grant(f"{name}@example.org")])
    return contact_id


def test_planning_again_changes_nothing(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, "an", "bo")
    mailing_id = a_mailing(session, a_segment(session).id)
    freeze(session, mailing_id)
    assert plan_campaign(session, mailing_id).deliveries == 2
    find_mailing(session, mailing_id).planned_at = None  # as if the note of it had been lost
    session.flush()
    assert plan_campaign(session, mailing_id).deliveries == 0
    assert plan_campaign(session, mailing_id).deliveries == 0
    assert len(planned(session, mailing_id)) == 2


def test_somebody_in_two_segments_gets_one_mail(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, "an", tags=["vip"])
    mailing_id = a_mailing(session, a_segment(session).id, a_segment(session, "Vip", {"type": "tag", "tag": "vip"}).id)
    freeze(session, mailing_id)
    assert plan_campaign(session, mailing_id).deliveries == 1


def test_stored_members_and_the_rule_itself_give_the_same_people(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, "an", "bo")
    segment = a_segment(session)
    mailing_id = a_mailing(session, segment.id)
    assert segment.id in due_segments(session)
    by_rule = count_recipients(session, mailing_id)
    evaluate_segment(session, segment.id)
    by_rule_again = count_recipients(session, mailing_id)
    assert by_rule == by_rule_again
    assert by_rule.gets == 2


def test_nothing_is_planned_that_was_not_frozen(session: ScopedSession) -> None:
    mailing_id = a_mailing(session, a_segment(session).id)
    with pytest.raises(CannotSend):
        plan_campaign(session, mailing_id)
    with pytest.raises(CannotSend):
        plan_journey_mails(session, mailing_id=mailing_id, step_id="s1", rows=[(1, 1)])


def test_everybody_gets_their_language_where_the_mailing_has_it(session: ScopedSession, keyring: Keyring) -> None:
    spoken = {"fr": "fr", "nl": "nl", "de": "nl", "geen": "nl"}
    for name in spoken:
        make_contact(session, keyring, f"{name}@example.org", language=None if name == "geen" else name)
    record_events(session, keyring, [a_grant(f"{name}@example.org") for name in spoken])
    mailing_id = a_mailing(session, a_segment(session).id, content=words("fr", "nl"))
    freeze(session, mailing_id)
    plan_campaign(session, mailing_id)
    rows = session.execute(select(Contact.email, Delivery.language).join(Contact, Contact.id == Delivery.contact_id))
    assert {row.email.partition("@")[0]: row.language for row in rows} == spoken


def test_a_mailing_without_the_house_language_is_sent_in_one_that_it_has(
    session: ScopedSession, keyring: Keyring
) -> None:
    people(session, keyring, "an", language="nl")
    mailing_id = a_mailing(session, a_segment(session).id, content=words("en"))
    freeze(session, mailing_id)
    plan_campaign(session, mailing_id)
    assert [each.language for each in planned(session, mailing_id)] == ["en"]


def test_the_control_group_is_drawn_once_and_gets_nothing(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(200)))
    mailing_id = a_mailing(session, a_segment(session).id, holdout_percent=50)
    freeze(session, mailing_id)
    before = count_recipients(session, mailing_id)
    result = plan_campaign(session, mailing_id)
    assert result.deliveries + result.left_out == 200
    assert 60 < result.left_out < 140
    assert set(reasons(session, mailing_id).values()) == {"held_out"}
    assert before.left_out["held_out"] == result.left_out


def test_a_test_of_variants_keeps_the_others_waiting(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(300)))
    content = words("nl", variants=("A", "B"))
    mailing_id = a_mailing(session, a_segment(session).id, content=content, ab_test={"share_percent": 40})
    freeze(session, mailing_id)
    plan_campaign(session, mailing_id)
    counts = Counter(each.variant for each in planned(session, mailing_id))
    assert set(counts) == {"A", "B", None}
    assert 35 < counts["A"] < 90
    assert 35 < counts["B"] < 90
    assert {each.next_try_at for each in planned(session, mailing_id) if each.variant is None} == {NEVER}
    assert {each.next_try_at for each in planned(session, mailing_id) if each.variant} == {clock.now()}


def test_variants_without_a_test_are_shared_out(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(100)))
    mailing_id = a_mailing(session, a_segment(session).id, content=words("nl", variants=("A", "B")))
    freeze(session, mailing_id)
    plan_campaign(session, mailing_id)
    counts = Counter(each.variant for each in planned(session, mailing_id))
    assert set(counts) == {"A", "B"}
    assert 25 < counts["A"] < 75


def test_many_more_people_than_somebody_said_yes_to_asks_again(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(120)))
    mailing_id = a_mailing(session, a_segment(session).id)
    freeze(session, mailing_id)
    with pytest.raises(NeedsAWord) as asked, session.begin_nested():
        plan_campaign(session, mailing_id, expected=20)
    assert (asked.value.code, asked.value.people) == ("many_more_people", 120)
    assert planned(session, mailing_id) == []
    assert plan_campaign(session, mailing_id, expected=100).deliveries == 120


def test_a_step_of_a_journey_mails_once_for_each_way_through_it(session: ScopedSession, keyring: Keyring) -> None:
    found = people(session, keyring, "an", "bo")
    mailing_id = a_mailing(session, kind="journey")
    freeze(session, mailing_id)
    rows = [(1, found["an"]), (2, found["bo"])]
    later = clock.now() + timedelta(hours=3)
    assert plan_journey_mails(session, mailing_id=mailing_id, step_id="s1", rows=rows, not_before=later) == 2
    assert plan_journey_mails(session, mailing_id=mailing_id, step_id="s1", rows=rows) == 0
    assert plan_journey_mails(session, mailing_id=mailing_id, step_id="s2", rows=rows, as_draft=True) == 2
    assert plan_journey_mails(session, mailing_id=mailing_id, step_id="s1", rows=[(3, found["an"])]) == 1
    states = [(each.enrolment_id, each.step_id, each.state) for each in planned(session, mailing_id)]
    assert sorted(states) == [
        (1, "s1", "planned"),
        (1, "s2", "draft"),
        (2, "s1", "planned"),
        (2, "s2", "draft"),
        (3, "s1", "planned"),
    ]
    assert {each.next_try_at for each in planned(session, mailing_id) if each.step_id == "s1"} == {later, clock.now()}


def test_a_mailbox_that_several_read_gets_one_mail_with_all_their_names(
    session: ScopedSession, keyring: Keyring
) -> None:
    """Whoever of them it is meant for: An and Bo together, and Bo alone by a segment of hers."""
    records = [
        ContactRecord("kassa", (IdentityRecord("kassa:contact", name),), email="thuis@example.org", given_name=name,
                      family_name="Peeters", tags=(name,))
        for name in ("An", "Bo")
    ]  # fmt: skip
    an, bo = (each.contact_id for each in upsert_contacts(session, keyring, records, actor="system", at=clock.now()))
    assert an
    assert bo
    record_events(session, keyring, [a_grant("thuis@example.org")])
    to_all, to_bo = a_segment(session).id, a_segment(session, "Bo", {"type": "tag", "tag": "Bo"}).id
    read: dict[str, str] = {}
    for name, segment_id in (("all", to_all), ("bo", to_bo)):
        mailing_id = a_mailing(session, segment_id, name=name)
        freeze(session, mailing_id)
        plan_campaign(session, mailing_id)
        (delivery,) = planned(session, mailing_id)
        row = Row(delivery.id, delivery.contact_id or 0, None, mailing_id)
        read[name] = read_fields(session, [row], language="nl")[delivery.id]["salutation"]
        left = reasons(session, mailing_id)
        assert left == ({bo: "shared_address"} if name == "all" else {})
    assert read == {"all": "Beste An en Bo", "bo": "Beste Bo"}
    nameless = [Sharer(1, "An", "Peeters", ""), Sharer(2, None, "Claes", "")]
    assert names_together(nameless, language="nl") == (None, None)
    assert names_together([Sharer(n, f"N{n}", "P", "") for n in range(3)], language="fr") == ("N0, N1 et N2", "P")
