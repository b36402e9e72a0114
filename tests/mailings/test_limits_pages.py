"""The settings of how often, when not and how fast."""

from __future__ import annotations

from datetime import time

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.mailings.models import MailSetting
from tests.conftest import application, make_user, signed_in
from tests.mailings.house_with_post import HouseWithPost

SAVED = {"cap_mails": "3", "cap_days": "14", "cap_wait_hours": "0", "quiet_from": "22:00", "quiet_until": "07:30"}


@pytest.fixture
def browser(house: HouseWithPost) -> FlaskClient:
    flask = application(house.runtime)
    return signed_in(flask.test_client(), make_user(house.runtime, house.organisation, "admin"))


def setting(house: HouseWithPost) -> tuple[int | None, int, time | None, int | None]:
    with house.transaction() as session:
        row = session.scalars(select(MailSetting)).one()
        return row.cap_mails, row.cap_days, row.quiet_from, row.mails_a_minute


def test_what_a_house_gets_by_itself_is_shown_and_changed(house: HouseWithPost, browser: FlaskClient) -> None:
    page = browser.get("/settings/mail/limits/").get_data(as_text=True)
    assert 'value="21:00"' in page
    assert browser.post("/settings/mail/limits/", data=SAVED).status_code == 302
    assert setting(house) == (3, 14, time(22), None)
    browser.post("/settings/mail/limits/", data={"cap_mails": "", "cap_days": "7", "mails_a_minute": "30"})
    assert setting(house) == (None, 7, None, 30)


@pytest.mark.parametrize(
    "wrong", [{"cap_mails": "0"}, {"cap_days": "400"}, {"quiet_until": ""}, {"quiet_from": "25:00"}]
)
def test_what_cannot_be_is_refused_and_nothing_is_saved(
    house: HouseWithPost, browser: FlaskClient, wrong: dict[str, str]
) -> None:
    assert browser.post("/settings/mail/limits/", data=SAVED | wrong).status_code == 422
    assert setting(house) == (2, 7, time(21), None)
