"""The builder's pages, begun from an activity, asked without a browser."""

from __future__ import annotations

from flask.testing import FlaskClient

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.segments.filling import Filled
from tests.segments.kept import DANCE


def test_an_activity_leads_to_the_people_who_would_like_it(marketer: FlaskClient, house: Filled) -> None:
    activity = house.activities[DANCE.id]
    page = marketer.get(f"/activities/{activity}").get_data(as_text=True)
    assert f'href="/segments/new?not_yet={activity}"' in page
    built = marketer.get(f"/segments/new?not_yet={activity}").get_data(as_text=True)
    assert "nog niet geboekt" in built
    assert "&#34;genres&#34;: [&#34;dans&#34;]" in built
    assert marketer.get("/segments/new?not_yet=999999").status_code == 404


def test_whoever_may_not_build_is_not_led_to_the_builder(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled
) -> None:
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert "not_yet" not in viewer.get(f"/activities/{house.activities[DANCE.id]}").get_data(as_text=True)
    assert viewer.get(f"/segments/new?not_yet={house.activities[DANCE.id]}").status_code == 403


def test_an_activity_without_genre_series_or_venue_says_that_nothing_can_be_compared(
    marketer: FlaskClient, house: Filled
) -> None:
    bare = next(number for label, number in house.activities.items() if label != DANCE.id)
    page = marketer.get(f"/segments/new?not_yet={bare}", follow_redirects=True).get_data(as_text=True)
    assert "niets zegt wie ze graag zou zien" in page
