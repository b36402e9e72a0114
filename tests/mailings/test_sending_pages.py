"""The pages that send a mailing and show how it goes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.audit import SYSTEM
from app.mailings import progress
from app.mailings.mailings import find_mailing, segments_of
from tests.conftest import application, make_user, signed_in
from tests.mailings.campaigns import a_mailing, a_segment, words
from tests.mailings.house_with_post import HouseWithPost
from tests.mailings.test_campaigns import HELLO, beat, state_of


@pytest.fixture
def browser(house: HouseWithPost) -> FlaskClient:
    flask = application(house.runtime)
    return signed_in(flask.test_client(), make_user(house.runtime, house.organisation, "marketer"))


def draft(house: HouseWithPost, **changes: Any) -> tuple[int, int]:
    """A written draft to nobody yet, and a segment."""
    with house.transaction() as session:
        segment = a_segment(session)
        return a_mailing(session, **({"content": words("nl", blocks=[HELLO])} | changes)), segment.id


def test_from_choosing_people_to_the_last_mail(house: HouseWithPost, browser: FlaskClient) -> None:
    house.person("an@example.org")
    house.person("bo@example.org", says_yes=False)
    mailing_id, segment_id = draft(house)
    page = browser.get(f"/mailings/{mailing_id}/send")
    assert page.status_code == 200
    chosen = {"edition": 1, f"segment-{segment_id}": "to", "holdout_percent": 0}
    assert browser.post(f"/mailings/{mailing_id}/send/people", data=chosen).status_code == 302
    counted = browser.get(f"/mailings/{mailing_id}/send/count").get_data(as_text=True)
    assert "1 persoon" in counted
    people = re.search(r'name="people" value="(\d+)"', counted)
    edition = re.search(r'name="edition" value="(\d+)"', counted)
    assert people is not None
    assert edition is not None
    assert people[1] == "1"
    pressed = browser.post(
        f"/mailings/{mailing_id}/send", data={"edition": edition[1], "people": people[1], "when": "now"}
    )
    assert pressed.location.endswith(f"/mailings/{mailing_id}/progress")
    beat(house)
    shown = browser.get(pressed.location).get_data(as_text=True)
    assert "1 van 1" in shown
    assert house.recipients() == ["an@example.org"]
    assert browser.get(f"/mailings/{mailing_id}/send").status_code == 302, "what was sent is followed, not sent again"


def test_somebody_who_looked_at_an_older_draft_does_not_send_it(house: HouseWithPost, browser: FlaskClient) -> None:
    house.person("an@example.org")
    mailing_id, segment_id = draft(house)
    chosen = {"edition": 1, f"segment-{segment_id}": "to", "holdout_percent": 0}
    browser.post(f"/mailings/{mailing_id}/send/people", data=chosen)
    browser.post(f"/mailings/{mailing_id}/send", data={"edition": 1, "people": 1, "when": "now"})
    assert state_of(house, mailing_id)[0] == "draft"


def test_what_is_wrong_stands_beside_its_field(house: HouseWithPost, browser: FlaskClient) -> None:
    house.person("an@example.org")
    mailing_id, segment_id = draft(house)
    chosen = {"edition": 1, f"segment-{segment_id}": "to", "segment-x": "to", "holdout_percent": 80}
    assert browser.post(f"/mailings/{mailing_id}/send/people", data=chosen).status_code == 422
    browser.post(f"/mailings/{mailing_id}/send/people", data=chosen | {"holdout_percent": 10})
    past = {"edition": 2, "people": 1, "when": "at", "on": "2026-01-01", "at": "10:00"}
    refused = browser.post(f"/mailings/{mailing_id}/send", data=past)
    assert refused.status_code == 422
    assert "Dit moment is voorbij" in refused.get_data(as_text=True)
    skipped = past | {"on": "2027-03-28", "at": "02:30"}
    assert browser.post(f"/mailings/{mailing_id}/send", data=skipped).status_code == 422
    assert state_of(house, mailing_id)[0] == "draft"
    with house.transaction() as session:
        assert find_mailing(session, mailing_id).holdout_percent == 10
        assert segments_of(session, mailing_id)[0] == [segment_id]


def test_every_week_is_understood_as_the_house_clock(house: HouseWithPost, browser: FlaskClient) -> None:
    house.person("an@example.org")
    mailing_id, segment_id = draft(house)
    chosen = {"edition": 1, f"segment-{segment_id}": "to", "holdout_percent": 0}
    browser.post(f"/mailings/{mailing_id}/send/people", data=chosen)
    weekly = {"edition": 2, "people": 1, "when": "repeats", "every": "week", "weekday": "0", "repeat_at": "10:30"}
    assert browser.post(f"/mailings/{mailing_id}/send", data=weekly).status_code == 302
    with house.transaction() as session:
        mailing = find_mailing(session, mailing_id)
        assert mailing.repeats == "30 10 * * 0"
        assert mailing.send_at is not None
        assert mailing.send_at.isoformat() == "2026-11-22T09:30:00+00:00", "Sunday at half past ten in Brussels"
    assert "opnieuw" in browser.get(f"/mailings/{mailing_id}/progress").get_data(as_text=True).lower()


def test_a_mailing_is_held_and_let_go_from_its_page(house: HouseWithPost, browser: FlaskClient) -> None:
    house.person("an@example.org")
    mailing_id, segment_id = draft(house)
    chosen = {"edition": 1, f"segment-{segment_id}": "to", "holdout_percent": 0}
    browser.post(f"/mailings/{mailing_id}/send/people", data=chosen)
    later = {"edition": 2, "people": 1, "when": "at", "on": "2026-11-27", "at": "10:00"}
    browser.post(f"/mailings/{mailing_id}/send", data=later)
    assert "27" in browser.get(f"/mailings/{mailing_id}/progress").get_data(as_text=True)
    with house.transaction() as session:
        progress.pause(session, mailing_id, actor=SYSTEM, because="many_more_people")
    waiting = browser.get(f"/mailings/{mailing_id}/progress").get_data(as_text=True)
    assert "veel meer mensen" in waiting
    browser.post(f"/mailings/{mailing_id}/resume")
    assert state_of(house, mailing_id)[0] == "scheduled"
    browser.post(f"/mailings/{mailing_id}/unschedule")
    assert state_of(house, mailing_id)[0] == "draft"
    assert browser.post(f"/mailings/{mailing_id}/cancel", follow_redirects=False).status_code == 302
    assert state_of(house, mailing_id)[0] == "draft", "a draft is removed, not cancelled"


def test_a_viewer_looks_and_sends_nothing(house: HouseWithPost) -> None:
    mailing_id, _ = draft(house)
    flask = application(house.runtime)
    viewer = signed_in(flask.test_client(), make_user(house.runtime, house.organisation, "viewer"))
    for path in ("send", "send/people", "pause", "resume", "cancel", "unschedule"):
        assert viewer.post(f"/mailings/{mailing_id}/{path}").status_code == 403


def test_the_segments_that_were_chosen_stand_first_and_a_choice_of_somebody_else_is_shown(
    house: HouseWithPost, browser: FlaskClient
) -> None:
    mailing_id, segment_id = draft(house)
    with house.transaction() as session:
        other = a_segment(session, name="Aardige mensen")
    chosen = {"edition": 1, f"segment-{segment_id}": "to", f"segment-{other.id}": "", "holdout_percent": 0}
    page = browser.post(f"/mailings/{mailing_id}/send/people", data=chosen, follow_redirects=True).get_data(
        as_text=True
    )
    assert page.index(f'name="segment-{segment_id}"') < page.index(f'name="segment-{other.id}"')
    stale = browser.post(f"/mailings/{mailing_id}/send/people", data=chosen, headers={"HX-Request": "true"})
    assert (stale.status_code, stale.headers["HX-Refresh"]) == (204, "true")
