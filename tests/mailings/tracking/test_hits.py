"""Clicks and opens as they come in: consent is asked at that moment, machines count for nothing, links lead on."""

from __future__ import annotations

import concurrent.futures
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, update

from app import clock
from app.consent.models import ConsentEvent
from app.contacts.bursts import Click, in_a_burst
from app.mailings.models import Delivery, MailSetting
from app.mailings.tracking import hits
from app.mailings.tracking.machines import is_machine
from app.mailings.tracking.models import MailLink
from app.mailings.tracking.tokens import Followed, make_token
from tests.conftest import NOW, make_house
from tests.mailings.tracking.conftest import BROWSER, URLS, Sent


def test_a_click_leads_on_and_is_counted_with_its_link(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    answer = browser_of_an.get(sent.path("link_2"))
    assert (answer.status_code, answer.location) == (302, URLS[1])
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (event,) = sent.events()
    assert (event.event, event.contact_id, event.delivery_id) == ("clicked", sent.contact_id, sent.delivery_id)
    assert (event.mailing_id, event.is_machine, event.link_id) == (sent.mailing_id, False, sent.links()[1].id)


def test_after_a_withdrawal_the_link_still_leads_on_and_nothing_is_stored(
    sent: Sent, browser_of_an: FlaskClient
) -> None:
    sent.agree("track_click", "track_open")
    path, pixel = sent.path(), sent.path("pixel")
    sent.house.withdraw(sent.address, purpose=None)
    assert browser_of_an.get(path).location == URLS[0]
    assert browser_of_an.get(pixel).status_code == 200
    assert sent.events() == []


def test_a_house_that_stopped_following_stores_nothing(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    path = sent.path()
    with sent.house.transaction() as session:
        session.scalars(select(MailSetting)).one().tracks = False
    assert browser_of_an.get(path).location == URLS[0]
    assert sent.events() == []


def test_an_open_is_an_image_that_no_cache_keeps(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_open")
    answer = browser_of_an.get(sent.path("pixel"))
    assert (answer.status_code, answer.mimetype) == (200, "image/gif")
    assert answer.data.startswith(b"GIF89a")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert [event.event for event in sent.events()] == ["opened"]


def test_head_stores_nothing(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click", "track_open")
    assert browser_of_an.head(sent.path()).location == URLS[0]
    assert browser_of_an.head(sent.path("pixel")).status_code == 200
    assert sent.events() == []


def test_asking_twice_at_once_counts_once(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    for _ in range(3):
        browser_of_an.get(sent.path())
    assert len(sent.events()) == 1
    with clock.set_to(NOW + timedelta(minutes=5)):
        browser_of_an.get(sent.path())
    assert len(sent.events()) == 2


def test_somebody_who_plays_with_a_link_fills_nothing(
    sent: Sent, browser_of_an: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "HITS_MAX", 3)
    sent.agree("track_click")
    for minute in range(6):
        with clock.set_to(NOW + timedelta(minutes=minute)):
            assert browser_of_an.get(sent.path()).status_code == 302
    assert len(sent.events()) == 3


def test_an_unknown_link_is_a_calm_page(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    altered = sent.path()[:-1] + "_"
    for path in (altered, "/t/c/x", "/t/c/https:%2F%2Felders.example", sent.path().replace("/c/", "/o/")):
        answer = browser_of_an.get(path)
        assert answer.location is None
        assert answer.status_code == 404
    assert sent.events() == []


def test_a_link_whose_mailing_is_gone_says_so_in_the_look_of_the_house(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    path = sent.path()
    with sent.house.transaction() as session:
        session.execute(delete(MailLink))
    answer = browser_of_an.get(path)
    assert answer.status_code == 404
    assert "De Proef" in answer.text


def test_a_token_of_another_house_finds_nothing_of_ours(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    other = make_house(sent.house.runtime, "De Buren")
    ours = sent.links()[0].id or 0
    followed = Followed(organisation_id=other.id, delivery_id=sent.delivery_id, link_id=ours)
    token = make_token(sent.house.runtime.keyring, "click", followed)
    answer = browser_of_an.get(f"/t/c/{token}")
    assert answer.status_code == 404
    assert sent.events() == []


def test_following_links_says_nothing_to_the_ledger(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click", "track_open")
    with sent.house.transaction() as session:
        before = session.scalar(select(func.count()).select_from(ConsentEvent))
    browser_of_an.get(sent.path())
    browser_of_an.get(sent.path("pixel"))
    with sent.house.transaction() as session:
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == before


def test_a_mail_that_is_unknown_by_now_still_leads_on(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    path = sent.path()
    with sent.house.transaction() as session:
        session.execute(delete(Delivery))
    assert browser_of_an.get(path).location == URLS[0]
    assert sent.events() == []


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "BarracudaSentinel/1.0",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
        "python-requests/2.32",
        "curl/8.5.0",
        "Go-http-client/2.0",
        "Mimecast-URL-Protect",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.example/robots)",
    ],
)
def test_a_machine_is_kept_as_one(sent: Sent, client: FlaskClient, agent: str) -> None:
    sent.agree("track_click", "track_open")
    client.get(sent.path(), headers={"User-Agent": agent})
    client.get(sent.path("pixel"), headers={"User-Agent": agent})
    assert [event.is_machine for event in sent.events()] == [True, True]


@pytest.mark.parametrize(
    "agent",
    [
        BROWSER["User-Agent"],
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
        "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari",
    ],
)
def test_what_a_person_reads_with_is_no_machine(agent: str) -> None:
    assert not is_machine({"User-Agent": agent}, after=timedelta(minutes=1))


def test_what_is_fetched_ahead_is_no_persons() -> None:
    assert is_machine(BROWSER | {"Sec-Purpose": "prefetch;prerender"}, after=None)
    assert is_machine(BROWSER | {"X-Purpose": "preview"}, after=None)


def test_nobody_clicks_seconds_after_the_mail_left(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    with sent.house.transaction() as session:
        session.execute(update(Delivery).values(handed_over_at=NOW - timedelta(seconds=4)))
    browser_of_an.get(sent.path())
    assert [event.is_machine for event in sent.events()] == [True]
    with clock.set_to(NOW + timedelta(minutes=1)):
        browser_of_an.get(sent.path())
    assert [event.is_machine for event in sent.events()] == [True, False]


def test_a_burst_of_links_makes_the_clicks_before_it_a_machines_too(sent: Sent, browser_of_an: FlaskClient) -> None:
    sent.agree("track_click")
    for second, word in enumerate(("link_1", "link_2", "link_3")):
        with clock.set_to(NOW + timedelta(seconds=2 * second)):
            browser_of_an.get(sent.path(word))
    assert [event.is_machine for event in sent.events()] == [True, True, True]
    with clock.set_to(NOW + timedelta(seconds=40)):
        browser_of_an.get(sent.path("link_2"))
    assert [event.is_machine for event in sent.events()] == [True, True, True, False]


def test_a_burst_that_comes_at_the_same_moment_is_seen(sent: Sent, app: Flask) -> None:
    sent.agree("track_click")
    paths = [sent.path(word) for word in ("link_1", "link_2", "link_3")]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda path: app.test_client().get(path, headers=BROWSER).status_code, paths))
    assert answers == [302, 302, 302]
    assert [event.is_machine for event in sent.events()] == [True, True, True]


def test_two_links_in_a_row_are_a_persons() -> None:
    clicks = [Click(1, 1, NOW), Click(2, 2, NOW + timedelta(seconds=8))]
    assert in_a_burst(clicks, links=2) == set()
    assert in_a_burst(clicks, links=5) == set()
    assert in_a_burst([Click(1, 1, NOW), Click(2, 2, NOW + timedelta(seconds=1))], links=2) == {1, 2}
    assert in_a_burst([Click(1, 1, NOW), Click(2, 1, NOW + timedelta(seconds=1))], links=1) == set()


def test_clicks_far_apart_are_no_burst() -> None:
    clicks = [Click(number, number, NOW + timedelta(seconds=30 * number)) for number in range(5)]
    assert in_a_burst(clicks, links=5) == set()


def test_a_count_that_fails_does_not_keep_the_person_from_getting_there(
    sent: Sent, browser_of_an: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent.agree("track_click")
    path = sent.path()
    monkeypatch.setattr(hits, "SOURCE", "nul \x00 in text")
    assert browser_of_an.get(path).location == URLS[0]
    assert sent.events() == []
