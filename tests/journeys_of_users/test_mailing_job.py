"""A house that mails from here, as a marketer lives it: written, counted, sent, unsubscribed from, and read about."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.sync_api import Page, expect

from tests.journeys_of_users.conftest import PHONE, LiveHouse
from tests.standins.smtp import SmtpStandIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SLOW_MS = 120_000
PASSWORD = "een lang wachtwoord"


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpStandIn]:
    """The mail relay of the installation, known before the house opens."""
    with SmtpStandIn() as standin:
        monkeypatch.setenv("ZAALLICHT_MAIL_RELAY_HOST", "127.0.0.1")
        monkeypatch.setenv("ZAALLICHT_MAIL_RELAY_PORT", str(standin.port))
        monkeypatch.setenv("ZAALLICHT_MAIL_RELAY_SECURITY", "none")
        monkeypatch.setenv("ZAALLICHT_MAIL_FROM_ADDRESS", "post@zaallicht.example")
        yield standin
    assert standin.violations == []


def test_a_mailing_from_first_word_to_report(relay: SmtpStandIn, live_house: LiveHouse, page: Page) -> None:
    live_house.command("demo", "--contacts", "300", "--password", PASSWORD)
    sign_in(page, live_house)
    mailing = write(page, live_house)
    meant_for = choose_people(page, mailing)
    send(page, meant_for)
    mails = [delivered.message for delivered in relay.delivered]
    assert len(mails) == len({mail["To"] for mail in mails}) == meant_for
    read_like_a_person(mails[0])

    stop(mails[0])
    copy = copied(page, mailing)
    assert choose_people(page, copy) == meant_for - 1

    page.goto(f"{mailing}/report")
    expect(page.get_by_text("Uitgeschreven: 1")).to_be_visible()
    for path in ("compose", "send", "progress", "report"):
        fits_a_phone(page, f"{mailing}/{path}")


def sign_in(page: Page, live_house: LiveHouse) -> None:
    page.goto(f"{live_house.base_url}/login")
    page.get_by_label("E-mailadres").fill("marketer@lantaarn1.example")
    page.get_by_label("Wachtwoord").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def write(page: Page, live_house: LiveHouse) -> str:
    """Begin with a newsletter and change its subject; returns the address of the mailing."""
    page.goto(f"{live_house.base_url}/mailings/new")
    page.get_by_label("Naam").fill("Novembernieuws")
    page.get_by_role("button", name="Schrijf ze").click()
    page.wait_for_url("**/compose")
    page.get_by_role("textbox", name="Onderwerp").fill("Dit is november")
    # Whoever goes on at once loses nothing of what was typed.
    page.get_by_role("link", name="Aan wie en wanneer").click()
    page.wait_for_url("**/send")
    return page.url.removesuffix("/send")


def choose_people(page: Page, mailing: str) -> int:
    """Choose the loyal visitors, and return how many would get it."""
    page.goto(f"{mailing}/send")
    page.get_by_role("radio", name="Trouwe bezoekers krijgt hem", exact=True).check()
    button = page.get_by_role("button", name=re.compile(r"^Verzenden naar \d+"))
    expect(button).to_be_visible(timeout=SLOW_MS)
    return int(re.sub(r"\D", "", button.inner_text()))


def send(page: Page, count: int) -> None:
    page.get_by_label("Nu", exact=True).check()
    page.get_by_role("button", name=re.compile("^Verzenden naar")).click()
    page.wait_for_url("**/progress")
    expect(page.get_by_text(f"{count} van {count}")).to_be_visible(timeout=SLOW_MS)


def read_like_a_person(mail: EmailMessage) -> None:
    assert mail["Subject"] == "Dit is november"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    for words in (plain.get_content(), html.get_content()):
        assert "Zaallichtplein 1" in words
        assert "/u/" in words
        assert "{{" not in words


def stop(mail: EmailMessage) -> None:
    """Press the button that mail programs show for one-click unsubscribing."""
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = re.search("<(http[^>]+)>", mail["List-Unsubscribe"])
    assert address is not None
    with urllib.request.urlopen(address[1], data=b"List-Unsubscribe=One-Click") as answer:
        assert answer.status == 200


def copied(page: Page, mailing: str) -> str:
    page.goto(f"{mailing}/progress")
    page.get_by_role("button", name="Kopiëren").click()
    page.wait_for_url(lambda url: not url.startswith(mailing + "/"))
    return re.sub(r"(/mailings/\d+).*", r"\1", page.url)


def fits_a_phone(page: Page, address: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_load_state("networkidle")
    sticks_out = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert sticks_out <= 0, f"{address} sticks out by {sticks_out} pixels on a phone"
