"""What stands in each person's mail: direct links unless they agreed, and nothing personal else (I16)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.keyring import Keyring
from app.mailings.models import Mailing, MailSetting
from app.mailings.skeleton import hole
from app.mailings.tracking.links import following_of, link_words, links_of, with_pixel
from app.mailings.tracking.models import MailLink
from app.mailings.tracking.parameters import with_parameters
from app.mailings.tracking.tokens import Followed, make_token, read_token
from tests.conftest import make_house
from tests.mailings.house_with_post import HouseWithPost
from tests.mailings.tracking.conftest import BASE, URLS, Sent


@dataclass
class Row:
    id: int
    contact_id: int | None


def test_without_consent_the_links_are_what_was_written_and_there_is_no_pixel(sent: Sent) -> None:
    assert sent.words() == {"link_1": URLS[0], "link_2": URLS[1], "link_3": URLS[2]}


def test_consent_to_clicks_follows_links_and_brings_no_pixel(sent: Sent) -> None:
    sent.agree("track_click")
    words = sent.words()
    assert set(words) == {"link_1", "link_2", "link_3"}
    assert all(url.startswith(f"{BASE}/t/c/") for url in words.values())
    assert len(set(words.values())) == 3


def test_consent_to_opens_brings_a_pixel_and_leaves_links_direct(sent: Sent) -> None:
    sent.agree("track_open")
    words = sent.words()
    assert words.pop("pixel").startswith(f"{BASE}/t/o/")
    assert list(words.values()) == URLS


def test_consent_that_was_withdrawn_counts_no_more(sent: Sent) -> None:
    sent.agree("track_open", "track_click")
    sent.house.withdraw(sent.address, purpose="track_click")
    words = sent.words()
    assert words["link_1"] == URLS[0]
    sent.house.withdraw(sent.address, purpose="track_open")
    assert "pixel" not in sent.words()


def test_a_house_that_does_not_follow_has_direct_links_whatever_people_allow(sent: Sent) -> None:
    sent.agree("track_open", "track_click")
    with sent.house.transaction() as session:
        session.scalars(select(MailSetting)).one().tracks = False
    assert list(sent.words().values()) == URLS


def test_a_house_follows_nobody_until_it_says_so(house: HouseWithPost) -> None:
    other = make_house(house.runtime, "De Buren")
    with house.transaction() as session:
        assert not following_of(session, house.runtime.keyring, base_url=BASE).is_on
    assert other.id != house.organisation.id


def test_everybody_in_a_batch_gets_their_own_and_no_two_share_a_token(sent: Sent) -> None:
    sent.agree("track_click")
    stranger = sent.house.person("bo@example.org")
    links = sent.links()
    with sent.house.transaction() as session:
        following = following_of(session, sent.house.runtime.keyring, base_url=BASE)
        words = link_words(
            session,
            following,
            links,
            [Row(1, sent.contact_id), Row(2, sent.contact_id), Row(3, stranger), Row(4, None)],
        )
    assert words[1]["link_1"] != words[2]["link_1"]
    assert words[3]["link_1"] == words[4]["link_1"] == URLS[0]


def test_a_link_is_registered_once_and_leads_where_it_first_led(sent: Sent) -> None:
    first = sent.links()
    with sent.house.transaction() as session:
        session.scalars(select(Mailing)).one().name = "Anders"
        session.scalars(select(MailSetting)).one().utm_source = "later"
    assert sent.links() == first
    with sent.house.transaction() as session:
        again = links_of(session, mailing_id=sent.mailing_id, version=1, urls=[URLS[2], URLS[0], URLS[0]])
        assert [link.id for link in again] == [first[2].id, first[0].id, first[0].id]
        assert session.scalar(select(func.count()).select_from(MailLink)) == 3


@pytest.mark.parametrize(
    "url",
    [
        "mailto:post@deproef.example",
        "tel:+3290000000",
        "javascript:alert(1)",
        "data:text/html,x",
        "//elders.example/",
        "https://",
        "https://[half/",
        f"https://deproef.example/?wie={hole('given_name')}",
        "https://deproef.example/\r\nLocation: https://elders.example",
        "https://deproef.example/met spatie",
        "https://deproef.example/" + "a" * 2000,
        "",
    ],
)
def test_what_is_no_plain_web_address_is_never_followed(sent: Sent, url: str) -> None:
    with sent.house.transaction() as session:
        (link,) = links_of(session, mailing_id=sent.mailing_id, version=1, urls=[url])
    assert link.id is None
    assert link.url == url


def test_the_pixel_stands_at_the_end_of_the_body_once() -> None:
    html = with_pixel("<html><body><p>Dag</p></body></html>\n")
    assert html.count(hole("pixel")) == 1
    assert html.index("Dag") < html.index(hole("pixel")) < html.index("</body>")
    assert 'alt=""' in html
    assert with_pixel("<p>Dag</p>\n").endswith("\n")


def test_parameters_for_statistics_are_added_for_everybody_alike(sent: Sent) -> None:
    with sent.house.transaction() as session:
        session.scalars(select(MailSetting)).one().utm_source = "de proef"
    words = sent.words()
    told = parse_qs(urlsplit(words["link_2"]).query)
    assert told == {"dag": ["3"], "utm_source": ["de proef"], "utm_medium": ["email"], "utm_campaign": ["het-najaar"]}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?utm_source=s&utm_medium=email&utm_campaign=cafe-noir"),
        ("https://a.example/#top", "https://a.example/?utm_source=s&utm_medium=email&utm_campaign=cafe-noir#top"),
        ("https://a.example/?UTM_source=x", "https://a.example/?UTM_source=x"),
        ("https://a.example/?a=1&a=2&b", "https://a.example/?a=1&a=2&b&utm_source=s&utm_medium=email&utm_campaign=cafe-noir"),
    ],
)  # fmt: skip
def test_the_rest_of_a_link_stays_as_it_was(url: str, expected: str) -> None:
    assert with_parameters(url, source="s", campaign="Café noir!") == expected


def test_a_token_says_what_was_put_in_and_holds_for_its_kind_only(keyring: Keyring) -> None:
    followed = Followed(organisation_id=7, delivery_id=2**40, link_id=9)
    token = make_token(keyring, "click", followed)
    assert read_token(keyring, "click", token) == followed
    assert read_token(keyring, "open", token) is None


def test_a_token_of_an_older_key_keeps_working(keyring: Keyring) -> None:
    token = make_token(keyring, "click", Followed(organisation_id=7, delivery_id=1, link_id=9))
    newer = Keyring((*keyring.keys, (keyring.current_id + 1, b"n" * 32)))
    assert read_token(newer, "click", token) is not None
    assert read_token(Keyring(((99, b"o" * 32),)), "click", token) is None


@given(st.text(max_size=60) | st.text("ABCDEFabcdef0123_-=", min_size=48, max_size=48))
def test_nothing_else_is_a_token(keyring: Keyring, text: str) -> None:
    assert read_token(keyring, "click", text) is None


@given(st.integers(0, 47), st.sampled_from("AQgw4_-z"))
def test_a_token_with_one_letter_changed_is_none(keyring: Keyring, place: int, letter: str) -> None:
    token = make_token(keyring, "click", Followed(organisation_id=7, delivery_id=5, link_id=9))
    altered = token[:place] + letter + token[place + 1 :]
    assert (read_token(keyring, "click", altered) is None) == (altered != token)
