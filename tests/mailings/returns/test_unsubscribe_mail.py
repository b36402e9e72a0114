"""The address by which a mail unsubscribes: only where what comes back is read, and read back by us."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

import pytest

from app.mailings.mail_settings import Sender, sender_of
from app.mailings.mime import one_click_headers, unsubscribe_mail
from app.mailings.return_paths import delivery_number, read_delivery_number
from tests.mailings.house_with_post import HouseWithPost


@pytest.fixture
def sender(house: HouseWithPost) -> Sender:
    with house.transaction() as session:
        found = sender_of(session, house.runtime)
    assert isinstance(found, Sender)
    return replace(found, bounces_go="to_mailbox", bounce_address="bounces@deproef.example")


def test_it_carries_the_number_that_we_read_back(house: HouseWithPost, sender: Sender) -> None:
    number = delivery_number(house.runtime.keyring, 1, 42)
    link = unsubscribe_mail(sender, number=number) or ""
    assert link == f"mailto:bounces+{number}@deproef.example?subject=unsubscribe"
    assert read_delivery_number(house.runtime.keyring, unquote(link)) == (1, 42)
    headers = one_click_headers("https://zaal.example/u/x", mail_to=link)
    assert headers["List-Unsubscribe"] == f"<https://zaal.example/u/x>, <{link}>"


@pytest.mark.parametrize("changes", [{"bounces_go": "to_sender"}, {"bounces_go": "nowhere"}, {"bounce_address": None}])
def test_where_nobody_reads_what_comes_back_there_is_none(sender: Sender, changes: dict[str, str | None]) -> None:
    assert unsubscribe_mail(replace(sender, **changes), number="x") is None  # type: ignore[arg-type]
    assert one_click_headers("https://zaal.example/u/x")["List-Unsubscribe"] == "<https://zaal.example/u/x>"
