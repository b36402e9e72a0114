"""Composing a mail in a real browser: with the mouse, the keyboard, in two languages, and when something goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.journeys_of_users.conftest import DESKTOP, PHONE, LiveHouse, enter_lantaarn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The house is shared, and no two mailings have one name.
NAMES = (f"Proefmail {number}" for number in count(1))


@pytest.fixture
def composer(browser: Browser, lantaarn: LiveHouse) -> Iterator[Page]:
    """A marketer of the demonstration house, in an empty mail. A script error fails the test; a refusal of the
    server is what some of these are about."""
    context = browser.new_context(viewport=DESKTOP, locale="nl-BE")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(15_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    enter_lantaarn(page, lantaarn)
    page.get_by_role("link", name="Mailings").click()
    page.get_by_role("link", name="Nieuwe mailing").first.click()
    page.get_by_label("Naam").fill(next(NAMES))
    page.get_by_text("Een lege mail").click()
    page.get_by_role("button", name="Schrijf ze").click()
    expect(page.locator(".mc-block")).to_have_count(3)
    yield page
    context.close()
    assert problems == []


def kinds_in(page: Page) -> list[str]:
    return [str(each.get_attribute("data-kind")) for each in page.locator(".mc-block").all()]


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("Bewaard")


def shown(page: Page) -> Any:
    return page.frame_locator("#preview:not(.is-coming)").locator("body")


def test_a_mail_is_composed_with_the_mouse(composer: Page) -> None:
    composer.get_by_role("textbox", name="Onderwerp").fill("Zomernacht")
    area = composer.get_by_role("textbox", name="Tekst", exact=True)
    area.click()
    composer.keyboard.type("Beste ")
    composer.locator(".mc-rich").get_by_role("button", name="Persoonlijk veld").click()
    composer.get_by_label("Voor wie er geen heeft").fill("bezoeker")
    composer.get_by_role("button", name="Voeg in").click()
    composer.keyboard.type(", welkom.")
    saved(composer)
    expect(shown(composer)).to_contain_text("Beste Noor, welkom.")

    composer.locator("[data-add=image]").click()
    composer.get_by_role("button", name="Kies een beeld").click()
    held = BytesIO()
    Image.effect_noise((900, 500), 50).convert("RGB").save(held, "JPEG")
    picture = {"name": "zaal.jpg", "mimeType": "image/jpeg", "buffer": held.getvalue()}
    composer.locator(".mc-drop-file input").set_input_files(picture)  # type: ignore[arg-type]
    composer.get_by_label("Wat is er te zien?").fill("De zaal")
    expect(shown(composer).get_by_role("img", name="De zaal")).to_be_visible()

    composer.locator("[data-add=activities]").click()
    composer.get_by_role("button", name="Zoek in het programma").click()
    title = composer.locator(".mc-found strong").first.inner_text()
    composer.locator(".mc-found button").first.click()
    expect(shown(composer)).to_contain_text(title)

    composer.locator("[data-add=button]").click()
    composer.get_by_role("textbox", name="Tekst op de knop").fill("Koop nu")
    composer.get_by_label("Waarheen leidt het?").fill("deproef.be/koop")
    composer.keyboard.press("Tab")
    expect(composer.get_by_label("Waarheen leidt het?")).to_have_value("https://deproef.be/koop")
    expect(shown(composer).get_by_role("link", name="Koop nu")).to_have_attribute("href", "https://deproef.be/koop")

    handle = composer.locator("[data-kind=button] [data-drag]")
    # Away from the edges, where the page goes on by itself.
    composer.evaluate("scrollTo({ top: 300, behavior: 'instant' })")
    begin, end = handle.bounding_box(), composer.locator("[data-kind=text]").first.bounding_box()
    assert begin is not None
    assert end is not None
    composer.mouse.move(begin["x"] + 8, begin["y"] + 8)
    composer.mouse.down()
    composer.mouse.move(end["x"] + 40, end["y"] + 5, steps=6)
    composer.mouse.up()
    assert kinds_in(composer) == ["header", "button", "text", "image", "activities", "footer"]
    saved(composer)
    composer.reload()
    expect(composer.locator(".mc-block")).to_have_count(6)
    assert kinds_in(composer) == ["header", "button", "text", "image", "activities", "footer"]
    expect(composer.locator(".mc-chip")).to_have_text("Voornaam / bezoeker")


def test_a_mail_is_composed_with_the_keyboard_alone(composer: Page) -> None:
    composer.locator("[data-add=divider]").focus()
    composer.keyboard.press("Enter")
    assert kinds_in(composer) == ["header", "text", "divider", "footer"]
    handle = composer.get_by_role("button", name="Verplaatsen: Lijn")
    handle.focus()
    composer.keyboard.press("ArrowUp")
    composer.keyboard.press("ArrowUp")
    assert kinds_in(composer) == ["divider", "header", "text", "footer"]
    expect(composer.locator("#spoken")).to_have_text("Verplaatst naar plaats 1 van 4.")
    expect(handle).to_be_focused()
    composer.keyboard.press("Control+z")
    assert kinds_in(composer) == ["header", "divider", "text", "footer"]
    composer.keyboard.press("Control+y")
    assert kinds_in(composer) == ["divider", "header", "text", "footer"]
    composer.get_by_role("button", name="Haal weg: Lijn").focus()
    composer.keyboard.press("Enter")
    assert kinds_in(composer) == ["header", "text", "footer"]
    composer.get_by_role("button", name="Ongedaan maken").focus()
    composer.keyboard.press("Enter")
    assert kinds_in(composer) == ["divider", "header", "text", "footer"]
    saved(composer)


def test_another_language_begins_with_the_words_of_the_first(composer: Page) -> None:
    composer.get_by_role("textbox", name="Onderwerp").fill("Zomernacht")
    composer.get_by_role("button", name="Français").click()
    composer.get_by_role("button", name="Begin met de tekst in het Nederlands").click()
    expect(composer.get_by_role("textbox", name="Onderwerp")).to_have_value("Zomernacht")
    composer.get_by_role("textbox", name="Onderwerp").fill("Nuit d’été")
    saved(composer)
    expect(shown(composer)).to_contain_text("Se désabonner")
    composer.get_by_role("button", name="Nederlands").click()
    expect(composer.get_by_role("textbox", name="Onderwerp")).to_have_value("Zomernacht")
    expect(shown(composer)).to_contain_text("Uitschrijven")

    composer.get_by_role("button", name="Naast elkaar").click()
    composer.locator("[data-add=button]").click()
    labels = composer.get_by_role("textbox", name="Tekst op de knop")
    expect(labels).to_have_count(2)
    labels.first.fill("Koop nu")
    composer.locator("[data-kind=text] .mc-title").click()
    composer.locator("[data-kind=text] [data-language=fr]").get_by_role("textbox", name="Tekst", exact=True).fill("Oui")
    composer.locator("[data-kind=button] .mc-title").click()
    french = composer.locator("[data-kind=button] [data-language=fr]")
    expect(french).to_contain_text("Nog geen tekst in het Frans")
    expect(composer.get_by_role("button", name="Français").locator(".mc-count")).to_contain_text("1")
    french.get_by_role("button", name="Neem over uit het Nederlands").click()
    expect(french.get_by_role("textbox", name="Tekst op de knop")).to_have_value("Koop nu")
    expect(shown(composer)).to_contain_text("Se désabonner")
    composer.locator("[data-kind=button]").get_by_role("button", name="Omhoog").click()
    saved(composer)
    composer.reload()
    assert kinds_in(composer) == ["header", "button", "text", "footer"]
    composer.get_by_role("button", name="Français").click()
    assert kinds_in(composer) == ["header", "button", "text", "footer"], "moved in both languages"


def test_a_block_is_shown_to_some_people_only(composer: Page) -> None:
    composer.get_by_role("textbox", name="Tekst", exact=True).fill("Voor wie we kennen")
    text_block = composer.locator("[data-kind=text]")
    text_block.get_by_label("Wie ziet dit").select_option(label="Nieuwkomers")
    tests = text_block.get_by_label("Alleen sommige mensen zien dit")
    expect(tests).to_have_value("known")
    tests.select_option(label="alleen wie er niet in zit")
    saved(composer)
    expect(shown(composer)).to_contain_text("Voor wie we kennen")

    text_block.get_by_label("Wie ziet dit").select_option(value="language")
    text_block.get_by_label("Alleen sommige mensen zien dit").select_option(label="alleen waar dit het is:")
    composer.locator("[data-field=only_value]").select_option(value="fr")
    saved(composer)
    composer.reload()
    expect(composer.locator(".mc-some")).to_have_count(1)
    expect(composer.get_by_label("Wie ziet dit")).to_have_value("language")
    expect(composer.locator("[data-field=only_value]")).to_have_value("fr")


def test_what_is_wrong_is_marked_where_it_is_and_found_by_the_checks(composer: Page) -> None:
    composer.get_by_role("textbox", name="Tekst", exact=True).click()
    composer.keyboard.type("Dag {{ schoenmaat }}")
    expect(composer.locator("[data-kind=text] .mc-wrong")).to_contain_text("schoenmaat")
    expect(composer.locator("#saved")).to_have_text("Nog niet bewaard: kijk naar wat gemarkeerd is.")
    composer.keyboard.press("Control+a")
    composer.keyboard.type("Dag iedereen")
    saved(composer)
    expect(composer.locator(".mc-wrong")).to_have_count(0)
    composer.locator("[data-add=button]").click()
    expect(composer.locator("#checks")).to_contain_text("De knop leidt nergens heen")
    composer.locator("[data-kind=header] .mc-title").click()
    composer.locator("#checks li", has_text="De knop leidt nergens heen").get_by_role(
        "button", name="Ga erheen"
    ).click()
    expect(composer.get_by_role("textbox", name="Tekst op de knop")).to_be_focused()


def test_two_people_write_and_each_keeps_their_words(composer: Page) -> None:
    other = composer.context.new_page()
    other.goto(composer.url)
    other.get_by_role("textbox", name="Onderwerp").fill("Van de ander")
    saved(other)
    composer.get_by_role("textbox", name="Onderwerp").fill("Van mij")
    notice = composer.locator("#stale")
    expect(notice).to_contain_text("Iemand anders heeft deze mailing intussen gewijzigd")
    notice.get_by_role("button", name="Bewaar de mijne als kopie").click()
    expect(composer.get_by_role("heading", name=re.compile(r"^Proefmail \d+ \(2\)$"))).to_be_visible()
    expect(composer.get_by_role("textbox", name="Onderwerp")).to_have_value("Van mij")
    other.reload()
    expect(other.get_by_role("textbox", name="Onderwerp")).to_have_value("Van de ander")
    other.close()


def test_words_survive_a_connection_that_drops(composer: Page) -> None:
    composer.context.route("**/content", lambda route: route.fulfill(status=500, body=json.dumps({})))
    composer.get_by_role("textbox", name="Onderwerp").fill("Blijft staan")
    expect(composer.locator("#saved")).to_have_text("Niet bewaard: geen verbinding. We blijven proberen.")
    composer.context.unroute("**/content")
    saved(composer)
    composer.reload()
    expect(composer.get_by_role("textbox", name="Onderwerp")).to_have_value("Blijft staan")


def test_pasted_html_brings_no_code(composer: Page) -> None:
    area = composer.get_by_role("textbox", name="Tekst", exact=True)
    area.click()
    composer.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/html", '<p onclick="x()">Een <b>vet</b> <img src=x onerror="window.hit=1"> woord</p>'
            + '<script>window.hit=1</script><p style="color:red">Twee</p>');
          const pasted = { clipboardData: data, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", pasted));
        }"""
    )
    expect(area).to_contain_text("Een vet woord")
    assert composer.evaluate("window.hit") is None
    for evil in ("onclick", "<img", "script", "style"):
        assert evil not in area.inner_html()
    saved(composer)
    expect(shown(composer).locator("strong", has_text="vet")).to_be_visible()


def test_a_phone_shows_one_thing_at_a_time_and_nothing_sticks_out(composer: Page) -> None:
    composer.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for view in ("Bekijk", "Nazicht", "Schrijf"):
        composer.locator(".mc-views").get_by_role("button", name=view).click()
        width = composer.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
    expect(composer.locator(".mc-write")).to_be_visible()
    expect(composer.locator(".mc-side")).to_be_hidden()
