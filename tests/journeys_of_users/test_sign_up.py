"""A house makes a form, people sign up by it on its page and on the site of the house, without cookie or script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app import postgres
from app.accounts.directory import organisation_ids
from app.accounts.letters import open_letter
from app.accounts.models import Letter
from app.consent.models import ConsentEvent
from app.consent.tokens import Claims, make_token
from app.db import ScopedSession, make_engine, transaction
from app.keyring import Keyring, load_keyring
from tests.journeys_of_users.conftest import LiveHouse
from tests.journeys_of_users.test_connect_pretix import make_house

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROW = {"width": 320, "height": 720}
AS_LONG_AS_A_PERSON_READS_MS = 2500


def test_signing_up_on_the_page_and_on_the_site_of_the_house(
    page: Page, browser: Browser, live_house: LiveHouse, state_dir: Path
) -> None:
    make_house(page, live_house)
    dress_the_house(page, live_house)
    address, snippet = make_form(page, live_house)

    with audience(browser) as theirs:
        sign_up_with_the_keyboard(theirs, address)
        theirs.goto(confirmation_link(live_house, state_dir, "an@example.org"))
        theirs.get_by_role("button", name="Ja, ik bevestig").click()
        expect(theirs.get_by_role("heading", level=1)).to_have_text("Bedankt, het is bevestigd")
        theirs.get_by_role("link", name="Kies wat je ontvangt").click()
        expect(theirs.get_by_role("switch", name="Nieuwsbrief")).to_be_checked()
        theirs.get_by_role("button", name="Drie maanden pauze").click()
        expect(theirs.get_by_role("status")).to_contain_text("Je hebt pauze")
        theirs.get_by_role("button", name="Beëindig de pauze nu").click()
        expect(theirs.get_by_role("switch", name="Nieuwsbrief")).to_be_checked()
        assert theirs.context.cookies() == []

        theirs.set_content(f"<!doctype html><title>De Proef</title>{snippet}")
        theirs.get_by_label("E-mailadres").fill("bo@example.org")
        theirs.get_by_label("nieuwsbrief").check()
        theirs.get_by_role("button", name="Inschrijven").click()
        expect(theirs.get_by_role("heading", level=1)).to_have_text("Bedankt")
        assert theirs.context.cookies() == []
    assert confirmation_link(live_house, state_dir, "bo@example.org")

    page.goto(f"{live_house.base_url}/forms/")
    row = page.get_by_role("row").filter(has_text="Op de site")
    expect(row.get_by_role("cell").nth(2)).to_have_text("2")
    expect(row.get_by_role("cell").nth(3)).to_have_text("1")


def dress_the_house(page: Page, live_house: LiveHouse) -> None:
    """A light colour: what stands on it is dark."""
    page.goto(f"{live_house.base_url}/settings/look/")
    page.get_by_label("Kleur van het huis").fill("#ffe600")
    page.get_by_role("button", name="Bewaren").click()
    band = page.locator(".zl-look-band")
    assert band.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(255, 230, 0)"
    assert band.evaluate("element => getComputedStyle(element).color") == "rgb(29, 21, 32)"


def make_form(page: Page, live_house: LiveHouse) -> tuple[str, str]:
    """Make a form with what it offers by itself; return the address of its page and the piece of HTML."""
    page.goto(f"{live_house.base_url}/forms/")
    page.get_by_role("link", name="Maak een formulier").first.click()
    page.get_by_label("Naam", exact=True).fill("Op de site")
    page.get_by_role("button", name="Bewaren").click()
    snippet = page.get_by_label("Stukje HTML in het Nederlands").input_value()
    address = page.locator("#embed a").get_attribute("href")
    assert address is not None
    return address, snippet


def sign_up_with_the_keyboard(page: Page, address: str) -> None:
    """Fill the form in without a mouse on a narrow screen, slip, and be asked what was meant."""
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.wait_for_timeout(AS_LONG_AS_A_PERSON_READS_MS)
    email = page.get_by_label("E-mailadres")
    email.focus()
    page.keyboard.type("an@gmial.com")
    page.get_by_role("checkbox", name="Nieuwsbrief").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="Bedoelde je")).to_contain_text("an@gmail.com")
    expect(page.get_by_role("checkbox", name="Nieuwsbrief")).to_be_checked()
    page.wait_for_timeout(AS_LONG_AS_A_PERSON_READS_MS)
    email.fill("an@example.org")
    email.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bedankt")


@contextmanager
def audience(browser: Browser) -> Iterator[Page]:
    """A narrow window of somebody whose browser runs no script."""
    context = browser.new_context(viewport=NARROW, locale="nl-BE", java_script_enabled=False)  # type: ignore[arg-type]
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    yield opened
    context.close()


def confirmation_link(live_house: LiveHouse, state_dir: Path, address: str) -> str:
    """Return the link that the letter to an address will hold."""
    keyring = load_keyring(state_dir / "keyring.json")
    url = f"postgresql+psycopg://postgres@/postgres?host={state_dir / 'postgres'}"
    engine = make_engine(postgres.addresses(url, "zaallicht_app", keyring).app_url)
    with transaction(engine, None) as session:
        (organisation_id,) = organisation_ids(session)
    with transaction(engine, organisation_id) as session:
        event_id = _requested(session, keyring, address)
        key = session.scalars(select(ConsentEvent.subject_key).where(ConsentEvent.id == event_id)).one()
    engine.dispose()
    claims = Claims(kind="confirm", organisation_id=organisation_id, subject_key=bytes(key), event_id=event_id)
    return f"{live_house.base_url}/c/{make_token(keyring, claims)}"


def _requested(session: ScopedSession, keyring: Keyring, address: str) -> int:
    for letter in session.scalars(select(Letter).where(Letter.kind == "confirmation", Letter.sealed.is_not(None))):
        held = open_letter(keyring, bytes(letter.sealed or b""))
        if held.to_address == address:
            return int(held.facts["event_id"])
    raise AssertionError("no letter to this address waits")
