"""An administrator connects the box office in the browser and watches the people come in."""

from __future__ import annotations

import json
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.journeys_of_users.conftest import PHONE, LiveHouse
from tests.standins.pretix import PretixStandin

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_connecting_the_box_office(page: Page, live_house: LiveHouse, pretix_standin: PretixStandin) -> None:
    make_house(page, live_house)
    page.goto(f"{live_house.base_url}/connections")
    page.get_by_role("link", name="Een systeem koppelen").first.click()
    page.get_by_role("link", name="pretix koppelen").click()
    fill_in(page, pretix_standin)
    expect(page.get_by_role("heading", name="De kassa")).to_be_visible()
    expect(page.get_by_text("Werkt", exact=True)).to_be_visible(timeout=60_000)
    page.reload()
    expect(page.get_by_role("row", name="Deelnames")).to_contain_text("302")
    address = page.get_by_label("Webhookadres").input_value()
    knock(address, pretix_standin)
    page.get_by_role("button", name="Pauzeren").click()
    expect(page.get_by_text("Gepauzeerd", exact=True)).to_be_visible()
    page.get_by_role("button", name="Verdergaan").click()
    page.goto(page.url + "/inbox")
    row = page.get_by_role("row").nth(1)
    for _ in range(20):
        page.reload()
        if "Verwerkt" in row.inner_text():
            break
        page.wait_for_timeout(1000)
    expect(row).to_contain_text("Verwerkt")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for path in ("/connections", "/connections/new/pretix", "/connections/1", "/connections/1/inbox"):
        page.goto(f"{live_house.base_url}{path}")
        sticks_out = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert sticks_out <= 0, f"{path} sticks out by {sticks_out} pixels on a phone"


def make_house(page: Page, live_house: LiveHouse) -> None:
    page.goto(live_house.welcome_url)
    page.get_by_label("Naam van het huis").fill("De Proef")
    page.get_by_label("Je naam").fill("Robin")
    page.get_by_label("E-mailadres").fill("robin@proef.example")
    page.get_by_label("Wachtwoord").fill("een lang wachtwoord")
    page.locator("button.btn-primary").click()
    page.wait_for_url(lambda url: "/welcome/" not in url)


def fill_in(page: Page, standin: PretixStandin) -> None:
    page.get_by_label("Naam", exact=True).fill("De kassa")
    page.get_by_label("Adres van pretix").fill(standin.url)
    page.get_by_label("Korte naam van je organisator").fill(standin.house.organizer)
    page.get_by_label("API-token").fill(standin.house.token)
    page.get_by_role("button", name="Nakijken en koppelen").click()


def knock(address: str, standin: PretixStandin) -> None:
    """Let pretix tell that somebody changed."""
    hook = {"notification_id": 1, "organizer": standin.house.organizer, "action": "pretix.customer.changed"}
    body = json.dumps({**hook, "customer": next(iter(standin.house.customers))}).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data=body, method="POST")) as answer:
        assert answer.status == 202
