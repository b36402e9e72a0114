"""A season's control group: started once, and everybody followed from the day they were drawn."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import sqlalchemy as sa
from flask.testing import FlaskClient

from app import clock
from app.accounts.models import AuditEvent, Organisation
from app.db import ScopedSession, transaction
from app.mailings.effect.holdout import Holdout, record_sides_of, start_season
from app.mailings.effect.models import SeasonControl
from app.mailings.effect.seasons import season_effect, seasons_with_control
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.mailings.effect.world import an_activity, book, make_people

DAY = timedelta(days=1)
SEASON = 2026


def drawn(session: ScopedSession, people: list[int], held: int) -> None:
    group = start_season(session, SEASON, percent=10, at=clock.now())
    season = Holdout(f"season {SEASON}", group.percent, SEASON)  # type: ignore[arg-type]  # a share is a share
    record_sides_of(session, season, held=people[:held], others=people[held:], at=clock.now())


def test_a_season_without_a_control_group_has_no_effect(session: ScopedSession) -> None:
    assert season_effect(session, SEASON, at=clock.now()) is None
    assert seasons_with_control(session) == []


def test_people_are_followed_from_the_day_they_were_drawn_to_the_end_of_the_season(session: ScopedSession) -> None:
    people, activity, now = make_people(session, 6), an_activity(session), clock.now()
    drawn(session, people, 2)
    book(session, people[2:3], activity, at=now - DAY)
    book(session, people[3:4], activity, at=now + 200 * DAY)
    book(session, people[4:5], activity, at=now + 300 * DAY)
    book(session, people[:1], activity, at=now + DAY)
    found = season_effect(session, SEASON, at=now + 400 * DAY)
    assert found is not None
    # The season ends on 31 August, 284 days from now.
    assert (found.comparison.treated.people, found.comparison.treated.hits) == (4, 1)
    assert (found.comparison.control.people, found.comparison.control.hits) == (2, 1)
    assert (found.name, str(found.first_on), str(found.last_on)) == ("2026–2027", "2026-09-01", "2027-08-31")


def test_an_effect_of_a_season_is_found(session: ScopedSession) -> None:
    random, activity = Random(8), an_activity(session)
    people = make_people(session, 3_000)
    drawn(session, people, 400)
    book(session, [each for each in people[:400] if random.random() < 0.10], activity)
    book(session, [each for each in people[400:] if random.random() < 0.22], activity)
    found = season_effect(session, SEASON, at=clock.now() + 30 * DAY)
    assert found is not None
    assert found.comparison.rates.verdict == "more"


def test_an_administrator_starts_it_once(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    signed_in(client, make_user(runtime, organisation))
    assert "Geen controlegroep" in client.get("/mailings/season").text
    assert client.post("/mailings/season", data={"percent": "49"}).status_code == 302
    for percent in ("10", "20"):
        assert client.post("/mailings/season", data={"percent": percent}).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        control = session.scalars(sa.select(SeasonControl)).one()
        assert (control.season, control.percent) == (SEASON, 10)
        noted = sa.select(AuditEvent).where(AuditEvent.action == "mailings.started_season")
        assert len(session.scalars(noted).all()) == 1
    assert "2026" in client.get("/mailings/season?season=1999").text
    assert client.get("/mailings/season?season=x").status_code == 200


def test_only_an_administrator_starts_it(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    signed_in(client, make_user(runtime, organisation, "marketer"))
    assert client.get("/mailings/season").status_code == 200
    assert client.post("/mailings/season", data={"percent": "10"}).status_code == 403
