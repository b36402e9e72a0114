"""A marketer builds a segment in the browser, with the mouse, with the keyboard and on a phone."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.journeys_of_users.conftest import PHONE, LiveHouse
from tests.journeys_of_users.test_connect_pretix import make_house

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = "Voornaam;Familienaam;E-mail;Gemeente\nAda;Claes;ada@house.example;Gent\nBo;Peeters;bo@house.example;Aalst\n"


def test_building_a_segment(page: Page, live_house: LiveHouse, tmp_path_factory: pytest.TempPathFactory) -> None:
    make_house(page, live_house)
    bring_in_people(live_house, tmp_path_factory)
    page.goto(f"{live_house.base_url}/segments/")
    expect(page.get_by_text("Nog geen segmenten")).to_be_visible()
    choose_a_recipe(page)
    build_on_it(page)
    undo_and_redo_by_hand(page)
    check_a_person(page)
    page.get_by_label("Naam", exact=True).fill("Gentenaars")
    page.get_by_role("button", name="Segment bewaren").click()
    expect(page.get_by_role("heading", name="Gentenaars", exact=True)).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("Ada Claes")
    expect(page.get_by_role("table")).not_to_contain_text("Bo Peeters")
    on_a_phone(page)


def bring_in_people(live_house: LiveHouse, folders: pytest.TempPathFactory) -> None:
    file = folders.mktemp("people") / "people.csv"
    file.write_text(PEOPLE)
    live_house.command("import", str(file), "--org", "1", "--preset", "generic")


def choose_a_recipe(page: Page) -> None:
    card = page.locator("form", has=page.get_by_role("heading", name="Afhakers"))
    card.get_by_label("bezoeken, minstens").fill("5")
    card.get_by_role("button", name="Gebruiken").click()
    expect(page.locator("#told")).to_contain_text("kwam minstens 5 keer")
    expect(page.locator("#live")).to_contain_text("van 2 mensen")


def build_on_it(page: Page) -> None:
    """Throw the recipe's conditions away and ask for people of Ghent, with the keyboard alone."""
    remove = page.get_by_role("button", name="Verwijderen", exact=True)
    while remove.count():
        remove.first.click()
    expect(page.locator("#live .seg-count")).to_contain_text("2")
    page.get_by_role("button", name="Voorwaarde").focus()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(
        page.get_by_text("Kies er minstens één.").or_(page.get_by_text("Geef een lijst met minstens één"))
    ).to_be_visible()
    value = page.get_by_label("Waarde", exact=True)
    value.fill("gent")
    page.keyboard.press("Enter")
    expect(page.locator("#live .seg-count strong")).to_have_text("1")
    expect(page.locator("#told")).to_contain_text("heeft als gemeente “gent”")


def undo_and_redo_by_hand(page: Page) -> None:
    page.get_by_label("Hoe combineren").select_option("none")
    expect(page.locator("#told")).to_contain_text("heeft niet als gemeente")
    page.get_by_role("button", name="Ongedaan maken").click()
    expect(page.locator("#told")).to_contain_text("heeft als gemeente")
    rule = json.loads(page.locator("#field-rule").input_value())
    assert rule == {
        "type": "all",
        "rules": [{"type": "profile", "field": "municipality", "op": "in", "value": ["gent"]}],
    }


def check_a_person(page: Page) -> None:
    page.get_by_label("Naam of e-mailadres").fill("peeters")
    page.get_by_role("button", name="Bo Peeters").click()
    expect(page.get_by_text("Zit niet in het segment")).to_be_visible()


def on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    shown = page.url
    for url in (shown, f"{shown}/edit", shown.rpartition("/")[0] + "/", shown.rpartition("/")[0] + "/recipes"):
        page.goto(url)
        sticks_out = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert sticks_out <= 0, f"{url} sticks out by {sticks_out} pixels on a phone"
