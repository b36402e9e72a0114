"""Control groups: the same answer everywhere, by household, for a season, and never for service mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.activities.seasons import season_at, season_of
from app.contacts.models import Contact
from app.db import ScopedSession, make_engine
from app.keyring import Keyring
from app.mailings.effect.draws import OUT_OF, household, share, share_of
from app.mailings.effect.holdout import (
    NOBODY,
    Holdout,
    held_out,
    holdout_of,
    holdouts_of_journey,
    is_held_out,
    record_sides_of,
    start_season,
)
from app.mailings.effect.models import SeasonSide
from app.mailings.freezing import freeze
from app.mailings.mailings import find_mailing
from app.mailings.models import Delivery, MailingLeftOut
from app.mailings.planning import plan_campaign
from tests.consent.people import make_contact
from tests.mailings.campaigns import a_mailing, a_segment
from tests.mailings.test_planning import people

TENTH = Holdout("test", Decimal(10))


def by_sql(session: ScopedSession, holdout: Holdout) -> set[int]:
    return set(session.scalars(sa.select(Contact.id).where(is_held_out(holdout, Contact.__table__.c.id))))


def many(session: ScopedSession, count: int, *, per_house: int = 1) -> list[int]:
    """That many people with an address, so many in each house."""
    session.execute(
        sa.text(
            "INSERT INTO contact (organisation_id, source, street, postcode, created_at, updated_at)"
            " SELECT :org, 'test', 'Kaai ' || (n / :per_house), '9000', :at, :at FROM generate_series(0, :top) AS n"
        ),
        {"org": session.organisation_id, "per_house": per_house, "top": count - 1, "at": clock.now()},
    )
    return list(session.scalars(sa.select(Contact.id)))


def test_the_database_and_python_draw_the_same(session: ScopedSession, keyring: Keyring) -> None:
    everybody = [*many(session, 400, per_house=2), *(make_contact(session, keyring) for _ in range(40))]
    for holdout in (TENTH, Holdout("other", Decimal("33.33")), Holdout("all", Decimal(100)), NOBODY):
        assert held_out(session, holdout, everybody) == by_sql(session, holdout)
    assert held_out(session, Holdout("all", Decimal(100)), everybody) == set(everybody)
    assert held_out(session, NOBODY, everybody) == set()


@given(
    drawn_for=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), unit=st.text("ch-0123456789")
)
def test_a_share_is_the_same_in_sql_whatever_it_is_of(drawn_for: str, unit: str, share_sql: sa.Connection) -> None:
    found = share_sql.scalar(sa.select(share_of(drawn_for, sa.literal(unit))))
    assert found == share(drawn_for, unit)
    assert 0 <= share(drawn_for, unit) < OUT_OF


@pytest.fixture(scope="module")
def share_sql(server_url: str) -> Iterator[sa.Connection]:
    engine = make_engine(server_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_share_that_is_held_out_is_what_was_asked(session: ScopedSession) -> None:
    everybody = many(session, 20_000)
    for percent in (5, 10, 50):
        held = len(by_sql(session, Holdout(f"mailing {percent}", Decimal(percent))))
        expected = len(everybody) * percent / 100
        # Five standard deviations of a fair draw.
        assert abs(held - expected) < 5 * (expected * (1 - percent / 100)) ** 0.5


def test_draws_for_two_mailings_have_nothing_to_do_with_each_other(session: ScopedSession) -> None:
    everybody = many(session, 20_000)
    first, second = (by_sql(session, Holdout(name, Decimal(20))) for name in ("holdout 1", "holdout 2"))
    expected = len(everybody) * 0.04
    assert abs(len(first & second) - expected) < 5 * expected**0.5


def test_who_lives_together_is_on_the_same_side(session: ScopedSession) -> None:
    many(session, 3_000, per_house=3)
    held = by_sql(session, TENTH)
    streets = sa.select(Contact.street, sa.func.count()).where(Contact.id.in_(held)).group_by(Contact.street)
    assert {people for _street, people in session.execute(streets)} == {3}
    assert held


def test_a_household_is_told_by_its_address_and_who_has_none_stands_alone() -> None:
    assert household(5, 77) == household(6, 77) == "h77"
    assert household(5, None) == "c5"


def test_service_mails_have_no_control_group(session: ScopedSession) -> None:
    for season_holdout in (False, True):
        mailing = find_mailing(
            session,
            a_mailing(
                session,
                name=f"Praktisch {season_holdout}",
                purpose="service",
                holdout_percent=50,
                season_holdout=season_holdout,
            ),
        )
        assert holdout_of(session, mailing, at=clock.now()) == NOBODY
    start_season(session, 2026, percent=50, at=clock.now())
    service, newsletter = (
        holdouts_of_journey(session, journey_id=1, percent=Decimal(50), purpose=purpose, at=clock.now())
        for purpose in ("service", "newsletter")
    )
    assert service == []
    assert len(newsletter) == 2


def test_a_repeating_mailing_leaves_out_the_same_people_every_time(session: ScopedSession) -> None:
    first = find_mailing(session, a_mailing(session, holdout_percent=10))
    again = find_mailing(session, a_mailing(session, name="Nog eens", holdout_percent=10))
    again.repeat_of_id = first.id
    assert holdout_of(session, again, at=clock.now()) == holdout_of(session, first, at=clock.now())


@pytest.mark.parametrize(
    ("day", "season"), [(date(2026, 8, 31), 2025), (date(2026, 9, 1), 2026), (date(2027, 1, 1), 2026)]
)
def test_a_season_begins_in_september(day: date, season: int) -> None:
    assert season_of(day) == season


def test_the_season_turns_at_midnight_in_the_zone_of_the_house(session: ScopedSession) -> None:
    # Brussels is two hours ahead in August.
    assert season_at(session, datetime(2026, 8, 31, 21, 59, tzinfo=UTC)) == 2025
    assert season_at(session, datetime(2026, 8, 31, 22, 0, tzinfo=UTC)) == 2026


def season_mailing(session: ScopedSession, segment_id: int, name: str, **changes: int) -> int:
    mailing_id = a_mailing(session, segment_id, name=name, season_holdout=True, **({"holdout_percent": 30} | changes))
    freeze(session, mailing_id)
    plan_campaign(session, mailing_id)
    return mailing_id


def left_out(session: ScopedSession, mailing_id: int) -> set[int]:
    rows = sa.select(MailingLeftOut.contact_id).where(
        MailingLeftOut.mailing_id == mailing_id, MailingLeftOut.reason == "held_out"
    )
    return set(session.scalars(rows))


def test_one_control_group_serves_every_mailing_of_a_season(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(120)))
    segment_id = a_segment(session).id
    first = season_mailing(session, segment_id, "Een")
    # What another mailing says of its share changes nothing: the season's is set.
    second = season_mailing(session, segment_id, "Twee", holdout_percent=5)
    assert left_out(session, first) == left_out(session, second)
    assert left_out(session, first)


def test_nobody_changes_sides_when_their_address_becomes_known(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(120)))
    segment_id = a_segment(session).id
    first = season_mailing(session, segment_id, "Een")
    session.execute(sa.text("UPDATE contact SET street = 'Kaai ' || id, postcode = '9000'"))
    second = season_mailing(session, segment_id, "Twee")
    assert left_out(session, first) == left_out(session, second)
    got = set(session.scalars(sa.select(Delivery.contact_id).where(Delivery.mailing_id == second)))
    sides = session.execute(sa.select(SeasonSide.contact_id, SeasonSide.is_held_out)).all()
    assert {each.contact_id for each in sides if not each.is_held_out} == got


def test_a_new_season_draws_anew(session: ScopedSession, keyring: Keyring) -> None:
    people(session, keyring, *(f"p{number}" for number in range(120)))
    segment_id = a_segment(session).id
    first = season_mailing(session, segment_id, "Een")
    with clock.set_to(clock.now() + timedelta(days=365)):
        second = season_mailing(session, segment_id, "Twee")
    assert left_out(session, first) != left_out(session, second)


def test_who_entered_a_journey_keeps_the_side_of_the_season(session: ScopedSession) -> None:
    everybody = many(session, 60)
    start_season(session, 2026, percent=20, at=clock.now())
    (season,) = holdouts_of_journey(session, journey_id=7, percent=Decimal(0), purpose="newsletter", at=clock.now())
    # Whatever the draw would say: what was written down goes before it.
    record_sides_of(session, season, held=everybody[:30], others=everybody[30:], at=clock.now())
    assert held_out(session, season, everybody) == set(everybody[:30]) == by_sql(session, season)
    assert record_sides_of(session, season, held=everybody[30:], others=everybody[:30], at=clock.now()) == 0
    assert held_out(session, season, everybody) == set(everybody[:30])
