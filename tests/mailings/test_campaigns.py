"""A mailing from the button to the mailbox: what people get, what holds it, and what is left when it ends."""

from __future__ import annotations

from collections import Counter
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.audit import SYSTEM
from app.consent.tokens import read_token
from app.contacts.models import Contact
from app.mailings import places, progress, scheduling
from app.mailings.composing.content_schemas import blank_content
from app.mailings.composing.viewing import viewed
from app.mailings.freezing import freeze
from app.mailings.mailings import find_mailing, list_mailings, save_content, segments_of
from app.mailings.models import Delivery, Mailing, MailingLeftOut, MailSetting
from app.mailings.problems import CannotSend, InvalidMailing, NotThatState
from app.mailings.return_paths import read_delivery_number
from app.mailings.returns import alarms
from app.mailings.returns.attention import what_came_back
from app.mailings.sending import WRITERS, send_due
from app.mailings.writing import write_mailings
from app.segments.definitions import delete_segment, uses_of
from app.segments.membership import evaluate_segment
from app.segments.models import Segment
from app.segments.problems import SegmentInUseError, SegmentMissingError
from tests.conftest import NOW
from tests.mailings.campaigns import a_mailing, a_segment, text_block, words
from tests.mailings.house_with_post import FROM, HouseWithPost

ALL_WRITERS = {**WRITERS, "mailing": write_mailings}
HELLO = text_block('Dag {{ given_name or "bezoeker" }}, <a href="https://deproef.example/agenda">kijk</a>')

CALLED_AN = {"type": "profile", "field": "given_name", "op": "is", "value": "An"}


def for_segment(segment_id: int) -> dict[str, Any]:
    """A block that only members of a segment see."""
    return {"id": "b2", "type": "text", "html": "<p>Voor An</p>", "only_if": {"field": f"segment.{segment_id}"}}


def campaign(house: HouseWithPost, **changes: Any) -> int:
    """A draft to everybody; its id."""
    with house.transaction() as session:
        return a_mailing(session, a_segment(session).id, **({"content": words("nl", blocks=[HELLO])} | changes))


def send_it(house: HouseWithPost, mailing_id: int, **more: Any) -> None:
    with house.transaction() as session:
        scheduling.schedule(session, mailing_id, actor=SYSTEM, **more)


def beat(house: HouseWithPost, *, later: timedelta = timedelta()) -> None:
    """What the worker does: start and plan, send, finish."""
    with clock.set_to(clock.now() + later):
        scheduling.run_due(house.runtime, house.organisation.id)
        send_due(house.runtime, house.organisation.id, writers=ALL_WRITERS)
        scheduling.run_due(house.runtime, house.organisation.id)


def state_of(house: HouseWithPost, mailing_id: int) -> tuple[str, str | None]:
    with house.transaction() as session:
        mailing = find_mailing(session, mailing_id)
        return mailing.state, mailing.paused_because


def test_a_block_for_a_segment_is_in_the_mails_of_its_members_only(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    house.person("bo@example.org")
    cor = house.person("cor@example.org")
    with house.transaction() as session:
        session.execute(update(Contact).where(Contact.id == an).values(given_name="An"))
        segment_id = a_segment(session, name="Wie An heet", rule=CALLED_AN).id
        evaluate_segment(session, segment_id)
    mailing_id = campaign(house, content=words("nl", blocks=[HELLO, for_segment(segment_id)]))
    send_it(house, mailing_id)
    with house.transaction() as session:
        session.execute(update(Contact).where(Contact.id == cor).values(given_name="An"))
    beat(house)
    said = {mail.recipient: b"Voor An" in mail.octets for mail in house.relay.delivered}
    assert said == {"an@example.org": True, "bo@example.org": False, "cor@example.org": True}, "as it is when it leaves"
    with house.transaction() as session:
        evaluate_segment(session, segment_id)
    with house.transaction() as session:
        deliveries = session.scalars(select(Delivery).where(Delivery.mailing_id == mailing_id)).all()
        shown = [viewed(session, house.runtime, each.id) for each in deliveries]
        assert sorted("Voor An" in (each.html if each else "") for each in shown) == [False, True, True]


def test_a_segment_that_only_a_block_asks_for_is_kept_while_the_mailing_is(house: HouseWithPost) -> None:
    with house.transaction() as session:
        segment_id = a_segment(session, name="Wie An heet", rule=CALLED_AN).id
    mailing_id = campaign(house, content=words("nl", blocks=[HELLO, for_segment(segment_id)]))
    with house.transaction() as session:
        assert segments_of(session, mailing_id)[0] != [segment_id], "nobody gets it for that"
        assert [(use.kind, use.id) for use in uses_of(session, segment_id)] == [("mailing", mailing_id)]
        with pytest.raises(SegmentInUseError):
            delete_segment(session, segment_id)
        save_content(session, mailing_id, words("nl", blocks=[HELLO]), edition=1)
        assert uses_of(session, segment_id) == []
        save_content(session, mailing_id, words("nl", blocks=[HELLO, for_segment(segment_id)]), edition=2)
        freeze(session, mailing_id)
        save_content(session, mailing_id, words("nl", blocks=[HELLO]), edition=3)
        with pytest.raises(SegmentInUseError):
            delete_segment(session, segment_id)


def test_nobody_guesses_who_sees_a_block_whose_segment_is_gone_or_broken(house: HouseWithPost) -> None:
    house.person("an@example.org")
    gone = campaign(house, name="Weg", content=words("nl", blocks=[HELLO, for_segment(99_999)]))
    with house.transaction() as session:
        with pytest.raises(SegmentMissingError):
            scheduling.schedule(session, gone, actor=SYSTEM)
        session.execute(update(Mailing).where(Mailing.id == gone).values(content=words("nl", blocks=[HELLO])))
        scheduling.schedule(session, gone, actor=SYSTEM, repeats="0 11 * * *")
        brought_back = words("nl", blocks=[HELLO, for_segment(99_999)])
        session.execute(update(Mailing).where(Mailing.id == gone).values(content=brought_back))
        segment_id = a_segment(session, name="Wie An heet", rule=CALLED_AN).id
        everybody = segments_of(session, gone)[0][0]
        content = words("nl", blocks=[HELLO, for_segment(segment_id)])
        broken = a_mailing(session, everybody, name="Stuk", content=content)
    send_it(house, broken)
    with house.transaction() as session:
        session.execute(update(Segment).where(Segment.id == segment_id).values(rule={"type": "nothing we know"}))
    beat(house, later=timedelta(hours=3))
    assert house.recipients() == []
    assert state_of(house, gone) == ("paused", "block_segment_gone")
    assert state_of(house, broken) == ("paused", "block_segment")
    with house.transaction() as session:
        session.execute(update(Segment).where(Segment.id == segment_id).values(rule=CALLED_AN))
        progress.resume(session, broken, actor=SYSTEM)
    beat(house, later=timedelta(hours=4))
    assert house.recipients() == ["an@example.org"], "nobody was lost"


def test_everybody_gets_their_own_words_and_their_own_way_out(house: HouseWithPost) -> None:
    """I13 I16"""
    an, bo = house.person("an@example.org"), house.person("bo@example.org")
    with house.transaction() as session:
        session.execute(update(Contact).where(Contact.id == an).values(given_name="An & Co"))
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    beat(house)
    mails = {mail.recipient: mail for mail in house.relay.delivered}
    assert set(mails) == {"an@example.org", "bo@example.org"}
    assert state_of(house, mailing_id) == ("sent", None)
    for address, name in (("an@example.org", "An & Co"), ("bo@example.org", "bezoeker")):
        mail = mails[address]
        assert (mail.sender, mail.message["Subject"]) == (FROM, "Nieuws nl")
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail.message["List-Unsubscribe"].strip("<>")
        claims = read_token(house.runtime.keyring, "unsubscribe", link.rpartition("/")[2])
        assert claims is not None
        with house.transaction() as session:
            delivery = session.scalars(select(Delivery).where(Delivery.contact_id == (an if "an" in address else bo)))
            row = delivery.one()
        assert (claims.purpose, claims.subject_key) == ("newsletter", row.address_hash)
        assert read_delivery_number(house.runtime.keyring, mail.message["Message-ID"]) == (
            house.organisation.id,
            row.id,
        )
        plain = mail.message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        html = mail.message.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert f"Dag {name}" in plain
        assert f"Dag {name.replace('&', '&amp;')}" in html
        assert "https://deproef.example/agenda" in html, "nobody agreed to be followed"
        assert link in html


def test_a_text_that_fails_for_one_person_stops_that_person_only(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    house.person("bo@example.org")
    with house.transaction() as session:
        session.execute(update(Contact).where(Contact.id == an).values(attributes={"boek": "x" * 200_000}))
    fails = text_block("{% if attributes.boek %}{{ attributes.boek }}{% endif %}Dag")
    mailing_id = campaign(house, content=words("nl", blocks=[fails]))
    send_it(house, mailing_id)
    beat(house)
    assert house.recipients() == ["bo@example.org"]
    assert state_of(house, mailing_id)[0] == "sent"
    with house.transaction() as session:
        assert session.execute(select(MailingLeftOut.contact_id, MailingLeftOut.reason)).all() == [
            (an, "template_error")
        ]


def test_a_name_with_a_line_break_begins_no_header(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    with house.transaction() as session:
        session.execute(update(Contact).where(Contact.id == an).values(given_name="An\r\nBcc: bo@example.org"))
    content = words("nl", subject="Dag {{ given_name }}", blocks=[HELLO])
    mailing_id = campaign(house, content=content)
    send_it(house, mailing_id)
    beat(house)
    assert state_of(house, mailing_id)[0] == "sent"
    assert all("Bcc" not in mail.message for mail in house.relay.delivered)
    assert house.recipients() in ([], ["an@example.org"])


def test_a_no_after_the_button_is_kept_and_said(house: HouseWithPost) -> None:
    """I1"""
    an = house.person("an@example.org")
    house.person("bo@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)
    house.withdraw("an@example.org")
    beat(house)
    mails = [mail.recipient for mail in house.relay.delivered if "List-Unsubscribe" in mail.message]
    assert mails == ["bo@example.org"]
    with house.transaction() as session:
        assert session.execute(select(MailingLeftOut.contact_id, MailingLeftOut.reason)).all() == [(an, "withdrawn")]


def test_what_cannot_be_sent_says_why_and_stays_a_draft(house: HouseWithPost) -> None:
    with house.transaction() as session:
        mailing_id = a_mailing(session, content=blank_content(["nl", "fr"]))
    with pytest.raises(CannotSend) as refused:
        send_it(house, mailing_id)
    assert refused.value.codes == ("nobody_meant", "nothing_written")
    assert state_of(house, mailing_id)[0] == "draft"


def test_pressing_the_button_twice_sends_once(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house)
    for _ in range(2):
        send_it(house, mailing_id)
    beat(house)
    send_it(house, mailing_id)
    beat(house)
    assert house.recipients() == ["an@example.org"]


def test_a_scheduled_mailing_waits_for_its_moment(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id, send_at=NOW + timedelta(hours=2))
    beat(house, later=timedelta(minutes=119))
    assert house.recipients() == []
    assert state_of(house, mailing_id)[0] == "scheduled"
    beat(house, later=timedelta(hours=2))
    assert house.recipients() == ["an@example.org"]


def test_nothing_is_scheduled_in_the_past(house: HouseWithPost) -> None:
    mailing_id = campaign(house)
    with pytest.raises(InvalidMailing) as refused:
        send_it(house, mailing_id, send_at=NOW - timedelta(hours=1))
    assert refused.value.errors == {"send_at": "in_the_past"}


def test_what_is_long_overdue_asks_a_person_first(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id, send_at=NOW + timedelta(hours=1))
    beat(house, later=timedelta(hours=8))
    assert house.recipients() == []
    assert state_of(house, mailing_id) == ("paused", "overdue")
    with clock.set_to(NOW + timedelta(hours=8)), house.transaction() as session:
        progress.resume(session, mailing_id, actor=SYSTEM)
    beat(house, later=timedelta(hours=8))
    assert house.recipients() == ["an@example.org"]


def test_many_more_people_than_were_shown_asks_a_person_first(house: HouseWithPost) -> None:
    for number in range(60):
        house.person(f"an{number}@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id, people=3)
    beat(house)
    assert house.recipients() == []
    assert state_of(house, mailing_id) == ("paused", "many_more_people")
    with house.transaction() as session:
        assert find_mailing(session, mailing_id).expected_people == 60
        progress.resume(session, mailing_id, actor=SYSTEM)
    for minutes in range(3):
        beat(house, later=timedelta(minutes=minutes))
    assert len(house.recipients()) == 60


def test_a_pause_takes_back_what_was_reserved_and_a_resume_goes_on(house: HouseWithPost) -> None:
    for number in range(3):
        house.person(f"an{number}@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)

    def hold(step: str) -> None:
        if step == "claimed":
            with house.transaction() as session:
                progress.pause(session, mailing_id, actor=SYSTEM)

    send_due(house.runtime, house.organisation.id, writers=ALL_WRITERS, reached=hold)
    assert house.recipients() == [], "what was claimed when somebody paused does not leave"
    assert house.states() == ["planned"] * 3
    beat(house, later=timedelta(minutes=5))
    assert house.recipients() == []
    with house.transaction() as session:
        progress.resume(session, mailing_id, actor=SYSTEM)
    beat(house, later=timedelta(minutes=6))
    assert len(house.recipients()) == 3


def test_a_cancelled_mailing_reaches_nobody_more_and_says_so(house: HouseWithPost) -> None:
    an = house.person("an@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)
    with house.transaction() as session:
        progress.cancel(session, mailing_id, actor=SYSTEM)
    beat(house)
    assert house.recipients() == []
    assert house.states() == ["cancelled"]
    with house.transaction() as session:
        assert session.execute(select(MailingLeftOut.contact_id, MailingLeftOut.reason)).all() == [
            (an, "mailing_cancelled")
        ]
        with pytest.raises(NotThatState):
            progress.resume(session, mailing_id, actor=SYSTEM)


def test_progress_counts_what_happened(house: HouseWithPost) -> None:
    for number in range(4):
        house.person(f"an{number}@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)
    with house.transaction() as session:
        before = progress.progress_of(session, mailing_id)
    beat(house)
    with house.transaction() as session:
        after = progress.progress_of(session, mailing_id)
    assert (before.planned, before.accepted, before.left, before.percent) == (4, 0, 4, 0)
    assert (after.planned, after.accepted, after.left, after.percent, after.state) == (4, 4, 0, 100, "sent")


def test_a_repeating_mailing_makes_one_of_its_own_each_time(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house, name="Elke maandag")
    send_it(house, mailing_id, repeats="0 10 * * 1")
    monday = timedelta(days=3, hours=0, minutes=1)  # Monday 23 November, 10:01 in Brussels
    beat(house, later=timedelta(days=2))
    assert house.recipients() == []
    beat(house, later=monday)
    beat(house, later=monday + timedelta(minutes=1))
    assert house.recipients() == ["an@example.org"]
    beat(house, later=monday + timedelta(days=7))
    assert house.recipients() == ["an@example.org"] * 2
    with house.transaction() as session:
        names = [(mailing.name, mailing.state, mailing.repeat_of_id) for mailing in list_mailings(session)]
    assert names == [
        ("Elke maandag 2026-11-30", "sent", mailing_id),
        ("Elke maandag 2026-11-23", "sent", mailing_id),
        ("Elke maandag", "scheduled", None),
    ]


def test_times_that_were_missed_make_one_mailing_that_waits_for_a_person(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house, name="Elke maandag")
    send_it(house, mailing_id, repeats="0 10 * * 1")
    beat(house, later=timedelta(days=20))
    assert house.recipients() == []
    with house.transaction() as session:
        found = [(each.name, each.state, each.paused_because) for each in list_mailings(session)]
    assert found == [("Elke maandag 2026-12-07", "paused", "overdue"), ("Elke maandag", "scheduled", None)]


def test_the_time_of_a_repeating_mailing_is_the_house_clock_on_both_sides_of_a_change(house: HouseWithPost) -> None:
    with house.transaction() as session:
        after, moments = NOW.replace(year=2027, month=3, day=20), []
        for _ in range(2):
            after = scheduling.next_time(session, "0 10 * * 1", after=after)
            moments.append(after.isoformat())
    assert moments == ["2027-03-22T09:00:00+00:00", "2027-03-29T08:00:00+00:00"]


@pytest.mark.parametrize("line", ["", "elke dag", "* * * * *", "0 10 * *", "0 25 * * 1", "0 10 31 2 *", "*/5 * * * *"])
def test_what_is_no_time_to_repeat_is_refused(house: HouseWithPost, line: str) -> None:
    mailing_id = campaign(house)
    with pytest.raises(InvalidMailing) as refused:
        send_it(house, mailing_id, repeats=line)
    assert refused.value.errors["repeats"] in ("not_understood", "never")


def test_a_time_that_the_clocks_skip_does_not_exist() -> None:
    with pytest.raises(InvalidMailing):
        scheduling.local_instant(date(2027, 3, 28), time(2, 30), "Europe/Brussels")
    twice = scheduling.local_instant(date(2026, 10, 25), time(2, 30), "Europe/Brussels")
    assert twice.isoformat() == "2026-10-25T00:30:00+00:00", "the first of the two"


def test_a_database_that_was_brought_back_sends_no_mailing_before_a_person_says_so(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)
    with house.transaction() as session:
        session.execute(update(MailSetting).values(confirmed_place=None))
    beat(house)
    assert house.recipients() == []
    with house.transaction() as session:
        places.confirm_place(session, house.runtime.settings)
    beat(house)
    assert house.recipients() == [], "the house may send, and each mailing still asks"
    assert state_of(house, mailing_id) == ("paused", "restored")
    with house.transaction() as session:
        progress.resume(session, mailing_id, actor=SYSTEM)
    beat(house)
    assert house.recipients() == ["an@example.org"]


@pytest.mark.parametrize("choice", ["send", "give up"])
def test_mails_of_journeys_from_before_a_restore_wait_for_a_person_too(house: HouseWithPost, choice: str) -> None:
    house.mail_to(house.person("an@example.org"), kind="journey")
    mailing_id = house.delivery().mailing_id or 0
    with house.transaction() as session:
        session.execute(update(MailSetting).values(confirmed_place=None))
    with house.transaction() as session:
        places.confirm_place(session, house.runtime.settings)
    house.send()
    assert house.recipients() == [], "it may have left after the backup was made"
    with house.transaction() as session:
        (held,) = what_came_back(session, at=NOW).held
        assert (held.mailing_id, held.mails) == (mailing_id, 1)
        if choice == "send":
            assert alarms.let_go_on(session, mailing_id)
        else:
            assert alarms.give_up_held(session, mailing_id, at=NOW) == 1
            assert alarms.give_up_held(session, mailing_id, at=NOW) == 0
    house.mail_to(house.person("bo@example.org"), kind="journey")
    house.send()
    assert house.recipients() == (["an@example.org", "bo@example.org"] if choice == "send" else ["bo@example.org"])
    with house.transaction() as session:
        assert what_came_back(session, at=NOW).held == []
        places.confirm_place(session, house.runtime.settings)
    assert "planned" not in house.states()


def test_words_that_cannot_be_read_hold_the_mailing_and_nobody_is_lost(house: HouseWithPost) -> None:
    house.person("an@example.org")
    mailing_id = campaign(house)
    send_it(house, mailing_id)
    scheduling.run_due(house.runtime, house.organisation.id)
    with house.transaction() as session:
        session.execute(update(Delivery).values(language="de"))
    beat(house)
    assert state_of(house, mailing_id) == ("paused", "content_invalid")
    assert house.states() == ["planned"]
    with house.transaction() as session:
        assert Counter(session.scalars(select(Mailing.state))) == {"paused": 1}
