"""The components in a real browser: under the strict policy, with the keyboard, on a phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from tests.ui.gallery import make_gallery, make_viewer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The gallery, served on loopback."""
    server = make_server("127.0.0.1", 0, make_gallery(make_viewer(language="en")), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def problems() -> list[str]:
    """What the browser complained about; empty in every test that does not ask for trouble."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, problems: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.set_default_timeout(10_000)
    opened.goto(address)
    yield opened
    context.close()


def test_nothing_is_refused_by_our_own_policy(page: Page, problems: list[str]) -> None:
    page.wait_for_load_state("networkidle")
    assert problems == []
    assert page.evaluate("document.fonts.check('1rem Inter') && document.fonts.check('1rem Fraunces')")


@pytest.mark.parametrize("width", [360, 390, 768, 1024])
def test_no_page_is_wider_than_its_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_everything_to_press_is_large_enough_for_a_finger(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    heights = page.evaluate(
        "[...document.querySelectorAll('main .btn, main input:not([type=checkbox], [type=radio],"
        " [type=hidden]), main select')].map(e => e.getBoundingClientRect().height)"
        ".filter(h => h > 0)"
    )
    assert len(heights) > 10
    assert min(heights) >= 36


def test_the_first_tab_offers_to_skip_the_menu(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.locator(".zl-skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box() is not None
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_focus_can_be_seen(page: Page) -> None:
    page.locator("main a").first.focus()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_dialog_asks_first_and_escape_changes_nothing(page: Page) -> None:
    page.locator("[data-opens=remove]").press("Enter")
    dialog = page.locator("dialog#remove")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-opens=remove]")).to_be_focused()


def test_the_menu_of_a_phone_opens_and_closes(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    menu = page.locator("#menu")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(menu.get_by_role("link", name="Home")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_a_message_can_be_closed(page: Page) -> None:
    toast = page.locator("#toasts .zl-toast")
    expect(toast).to_have_count(1)
    toast.get_by_role("button", name="Close").click()
    expect(toast).to_have_count(0)


def test_a_refused_form_puts_the_cursor_on_what_to_mend(page: Page) -> None:
    page.evaluate("document.querySelector('form[enctype]').noValidate = true")
    page.fill("#field-email", "ann")
    page.locator("form[enctype] [type=submit]").click()
    expect(page.locator("#field-email")).to_be_focused()
    expect(page.locator("#field-email")).to_have_value("ann")


def test_a_part_of_a_page_is_asked_for_with_the_token(page: Page) -> None:
    page.locator("#asks").click()
    expect(page.locator("#done")).to_be_visible()


def test_a_part_that_fails_leaves_the_page_and_says_so(page: Page) -> None:
    page.locator("#breaks").click()
    expect(page.locator("#toasts .zl-toast.is-bad")).to_be_visible()
    expect(page.locator("#answer")).to_be_empty()


def test_a_server_that_cannot_be_reached_is_told_of_once(page: Page) -> None:
    page.route("**/fragment", lambda route: route.abort())
    for _ in range(2):
        page.locator("#asks").click()
    expect(page.locator("#toasts [data-trouble]")).to_have_count(1)


def test_pages_look_as_calm_in_the_dark(browser: Browser, address: str) -> None:
    context = browser.new_context(color_scheme="dark")
    opened = context.new_page()
    opened.goto(address)
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert background == "rgb(24, 19, 28)"
