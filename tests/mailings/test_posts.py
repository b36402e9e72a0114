"""Connections that are kept from beat to beat: one greeting for many beats, and never another house's."""

from __future__ import annotations

from app.mailings.models import MailSetting
from app.mailings.posts import Posts
from app.mailings.sending import send_due
from tests.mailings.house_with_post import PLAIN_WRITERS, HouseWithPost
from tests.standins.smtp import Fault


def beat(house: HouseWithPost, posts: Posts, *people: str) -> None:
    for address in people:
        house.ask(to=address)
    send_due(house.runtime, house.organisation.id, writers=PLAIN_WRITERS, posts=posts)


def test_a_connection_outlives_its_beat_and_is_looked_at_before_it_is_used_again(house: HouseWithPost) -> None:
    with Posts() as posts:
        beat(house, posts, "an@example.org")
        beat(house, posts, "bo@example.org")
        assert house.relay.connections == 1
        for each in house.relay._open:  # as a relay that is restarted
            each.shutdown(2)
        beat(house, posts, "cis@example.org")
    assert (house.relay.connections, len(house.relay.delivered)) == (2, 3)


def test_who_logs_in_as_somebody_else_gets_another_connection(house: HouseWithPost) -> None:
    with Posts() as posts:
        beat(house, posts, "an@example.org")
        house.relay.account = ("huis", "geheim")
        with house.transaction() as session:
            setting = session.query(MailSetting).one()
            setting.relay_user = "huis"
            setting.relay_password = house.runtime.keyring.encrypted("geheim")
        beat(house, posts, "bo@example.org")
    assert [(mail.connection, mail.user) for mail in house.relay.delivered] == [(1, ""), (2, "huis")]


def test_what_nobody_needs_for_long_is_closed(house: HouseWithPost) -> None:
    with Posts(kept_s=0.0) as posts:
        beat(house, posts, "an@example.org")
        beat(house, posts, "bo@example.org")
        assert house.relay.connections == 2


def test_a_relay_that_closes_while_nobody_looks_loses_no_mail_and_no_try(house: HouseWithPost) -> None:
    with Posts() as posts:
        beat(house, posts, "an@example.org")
        house.relay.plan(Fault.CLOSING)
        beat(house, posts, "bo@example.org")
    assert house.states() == ["accepted", "accepted"]
    assert house.relay.connections == 2
