"""Tests of variants: decided once, by clicks or bookings, never by opens; nobody is forgotten or mailed twice."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.db import ScopedSession, transaction
from app.mailings.deliveries import NEVER
from app.mailings.effect.ab_tests import decide, decide_tests, problem_of, rule_of, undecided, verdict_of, winner_of
from app.mailings.effect.models import MailingTest
from app.mailings.effect.proof import Side, side_of
from app.mailings.models import Delivery, Mailing, MailingVersion
from app.runtime import Runtime
from tests.mailings.campaigns import words
from tests.mailings.effect.world import an_activity, book, deliver, event, make_people, sent_mailing

HOUR = timedelta(hours=1)


def a_test(
    session: ScopedSession, *, clicks: tuple[int, ...] = (0, 0), each: int = 200, rest: int = 50, **changes: Any
) -> int:
    """A mailing under way with variants A and B (and C): so many clicked of each, the others wait."""
    by = changes.pop("ab_test", {"share_percent": 40, "decide_by": "clicks", "after_hours": 4})
    mailing_id = sent_mailing(session, ab_test=by, **({"state": "sending", "finished_at": None} | changes))
    names = "ABC"[: len(clicks)]
    session.execute(
        sa.update(MailingVersion)
        .where(MailingVersion.mailing_id == mailing_id)
        .values(content=words("nl", variants=tuple(names)))
    )
    for name, count in zip(names, clicks, strict=True):
        people = make_people(session, each)
        deliver(session, mailing_id, people, variant=name)
        event(session, "clicked", people[:count], mailing_id=mailing_id)
    waiting = {"variant": None, "state": "planned", "handed_over_at": None, "next_try_at": NEVER}
    deliver(session, mailing_id, make_people(session, rest), **waiting)
    return mailing_id


def later(hours: float = 5) -> datetime:
    return clock.now() + hours * HOUR


def rest_of(session: ScopedSession, mailing_id: int) -> Counter[str | None]:
    rows = sa.select(Delivery.variant).where(Delivery.mailing_id == mailing_id, Delivery.state == "planned")
    return Counter(session.scalars(rows))


def by_bookings(session: ScopedSession, mailing_id: int, booked: dict[str, int]) -> None:
    activity = an_activity(session)
    for name, count in booked.items():
        people = session.scalars(
            sa.select(Delivery.contact_id).where(Delivery.mailing_id == mailing_id, Delivery.variant == name)
        ).all()
        book(session, [each for each in people[:count] if each], activity)


def test_the_better_variant_goes_to_the_rest(session: ScopedSession) -> None:
    # Who clicked is seen; the others never agreed to that. Bookings tell everybody apart.
    mailing_id = a_test(session, ab_test={"share_percent": 40, "decide_by": "bookings", "after_hours": 48})
    by_bookings(session, mailing_id, {"A": 10, "B": 40})
    assert decide(session, mailing_id, at=later(47)) is None
    decided = decide(session, mailing_id, at=later(49))
    assert decided is not None
    assert (decided.winner, decided.rest) == ("B", 50)
    assert decided.sides == {"A": [200, 10], "B": [200, 40]}
    assert rest_of(session, mailing_id) == {"B": 50}
    assert session.get_one(Mailing, (session.organisation_id, mailing_id)).winner == "B"
    tries = sa.select(sa.func.max(Delivery.next_try_at)).where(Delivery.mailing_id == mailing_id)
    assert session.scalar(tries) == later(49)


def test_where_no_difference_is_proven_the_rest_is_split_evenly(session: ScopedSession) -> None:
    mailing_id = a_test(session, rest=400, ab_test={"decide_by": "bookings"})
    by_bookings(session, mailing_id, {"A": 20, "B": 24})
    decided = decide(session, mailing_id, at=later(49))
    assert decided is not None
    assert decided.winner is None
    split = rest_of(session, mailing_id)
    assert set(split) == {"A", "B"}
    assert 150 < split["A"] < 250


def test_clicks_count_of_people_who_let_us_see_them(session: ScopedSession) -> None:
    mailing_id = a_test(session, clicks=(3, 90))
    decided = decide(session, mailing_id, at=later())
    assert decided is not None
    # Nobody here agreed to more than the click that was seen: three of three is no less than ninety of ninety.
    assert decided.sides == {"A": [3, 3], "B": [90, 90]}
    assert decided.winner is None


def test_opens_and_machines_decide_nothing(session: ScopedSession) -> None:
    mailing_id = a_test(session)
    people = session.scalars(
        sa.select(Delivery.contact_id).where(Delivery.mailing_id == mailing_id, Delivery.variant == "B")
    ).all()
    event(session, "opened", [each for each in people if each], mailing_id=mailing_id)
    event(session, "clicked", [each for each in people if each], mailing_id=mailing_id, is_machine=True)
    decided = decide(session, mailing_id, at=later())
    assert decided is not None
    assert decided.winner is None
    assert decided.sides == {"A": [0, 0], "B": [0, 0]}


def test_the_hours_count_from_the_last_mail_of_the_test(session: ScopedSession) -> None:
    mailing_id = a_test(session)
    deliver(session, mailing_id, make_people(session, 1), at=later(3), variant="A")
    assert decide(session, mailing_id, at=later(6)) is None
    assert decide(session, mailing_id, at=later(7)) is not None


def test_mails_of_the_test_that_do_not_leave_hold_it_up_for_a_day_and_no_longer(session: ScopedSession) -> None:
    mailing_id = a_test(session)
    deliver(session, mailing_id, make_people(session, 1), variant="A", state="planned", handed_over_at=None)
    assert decide(session, mailing_id, at=later(27)) is None
    assert decide(session, mailing_id, at=later(28)) is not None


def test_where_nothing_of_the_test_could_leave_the_rest_still_goes(session: ScopedSession) -> None:
    mailing_id = a_test(session, each=0)
    decided = decide(session, mailing_id, at=clock.now())
    assert decided is not None
    assert decided.winner is None
    assert sum(rest_of(session, mailing_id).values()) == 50
    assert None not in rest_of(session, mailing_id)


@pytest.mark.parametrize("state", ["paused", "cancelled", "scheduled"])
def test_what_was_paused_or_cancelled_meanwhile_is_left_alone(session: ScopedSession, state: str) -> None:
    mailing_id = a_test(session, state=state)
    assert undecided(session) == []
    assert decide(session, mailing_id, at=later()) is None
    assert rest_of(session, mailing_id) == {None: 50}
    mailing = session.get_one(Mailing, (session.organisation_id, mailing_id))
    mailing.state = "sending"
    session.flush()
    assert undecided(session) == [mailing_id]
    assert decide(session, mailing_id, at=later()) is not None


def test_it_is_decided_once(session: ScopedSession) -> None:
    mailing_id = a_test(session)
    assert decide(session, mailing_id, at=later()) is not None
    assert decide(session, mailing_id, at=later(10)) is None
    assert undecided(session) == []


def test_who_was_cancelled_while_waiting_stays_so(session: ScopedSession) -> None:
    mailing_id = a_test(session)
    session.execute(
        sa.update(Delivery)
        .where(Delivery.mailing_id == mailing_id, Delivery.variant.is_(None))
        .values(state="cancelled")
    )
    decided = decide(session, mailing_id, at=later())
    assert decided is not None
    assert decided.rest == 0
    assert rest_of(session, mailing_id) == {}


def test_two_workers_decide_it_once(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        mailing_id = a_test(session)
    barrier, counts, now = threading.Barrier(2), [], later()

    def work() -> None:
        with clock.set_to(now):
            barrier.wait(10)
            counts.append(decide_tests(runtime, organisation.id))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(30)
    assert sorted(counts) == [0, 1]
    with transaction(runtime.engine, organisation.id) as session:
        assert verdict_of(session, mailing_id) is not None
        assert session.scalar(sa.select(sa.func.count()).select_from(MailingTest)) == 1
        assert None not in rest_of(session, mailing_id)


def test_a_winner_beats_every_other_one() -> None:
    assert winner_of({"A": side_of(1000, 50), "B": side_of(1000, 100), "C": side_of(1000, 95)}) is None
    assert winner_of({"A": side_of(1000, 50), "B": side_of(1000, 100), "C": side_of(1000, 45)}) == "B"
    assert winner_of({"A": side_of(1000, 50), "B": Side()}) is None
    assert winner_of({"A": side_of(1000, 50)}) is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (None, None),
        ({"share_percent": 20}, None),
        ({"share_percent": 20, "decide_by": "bookings", "after_hours": 48}, None),
        ({"share_percent": 0}, "out_of_range"),
        ({"share_percent": 101}, "out_of_range"),
        ({"share_percent": "many"}, "out_of_range"),
        ({"after_hours": 0}, "out_of_range"),
        ({"decide_by": "opens"}, "unknown"),
    ],
)
def test_a_test_that_cannot_be_is_refused(asked: dict[str, Any] | None, code: str | None) -> None:
    assert problem_of(asked) == code


def test_what_was_not_said_is_filled_in() -> None:
    rule = rule_of({"share_percent": 30, "decide_by": "bookings"})
    assert rule is not None
    assert rule.after_hours == 48
    assert rule_of({}) is None
