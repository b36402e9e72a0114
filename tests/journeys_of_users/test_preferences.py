"""Somebody follows the links in a mail: chooses what to receive, and stops it, without log-in, cookie or script."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.consent.tokens import Claims, Kind, make_token
from app.keyring import load_keyring
from tests.journeys_of_users.conftest import PHONE, LiveHouse

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AN = "an@example.org"


def test_choosing_and_stopping_from_the_links_in_a_mail(page: Page, live_house: LiveHouse, state_dir: Path) -> None:
    organisation_id = json.loads(live_house.command("org", "create", "De Proef"))["id"]
    house = House(live_house, organisation_id, state_dir)
    contact_id = house.call("PUT", "/contacts", {"email": AN, "language": "nl"})["id"]

    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(house.link("preferences"))
    newsletter = page.get_by_role("switch", name="Nieuwsbrief")
    expect(newsletter).not_to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    newsletter.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Mijn keuze bewaren").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Je keuze is bewaard")).to_be_visible()
    expect(newsletter).to_be_checked()
    assert house.allowed(contact_id) == ["newsletter"]

    page.get_by_role("link", name="Français").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ce que vous recevez de De Proef")

    page.goto(house.link("unsubscribe", purpose="newsletter"))
    assert house.allowed(contact_id) == ["newsletter"]
    page.get_by_role("button", name="Uitschrijven").click()
    expect(page.get_by_role("heading", name="Je bent uitgeschreven")).to_be_visible()
    assert house.allowed(contact_id) == []
    assert page.context.cookies() == []


class House:
    """The house as a program and a mail know it: its REST API, and the links only it can make."""

    def __init__(self, live: LiveHouse, organisation_id: int, state_dir: Path) -> None:
        self.live, self.organisation_id = live, organisation_id
        self.keyring = load_keyring(state_dir / "keyring.json")
        made = live.command("apikey", "create", "--org", str(organisation_id), "--name", "test", "--scopes", "*")
        self.key = json.loads(made)["key"]

    def link(self, kind: Kind, *, purpose: str | None = None) -> str:
        key = self.keyring.subject_key(self.organisation_id, "email", AN, key_id=self.keyring.current_id)
        claims = Claims(kind=kind, organisation_id=self.organisation_id, subject_key=key, purpose=purpose)
        return f"{self.live.base_url}/{kind[0]}/{make_token(self.keyring, claims)}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.live.base_url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def allowed(self, contact_id: int) -> list[str]:
        answers = self.call("GET", f"/contacts/{contact_id}/permissions")
        return [each["purpose"] for each in answers if each["allowed"]]
