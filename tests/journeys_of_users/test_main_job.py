"""The main job, as a marketer lives it: from a file to MailChimp, and out again after an opt-out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys_of_users.conftest import LiveHouse
from tests.journeys_of_users.test_connect_pretix import make_house
from tests.standins.mailchimp import MailChimpStandIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDING = "Ja, stuur mij de nieuwsbrief van De Proef."
SLOW_MS = 120_000

PEOPLE = [
    # name, address, ticked the box of the newsletter
    ("Amber Wouters", "amber@example.org", "ja"),
    ("Basiel Claes", "basiel@example.org", "ja"),
    ("Chadia Amrani", "chadia@example.org", ""),
    ("Dries Mertens", "dries@example.org", "ja"),
]
# Amber, Basiel and Chadia came three times long ago; Dries came last month as well, so he is no lapser.
LONG_AGO = ("12/10/2023", "17/02/2024", "05/10/2024")


def test_lapsers_go_to_mailchimp_and_whoever_unsubscribes_there_stays_out(
    page: Page, live_house: LiveHouse, mailchimp_standin: MailChimpStandIn, tmp_path: Path
) -> None:
    list_id = mailchimp_standin.add_list("Nieuwsbrief")
    make_house(page, live_house)

    import_people(page, live_house, tmp_path)
    import_visits(page, live_house, tmp_path)
    build_lapsers(page, live_house)
    connect_mailchimp(page, live_house, mailchimp_standin)
    audience = push_to_mailchimp(page, live_house)
    assert set(mailchimp_standin.emails()) == {"amber@example.org", "basiel@example.org"}
    assert mailchimp_standin.fields("amber@example.org")["FNAME"] == "Amber"

    mailchimp_standin.unsubscribe_by_person("basiel@example.org", list_id=list_id)
    page.goto(audience)
    page.get_by_role("button", name="Nu bijwerken").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"Mensen daar\s*1\b"), timeout=SLOW_MS)
    assert mailchimp_standin.status("basiel@example.org") == "unsubscribed"

    see_why_basiel_is_out(page, live_house)
    page.goto(audience)
    page.get_by_role("button", name="Nu bijwerken").click()
    page.wait_for_timeout(1000)
    expect(page.locator("#status")).to_contain_text("Loopt gelijk", timeout=SLOW_MS)
    assert mailchimp_standin.status("basiel@example.org") == "unsubscribed"


def import_people(page: Page, live_house: LiveHouse, folder: Path) -> None:
    """A file with who ticked which box; the words they saw are asked for once."""
    rows = ["Naam;E-mail;Nieuwsbrief;Datum opt-in"]
    rows += [f"{name};{address};{ticked};{'01/09/2025' if ticked else ''}" for name, address, ticked in PEOPLE]
    upload(page, live_house, folder / "klanten.csv", rows, kind="contacts")
    column = page.locator("[data-column]").filter(has=page.locator("strong", has_text="Nieuwsbrief"))
    column.locator("[name^=meaning-]").select_option("granted")
    column.locator("[name^=purpose-]").select_option("newsletter")
    column.locator("[name^=wording-]").fill(WORDING)
    column.locator("[name^=language-]").select_option("nl")
    finish_import(page, new=4)


def import_visits(page: Page, live_house: LiveHouse, folder: Path) -> None:
    """A file with their tickets, as box offices export them."""
    rows = ["Ordernummer;Klant e-mail;Voorstelling;Datum voorstelling;Genre;Aantal;Bedrag;Besteldatum"]
    for number, (_, address, _) in enumerate(PEOPLE):
        dates = [*LONG_AGO, "16/10/2026"] if address.startswith("dries") else LONG_AGO
        rows += [
            f"{number}-{visit};{address};Voorstelling {visit};{date} 20:00;theater;2;45,50;{date}"
            for visit, date in enumerate(dates)
        ]
    upload(page, live_house, folder / "tickets.csv", rows, kind="participations")
    finish_import(page, new=13)


def upload(page: Page, live_house: LiveHouse, file: Path, rows: list[str], *, kind: str) -> None:
    file.write_text("\r\n".join(rows), encoding="cp1252")
    page.goto(f"{live_house.base_url}/imports")
    page.locator("input[type=file]").set_input_files(file)
    page.locator(f"input[name=kind][value={kind}]").check()
    page.locator("main form button.btn-primary").click()
    expect(page.locator("form[data-columns]")).to_be_visible()


def finish_import(page: Page, *, new: int) -> None:
    page.locator("form[data-columns] button.btn-primary").click()
    start = page.locator("form[action$='/start'] button").first
    expect(start).to_be_visible(timeout=SLOW_MS)
    start.click()
    expect(page.locator(".zl-notice.is-good")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".zl-grid-stats").first).to_contain_text(re.compile(rf"^\s*\S+\s*{new}\b"))


def build_lapsers(page: Page, live_house: LiveHouse) -> None:
    page.goto(f"{live_house.base_url}/segments/")
    card = page.locator("form, article, .zl-card").filter(has=page.get_by_role("heading", name="Afhakers")).last
    card.get_by_role("button", name="Gebruiken").or_(card.get_by_role("link", name="Gebruiken")).click()
    expect(page.locator("#live")).to_contain_text(re.compile(r"3\s+van\s+4 mensen"), timeout=SLOW_MS)
    page.get_by_role("button", name="Segment bewaren").click()
    expect(page.get_by_role("heading", name="Afhakers")).to_be_visible()


def connect_mailchimp(page: Page, live_house: LiveHouse, standin: MailChimpStandIn) -> None:
    page.goto(f"{live_house.base_url}/connections/new/mailchimp")
    page.get_by_label("Naam", exact=True).fill("MailChimp")
    page.get_by_label("API-sleutel").fill(standin.api_key)
    page.locator("[name=base_url]").fill(standin.base_url)
    page.get_by_role("button", name="Nakijken en koppelen").click()
    expect(page.get_by_role("heading", name="MailChimp", exact=True)).to_be_visible()


def push_to_mailchimp(page: Page, live_house: LiveHouse) -> str:
    """Make the audience, look at the dry run, confirm; returns the address of its page."""
    page.goto(f"{live_house.base_url}/audiences/new")
    page.get_by_label("Naam", exact=True).fill("Afhakers")
    page.get_by_label("Segment").select_option(label="Afhakers")
    page.get_by_label("Doel", exact=True).select_option("newsletter")
    # The only list there is is chosen already.
    expect(page.get_by_label("Lijst")).to_contain_text("Nieuwsbrief")
    expect(page.locator("#preview .zl-funnel li, #preview .zl-funnel > *").last).to_contain_text("2", timeout=SLOW_MS)
    page.get_by_role("button", name="Kijken wat er zou gebeuren").click()
    expect(page.get_by_text("Wacht op jou")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="De eerste keer bevestigen").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"Mensen daar\s*2\b"), timeout=SLOW_MS)
    return page.url


def see_why_basiel_is_out(page: Page, live_house: LiveHouse) -> None:
    page.goto(f"{live_house.base_url}/contacts")
    page.get_by_role("searchbox").fill("basiel")
    page.get_by_role("link", name="Basiel Claes").first.click()
    expect(page.locator("main")).to_contain_text("Toestemming ingetrokken")
    expect(page.locator("main")).to_contain_text(re.compile("mailchimp", re.IGNORECASE))
