"""Rehearsals: real people, mails that stay here, and nothing else done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.audit import SYSTEM
from app.db import ScopedSession
from app.journeys import rehearsing
from app.journeys.drafts import make_journey
from app.journeys.figures import figures_of
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.numbers import numbers_of
from app.journeys.problems import NotPublishableError
from app.journeys.publishing import publish, publish_preview
from app.mailings.models import Mailing
from tests.journeys.moving.house import API, Walks, tag, wait


def draft(house: Walks, *steps: Any) -> int:
    definition = {"trigger": API, "purpose": "newsletter", "steps": list(steps)}
    return house.do(lambda session: make_journey(session, "Repetitie", definition, created_by=None).id)


def rehearse(house: Walks, journey: int, *names: str) -> int:
    people = [house.names[name] for name in names]
    return house.do(lambda session: rehearsing.begin_rehearsal(session, journey, people, actor=SYSTEM))


def test_a_draft_runs_on_real_people_and_its_mails_stay_here(house: Walks) -> None:
    an, _bob = house.friend("An"), house.friend("Bob")
    journey = draft(house, house.send("m"), tag("t"))
    assert rehearse(house, journey, "An", "Bob") == 2
    house.move()
    assert [(contact, step, state) for contact, step, state in house.mails() if contact == an] == [(an, "m", "draft")]
    assert house.tags("An") == []
    state = house.do(lambda session: session.scalars(sa.select(Journey.state)).one())
    assert state == "draft"


def test_waits_end_when_somebody_says_so(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, wait("w", "P30D"), house.send("m"))
    rehearse(house, journey, "An")
    house.move()
    assert house.mails() == []
    assert house.do(lambda session: rehearsing.go_on_now(session, journey)) == 1
    house.now += timedelta(seconds=1)
    house.move()
    assert [state for _contact, _step, state in house.mails()] == ["draft"]


def test_mails_leave_only_when_as_many_are_released_as_were_looked_at(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, house.send("m"))
    rehearse(house, journey, "An")
    house.move()

    def release(session: ScopedSession, expected: int) -> int | None:
        return rehearsing.release_mails(session, journey, expected=expected, actor=SYSTEM)

    assert house.do(lambda session: release(session, 2)) is None
    assert [state for _contact, _step, state in house.mails()] == ["draft"]
    assert house.do(lambda session: release(session, 1)) == 1
    assert [state for _contact, _step, state in house.mails()] == ["planned"]


def test_what_is_thrown_away_never_leaves_and_the_rehearsal_is_over(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, house.send("m"), wait("w"), house.send("n"))
    rehearse(house, journey, "An")
    house.move()
    assert house.do(lambda session: rehearsing.discard_mails(session, journey, actor=SYSTEM)) == 1
    house.later(days=2)
    house.move()
    assert [state for _contact, _step, state in house.mails()] == ["cancelled"]


def test_a_rehearsal_counts_in_no_number_and_keeps_nobody_out(house: Walks) -> None:
    an = house.friend("An")
    journey = draft(house, wait("w"))
    rehearse(house, journey, "An")
    house.move()
    assert house.do(lambda session: numbers_of(session, journey)) == {}
    assert house.do(lambda session: figures_of(session, [journey])) == {}
    house.do(lambda session: publish(session, journey, actor=SYSTEM))
    assert house.do(lambda session: publish_preview(session, journey).inside) == ()
    house.come_in(journey, "An")
    inside = house.do(lambda session: session.scalars(sa.select(Enrolment.is_rehearsal).order_by(Enrolment.id)).all())
    assert (an, list(inside)) == (house.names["An"], [True, False])


def test_publishing_what_was_rehearsed_keeps_its_number(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, wait("w"))
    rehearse(house, journey, "An")
    assert house.do(lambda session: publish(session, journey, actor=SYSTEM).version) == 1


def test_what_happened_between_rehearsing_and_publishing_lets_nobody_in(house: Walks) -> None:
    for name in ("An", "Bob"):
        house.friend(name)
    definition = {"trigger": {"type": "participation", "on": "booked"}, "purpose": "newsletter", "steps": [tag("t")]}
    journey = house.do(lambda session: make_journey(session, "Repetitie", definition, created_by=None).id)
    rehearse(house, journey, "An")
    [tried] = house.do(lambda session: session.scalars(sa.select(JourneyVersion)).all())
    assert not tried.was_published
    house.show(1, house.now + timedelta(days=30))
    house.later(minutes=5)
    house.book("An", 1)
    house.later(minutes=5)
    house.do(lambda session: publish(session, journey, actor=SYSTEM))
    house.later(minutes=5)
    house.book("Bob", 1)
    house.beat()
    [version] = house.do(lambda session: session.scalars(sa.select(JourneyVersion)).all())
    assert (version.version, version.was_published) == (1, True)
    entered = sa.select(Enrolment.contact_id).where(~Enrolment.is_rehearsal)
    assert house.do(lambda session: session.scalars(entered).all()) == [house.names["Bob"]]


def test_looking_at_a_mail_does_not_change_what_a_running_journey_sends(house: Walks) -> None:
    house.friend("An")
    step = house.send("m")
    house.run(step)
    frozen = house.do(lambda session: session.scalars(sa.select(Mailing.version)).one())

    def edit(session: ScopedSession) -> None:
        mailing = session.scalars(sa.select(Mailing)).one()
        texts = {**mailing.content["variants"][0]["texts"]["nl"], "subject": "Nog niet klaar"}
        mailing.content = {**mailing.content, "variants": [{"name": "A", "texts": {"nl": texts}}]}

    house.do(edit)
    rehearse(house, draft(house, step), "An")
    assert house.do(lambda session: session.scalars(sa.select(Mailing.version)).one()) == frozen


def test_an_unfinished_draft_is_not_rehearsed(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, {"id": "m", "type": "send", "mailing": None})
    with pytest.raises(NotPublishableError):
        rehearse(house, journey, "An")


def test_nobody_rehearses_twice_at_once(house: Walks) -> None:
    house.friend("An")
    journey = draft(house, wait("w"))
    assert [rehearse(house, journey, "An"), rehearse(house, journey, "An")] == [1, 0]
