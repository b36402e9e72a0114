"""When the house was closed: kept in order, proposed from the programme, and said on a page and over REST."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.accounts.organisations import current_organisation
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.closures import add_closed_period, closed_periods, proposed_periods, remove_closed_period
from app.segments.language.windows import ClosedPeriod
from tests.conftest import make_user, signed_in
from tests.segments.building.test_discovery import an_activity
from tests.segments.people import DAY
from tests.segments.test_api import Api

SUMMER = ClosedPeriod(date(2026, 7, 1), date(2026, 8, 31))


def test_periods_that_touch_are_kept_as_one_and_can_be_removed(session: ScopedSession) -> None:
    add_closed_period(session, SUMMER)
    add_closed_period(session, ClosedPeriod(date(2026, 9, 1), date(2026, 9, 7)))
    session.expire_all()
    assert closed_periods(session) == (ClosedPeriod(date(2026, 7, 1), date(2026, 9, 7)),)
    assert remove_closed_period(session, date(2026, 7, 2)) == closed_periods(session)
    assert remove_closed_period(session, date(2026, 7, 1)) == ()


def test_what_the_house_was_set_to_besides_stays(session: ScopedSession, organisation: Organisation) -> None:
    current_organisation(session).settings = {"else": 1}
    add_closed_period(session, SUMMER)
    assert current_organisation(session).settings["else"] == 1


def test_four_weeks_without_anything_on_are_proposed_until_they_are_known(session: ScopedSession) -> None:
    for ago in (10, 20, 60, 87, 115):
        an_activity(session, f"{ago} dagen geleden", starts_on=DAY - timedelta(days=ago))
    gap = ClosedPeriod(DAY - timedelta(days=59), DAY - timedelta(days=21))
    assert proposed_periods(session) == [gap], "the 27 days before are no four weeks"
    add_closed_period(session, gap)
    assert proposed_periods(session) == []


def test_a_marketer_says_when_the_house_was_closed_and_a_viewer_only_reads(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    sent = {"first": "2026-07-01", "last": "2026-08-31"}
    assert marketer.post("/segments/closed", data=sent).status_code == 302
    assert 'value="2026-07-01"' in marketer.get("/segments/closed").get_data(as_text=True)
    refused = marketer.post("/segments/closed", data={"first": "2026-07-01", "last": "2026-06-01"})
    assert refused.status_code == 422
    assert "eerste" in refused.get_data(as_text=True)
    with transaction(runtime.engine, organisation.id) as session:
        assert closed_periods(session) == (SUMMER,)
    marketer.post("/segments/closed/remove", data={"first": "2026-07-01"})
    with transaction(runtime.engine, organisation.id) as session:
        assert closed_periods(session) == ()
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.get("/segments/closed").status_code == 200
    assert viewer.post("/segments/closed", data=sent).status_code == 403


@pytest.fixture
def api(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Api:
    with transaction(runtime.engine, organisation.id) as session:
        return Api(client, create_api_key(session, runtime.keyring, name="all", scopes=["*"]))


def test_closed_periods_over_rest(api: Api) -> None:
    def period(first: str, last: str) -> dict[str, Any]:
        return {"first": first, "last": last}

    sent = [period("2026-07-01", "2026-08-31"), period("2025-07-01", "2025-08-31"), period("2026-08-30", "2026-09-02")]
    kept = api.ask("PUT", "/closed-periods", items=sent)["items"]
    assert kept == [period("2025-07-01", "2025-08-31"), period("2026-07-01", "2026-09-02")]
    assert api.ask("GET", "/closed-periods")["items"] == kept
    wrong = api.ask("PUT", "/closed-periods", 422, items=[period("2026-07-02", "2026-07-01")])
    assert list(wrong["errors"]) == ["items.0.last"]
    assert api.ask("GET", "/closed-periods")["items"] == kept
