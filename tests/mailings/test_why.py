"""Why did, or didn't, somebody get a mail: answered for every delivery, as of then and as of today."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient

from app import clock
from tests.conftest import application, make_user, signed_in
from tests.consent.people import WORDING
from tests.mailings.house_with_post import HouseWithPost

AN = "an@example.org"


def browser(house: HouseWithPost) -> FlaskClient:
    flask = application(house.runtime)
    user = make_user(house.runtime, house.organisation, "viewer")
    with house.transaction() as session:
        session.merge(user).language = "en"
    return signed_in(flask.test_client(), user)


def test_a_mail_that_went_shows_the_decision_and_what_it_rested_on_also_after_a_no(house: HouseWithPost) -> None:
    viewer = browser(house)
    contact_id = house.person(AN)
    assert "No mails yet" in viewer.get(f"/mails/of/{contact_id}").text
    (delivery_id,) = house.mail_to(contact_id)
    page = viewer.get(f"/mails/of/{contact_id}/{delivery_id}").text
    assert "It has not been decided yet" in page
    assert house.send() == 1
    with clock.set_to(clock.now() + timedelta(hours=1)):
        house.withdraw(AN)
        page = viewer.get(f"/mails/of/{contact_id}/{delivery_id}").text
        listed = viewer.get(f"/mails/of/{contact_id}").text
    assert "the answer was yes: gave consent" in page
    assert WORDING in page
    assert "What was said since" in page
    assert "Withdrew consent" in page
    assert "Sent" in listed
    assert "Mails" in viewer.get(f"/contacts/{contact_id}").text


def test_a_mail_that_was_held_back_says_that_the_answer_was_no(house: HouseWithPost) -> None:
    viewer = browser(house)
    contact_id = house.person(AN)
    (delivery_id,) = house.mail_to(contact_id)
    house.withdraw(AN)
    house.send()
    page = viewer.get(f"/mails/of/{contact_id}/{delivery_id}").text
    assert "Held back" in page
    assert "the answer was yes" not in page
    assert "Withdrew consent" in page


def test_a_letter_needs_no_permission_and_says_so(house: HouseWithPost) -> None:
    viewer = browser(house)
    contact_id = house.person(AN, says_yes=False)
    letter_id = house.ask()
    house.send()
    delivery = house.delivery(letter_id=letter_id)
    page = viewer.get(f"/mails/of/{contact_id}/{delivery.id}").text
    assert "Link to the preference page" in page
    assert "so no permission was needed" in page


def test_nobody_elses_mail_is_shown(house: HouseWithPost) -> None:
    viewer = browser(house)
    an, bo = house.person(AN), house.person("bo@example.org")
    (delivery_id,) = house.mail_to(an)
    assert viewer.get(f"/mails/of/{bo}/{delivery_id}").status_code == 404
    assert viewer.get(f"/mails/of/{10**7}").status_code == 404
