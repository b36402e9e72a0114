"""The builder of journeys in a real browser: the welcome by mouse and by keyboard alone, two editors, and a phone."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys_of_users.conftest import PHONE, LiveHouse, enter_lantaarn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The house is shared, and no two journeys have one name.
NAMES = (f"Proeftraject {number}" for number in count(1))
TABS_MAX = 80


@pytest.fixture
def builder(page: Page, lantaarn: LiveHouse) -> Page:
    """A marketer of the demonstration house, in the builder of an empty journey."""
    enter_lantaarn(page, lantaarn)
    begin(page, lantaarn, next(NAMES))
    return page


def begin(page: Page, house: LiveHouse, name: str) -> None:
    page.goto(f"{house.base_url}/journeys/new")
    page.get_by_label("Naam").fill(name)
    page.get_by_role("button", name="Beginnen").click()
    expect(page.locator(".jou-story")).to_be_visible()


def sentences(page: Page) -> list[str]:
    return page.locator(".jou-step .jou-sentence").all_inner_texts()


def plus(page: Page, place: int) -> Locator:
    return page.locator(".jou-plus").nth(place)


def add(page: Page, place: int, kind: str) -> None:
    plus(page, place).click()
    page.get_by_role("menuitem").filter(visible=True, has_text=kind).first.click()


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("Bewaard")


def test_the_welcome_is_built_by_mouse_and_kept_at_once(builder: Page) -> None:
    build_by_mouse(builder)
    undo_and_redo(builder)
    drag(builder)
    copy_and_paste(builder)
    two_editors(builder)
    on_a_phone(builder)


def build_by_mouse(page: Page) -> None:
    page.locator("#panel").get_by_role("combobox").first.select_option("consent")
    expect(page.locator("[data-card=start]")).to_contain_text("de inschrijving voor “Nieuwsbrief” bevestigt")
    add(page, 0, "een van je mailings")
    add(page, 1, "enkele dagen of uren")
    page.locator("#panel").get_by_label("Daarna tot dit uur").fill("10:00")
    expect(page.locator(".jou-step").nth(1)).to_contain_text("Wacht 2 dagen, tot 10:00")
    add(page, 2, "naargelang wat ze deden")
    page.locator("#panel").get_by_role("button", name="Regel wijzigen").click()
    dialog = page.locator("#rule-dialog")
    dialog.get_by_role("button", name="Voorwaarde").click()
    dialog.get_by_role("menuitem").filter(has_text="Bezoeken en boekingen").click()
    expect(dialog.locator(".seg-count")).to_contain_text("van 300 mensen")
    dialog.get_by_role("button", name="Deze regel gebruiken").click()
    expect(page.locator(".jou-branch-label").first).to_contain_text("Wie ")
    expect(page.locator("#missing")).to_contain_text("Nog nodig")
    page.locator("#missing summary").click()
    page.locator("#missing .jou-jump").filter(has_text="mailing").first.click()
    expect(page.locator("#panel h2")).to_have_text("Mail")
    saved(page)
    page.reload()
    assert sentences(page)[:2] == ["Mail (kies een mailing)", "Wacht 2 dagen, tot 10:00"]


def undo_and_redo(page: Page) -> None:
    before = sentences(page)
    page.locator(".jou-step").nth(1).get_by_role("button", name="Verwijderen").click()
    expect(page.locator("#spoken")).to_contain_text("brengt het terug")
    assert len(sentences(page)) == len(before) - 1
    page.keyboard.press("Control+z")
    assert sentences(page) == before
    page.keyboard.press("Control+y")
    assert len(sentences(page)) == len(before) - 1
    page.get_by_role("button", name="Ongedaan maken").click()
    assert sentences(page) == before
    saved(page)


def drag(page: Page) -> None:
    """The wait goes into the first way of the choice."""
    handle = page.locator(".jou-step .seg-handle").nth(1)
    target = page.locator(".jou-branch").first.locator(".jou-plus").first
    handle.scroll_into_view_if_needed()
    start, end = handle.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + 10, end["y"] + 4, steps=8)
    page.mouse.move(end["x"] + 10, end["y"] + 8)
    page.mouse.up()
    expect(page.locator(".jou-branch").first.locator(".jou-step")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".jou-branch").first.locator(".jou-step")).to_have_count(0)


def copy_and_paste(page: Page) -> None:
    there = len(sentences(page))
    page.locator(".jou-open").nth(2).focus()
    page.keyboard.press("Control+c")
    plus(page, 0).click()
    page.get_by_role("menuitem").filter(visible=True, has_text="Plakken").click()
    assert len(sentences(page)) == there + 1
    expect(page.locator(".jou-step").first).to_contain_text("Wacht 2 dagen, tot 10:00")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Ongedaan maken").click()
    saved(page)


def two_editors(page: Page) -> None:
    """Whoever was second writes over nothing, and chooses."""
    browser = page.context.browser
    assert browser is not None
    # In a window of its own: a browser notes the refusal as an error, which it is not.
    second = browser.new_context(locale="nl-BE", storage_state=page.context.storage_state()).new_page()
    second.goto(page.url)
    add(page, 0, "voor hen eindigt")
    saved(page)
    second.locator(".jou-open").nth(2).click()
    second.locator("#panel").get_by_label("Daarna tot dit uur").fill("11:00")
    notice = second.locator("#changed")
    expect(notice).to_be_visible()
    page.reload()
    assert "Verlaat het traject" in sentences(page)
    notice.get_by_role("button", name="Toch de mijne bewaren").click()
    saved(second)
    second.context.close()
    page.reload()
    assert "Verlaat het traject" not in sentences(page)
    assert any("tot 11:00" in one for one in sentences(page))


def on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.reload()
    expect(page.locator(".jou-story")).to_be_visible()
    boxes = [one.bounding_box() for one in page.locator(".jou-branch").all()[:2]]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[1]["y"] > boxes[0]["y"]  # one under the other
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".jou-open").nth(2).click()
    expect(page.locator("#panel")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_journey_is_built_published_and_read_with_the_keyboard_alone(builder: Page) -> None:
    page = builder
    focus_by_tab(page, "Het begint wanneer iemand")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-card=start]")).to_contain_text("Wanneer iemand boekt.")
    focus_by_tab(page, "Hier een stap toevoegen")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".jou-step")).to_contain_text("Wacht 2 dagen")
    focus_by_tab(page, "Wacht 2 dagen", back=True)
    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    expect(page.locator(".jou-step")).to_have_count(2)
    focus_by_tab(page, "Verplaatsen: Wacht 2 dagen", back=True)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#spoken")).to_contain_text("Verplaatst naar plaats")
    saved(page)
    focus_by_tab(page, "Publiceren …", back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Publiceren", exact=True)).to_be_visible()
    focus_by_tab(page, "Publiceren")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Versie 1 is gepubliceerd.")).to_be_visible()
    expect(page.get_by_text("Loopt", exact=True)).to_be_visible()


def focus_by_tab(page: Page, name: str, *, back: bool = False) -> None:
    """Walk with the Tab key until what is called ``name`` has the focus."""
    said = """() => {
        const at = document.activeElement;
        return (at.getAttribute('aria-label') ?? at.textContent ?? '').trim();
    }"""
    for _ in range(TABS_MAX):
        if page.evaluate(said) == name:
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"the Tab key does not reach “{name}”")
