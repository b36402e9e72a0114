"""The builder in a real browser: by keyboard alone, with changes of mind, and from other pages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Request, Route, expect

from tests.journeys_of_users.conftest import DESKTOP, PHONE, LiveHouse

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "lantaarn-lantaarn"
TABS_MAX = 60


@pytest.fixture
def builder(page: Page, live_house: LiveHouse) -> Page:
    """A marketer of a small demonstration house, in an empty builder."""
    live_house.command("demo", "--contacts", "300", "--seasons", "4", "--password", PASSWORD)
    page.goto(f"{live_house.base_url}/login")
    page.get_by_label("E-mailadres").fill("marketer@lantaarn1.example")
    page.get_by_label("Wachtwoord").fill(PASSWORD)
    page.get_by_role("button", name="Aanmelden").click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{live_house.base_url}/segments/new")
    expect(page.locator("#live .seg-count")).to_contain_text("van 300 mensen")
    return page


def rule_in(page: Page) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(page.locator("#field-rule").input_value())
    return read


def kinds_in(page: Page) -> list[str]:
    return [one["type"] for one in rule_in(page)["rules"]]


# --- by keyboard alone -----------------------------------------------------------------------------------------------


def test_a_segment_is_built_and_saved_with_the_keyboard_alone(builder: Page) -> None:
    add_by_keyboard(builder, "Bezoeken en boekingen")
    expect(builder.locator(".seg-step").first).to_contain_text("op zich:")
    add_by_keyboard(builder, "Over de persoon")
    builder.keyboard.press("Tab")
    builder.keyboard.press("Tab")
    builder.keyboard.type("gen")
    expect(builder.get_by_role("option", name="Gent", exact=True)).to_be_visible()
    builder.keyboard.press("ArrowDown")
    builder.keyboard.press("Enter")
    expect(builder.locator(".seg-chip")).to_have_text("Gent")
    assert kinds_in(builder) == ["participation", "profile"]
    move_by_keyboard(builder)
    change_of_mind(builder)
    focus_by_tab(builder, "Naam", back=True)
    builder.keyboard.type("Gentenaars die komen")
    focus_by_tab(builder, "Segment bewaren")
    builder.keyboard.press("Enter")
    expect(builder.get_by_role("heading", name="Gentenaars die komen", exact=True)).to_be_visible()


def add_by_keyboard(page: Page, kind: str) -> None:
    focus_by_tab(page, "Voorwaarde")
    page.keyboard.press("Enter")
    items = page.get_by_role("menuitem").filter(visible=True)
    names = [text.splitlines()[0] for text in items.all_inner_texts()]
    for _ in range(names.index(kind)):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def move_by_keyboard(page: Page) -> None:
    """Up with the arrow, then into a group of its own and out of it, each time said aloud."""
    focus_by_tab(page, "Verplaatsen: Over de persoon", back=True)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#spoken")).to_have_text("Verplaatst naar plaats 1 van 2 in: Al deze voorwaarden gelden")
    assert kinds_in(page) == ["profile", "participation"]
    page.keyboard.press("ArrowUp")
    expect(page.locator("#spoken")).to_have_text("Verder kan het niet in die richting.")
    focus_by_tab(page, "Groep")
    page.keyboard.press("Enter")
    focus_by_tab(page, "Verplaatsen: Bezoeken en boekingen", back=True)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("in: Minstens één hiervan geldt")
    assert kinds_in(page) == ["profile", "any"]
    # The count that comes meanwhile is said elsewhere, so it cannot take these words away.
    expect(page.locator("#counted")).to_contain_text("van 300 mensen")
    expect(page.locator("#spoken")).to_contain_text("in: Minstens één hiervan geldt")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#spoken")).to_have_text("Verplaatst naar plaats 3 van 3 in: Al deze voorwaarden gelden")
    assert kinds_in(page) == ["profile", "participation"]


def change_of_mind(page: Page) -> None:
    before, boxes = rule_in(page), page.locator("[data-node]")
    there = boxes.count()
    focus_by_tab(page, "Verwijderen", back=True)
    page.keyboard.press("Enter")
    expect(boxes).to_have_count(there - 1)
    page.keyboard.press("Control+z")
    expect(boxes).to_have_count(there)
    assert rule_in(page) == before
    page.keyboard.press("Control+z")
    assert kinds_in(page) == ["profile", "any"]
    page.keyboard.press("Control+y")
    assert rule_in(page) == before


def focus_by_tab(page: Page, name: str, *, back: bool = False) -> None:
    """Walk with the Tab key until what is called ``name`` has the focus."""
    said = """() => {
        const at = document.activeElement;
        const label = at.labels?.[0]?.firstChild?.textContent?.trim();
        return at.getAttribute('aria-label') ?? label ?? at.textContent.trim();
    }"""
    for _ in range(TABS_MAX):
        if page.evaluate(said) == name:
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"the Tab key does not reach “{name}”")


# --- changes of mind -------------------------------------------------------------------------------------------------


def test_changes_of_mind_are_safe_and_typing_never_waits(builder: Page) -> None:
    drag_and_touch(builder)
    drop_what_is_overtaken(builder)
    leave_and_come_back(builder)


def leave_and_come_back(builder: Page) -> None:
    """What is not saved is asked about, and survives a reload."""
    builder.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    begin_anew(builder)
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    builder.on("dialog", answer)
    builder.get_by_role("button", name="Voorwaarde").click()
    builder.get_by_role("menuitem").filter(has_text="Bezoeken en boekingen").click()
    builder.get_by_label("Naam", exact=True).fill("Halverwege")
    before = rule_in(builder)
    builder.reload()
    assert asked == ["beforeunload"]
    expect(builder.get_by_text("Wat je nog niet bewaard had, is terug.")).to_be_visible()
    assert rule_in(builder) == before
    expect(builder.get_by_label("Naam", exact=True)).to_have_value("Halverwege")
    builder.get_by_role("button", name="Weggooien").filter(visible=True).click()
    assert rule_in(builder) == {"type": "all", "rules": []}
    builder.reload()
    assert asked == ["beforeunload"]
    expect(builder.get_by_text("Wat je nog niet bewaard had, is terug.")).to_be_hidden()


def drop_what_is_overtaken(builder: Page) -> None:
    """A newer question takes the place of one that is still being answered."""
    begin_anew(builder)
    dropped: list[Request] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    builder.on("requestfailed", lambda request: dropped.append(request) if request.url.endswith("/live") else None)
    builder.get_by_role("button", name="Voorwaarde").click()
    builder.get_by_role("menuitem").filter(has_text="Bezoeken en boekingen").click()
    expect(builder.locator(".seg-step").first).to_contain_text("op zich:")
    # The server takes its time over the next question: it is never answered.
    builder.route("**/segments/live", hold, times=1)
    number = builder.get_by_label("minstens", exact=True).filter(visible=True)
    with builder.expect_request("**/segments/live"):
        number.fill("7")
    with builder.expect_response("**/segments/live") as answer:
        number.fill("2")
    assert len(held) == 1
    assert len(dropped) == 1
    asked = json.loads(dropped[0].post_data or "{}")
    assert asked["rule"]["rules"][0]["at_least"] == 7
    newer = json.loads(answer.value.request.post_data or "{}")
    assert (newer["rule"]["rules"][0]["at_least"], newer["asked_by"]) == (2, asked["asked_by"])
    expect(builder.locator("#live .seg-count strong")).to_have_text(str(answer.value.json()["count"]))
    expect(builder.locator("#live")).not_to_have_attribute("aria-busy", "")


def begin_anew(page: Page) -> None:
    for _ in range(9):
        button = page.get_by_role("button", name="Verwijderen", exact=True)
        if not button.count():
            break
        button.first.click()
    expect(page.locator("#live .seg-count strong")).not_to_have_text("0")


def drag_and_touch(builder: Page) -> None:
    builder.set_viewport_size({"width": 1280, "height": 1500})
    for kind in ("Bezoeken en boekingen", "Label"):
        builder.get_by_role("button", name="Voorwaarde").click()
        builder.get_by_role("menuitem").filter(has_text=kind).filter(visible=True).first.click()
    builder.get_by_role("button", name="Groep", exact=True).click()
    handle = builder.locator(".seg-condition .seg-handle").first.bounding_box()
    group = builder.locator(".seg-box .seg-box .seg-items").bounding_box()
    assert handle is not None
    assert group is not None
    builder.mouse.move(handle["x"] + 8, handle["y"] + 8)
    builder.mouse.down()
    builder.mouse.move(handle["x"] + 20, handle["y"] + 60, steps=4)
    builder.mouse.move(group["x"] + 60, group["y"] + group["height"] / 2, steps=6)
    builder.mouse.up()
    assert kinds_in(builder) == ["tag", "any"]
    builder.set_viewport_size(PHONE)  # type: ignore[arg-type]
    builder.locator(".seg-box .seg-box > .seg-box-head .seg-handle").click()
    builder.get_by_role("menuitem", name="Omhoog").filter(visible=True).click()
    assert kinds_in(builder) == ["any", "tag"]


# --- from other pages ------------------------------------------------------------------------------------------------


def test_from_an_activity_and_from_a_comparison_to_a_segment(builder: Page, live_house: LiveHouse) -> None:
    from_an_activity(builder, live_house.base_url)
    check_somebody(builder)
    compare(builder, live_house.base_url)
    why_somebody(builder, live_house.base_url)


def from_an_activity(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/activities")
    page.get_by_role("table").get_by_role("link").first.click()
    title = page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("link", name="Wie zou dit ook graag zien").click()
    expect(page.get_by_label("Naam", exact=True)).to_have_value(f"Voor {title}, nog niet geboekt")
    expect(page.locator("#live .seg-count")).to_contain_text(re.compile(r"van [\d.]+ mensen"))
    expect(page.locator(".seg-step").last).to_contain_text("over")
    expect(page.locator(".seg-chip", has_text=title).first).to_be_visible()


def check_somebody(page: Page) -> None:
    page.get_by_label("Naam of e-mailadres").fill("a")
    page.locator("[data-person]").first.click()
    answer = page.locator("[data-answer]")
    expect(answer.get_by_text("in het segment").first).to_be_visible()
    expect(answer.locator(".seg-checks > li").first).to_be_visible()
    page.get_by_role("button", name="Segment bewaren").click()
    expect(page.get_by_role("heading", name="Hoe het groeide")).to_be_visible()


def compare(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/segments/compare")
    page.get_by_label("Eerste segment").select_option(label="Afhakers")
    page.get_by_label("Tweede segment").select_option(label="Nieuwkomers")
    page.get_by_role("button", name="Vergelijken").click()
    parts = page.locator(".seg-overlap li strong")
    expect(parts).to_have_count(4)
    neither = parts.nth(3).inner_text()
    page.get_by_role("link", name="Er een segment van maken: In geen van beide").click()
    expect(page.locator("#live .seg-count strong")).to_have_text(neither)
    expect(page.get_by_label("Naam", exact=True)).to_have_value("Noch Afhakers, noch Nieuwkomers")
    page.go_back()
    page.get_by_role("link", name="De mensen bekijken: In geen van beide").click()
    expect(page.get_by_role("row")).to_have_count(min(int(neither.replace(".", "")), 50) + 1)


def why_somebody(page: Page, base_url: str) -> None:
    page.get_by_role("table").get_by_role("link").first.click()
    page.get_by_role("link", name="In welke segmenten, en waarom").click()
    page.get_by_role("link", name="Afhakers").click()
    expect(page.get_by_text("Zit niet in het segment")).to_be_visible()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for path in (
        "/segments/compare?a=1&b=2",
        "/segments/1",
        "/segments/1/changes",
        "/segments/1/edit",
        "/segments/recipes",
    ):
        page.goto(f"{base_url}{path}")
        sticks_out = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert sticks_out <= 0, f"{path} sticks out by {sticks_out} pixels on a phone"
