"""The colours can be read: WCAG 2.2 AA, 4.5 to 1 for text and 3 to 1 for edges of controls, in light and in dark."""

from __future__ import annotations

import re

import pytest

from app.ui.interface import STATIC

TEXT = 4.5
EDGE = 3.0

# Foreground on background, and how much contrast there must be.
PAIRS = [
    ("ink", "paper", TEXT),
    ("ink", "card", TEXT),
    ("ink", "raised", TEXT),
    ("ink-soft", "paper", TEXT),
    ("ink-soft", "card", TEXT),
    ("ink-soft", "raised", TEXT),
    ("link", "paper", TEXT),
    ("link", "card", TEXT),
    ("on-light", "light", TEXT),
    ("on-light", "light-strong", TEXT),
    ("good", "good-wash", TEXT),
    ("warn", "warn-wash", TEXT),
    ("warn", "light-wash", TEXT),
    ("bad", "bad-wash", TEXT),
    ("bad", "card", TEXT),
    ("info", "info-wash", TEXT),
    ("ink", "light-wash", TEXT),
    ("ink-soft", "light-wash", TEXT),
    ("hall-text", "hall", TEXT),
    ("hall-text", "hall-raised", TEXT),
    ("hall-soft", "hall", TEXT),
    ("hall-light", "hall", TEXT),
    ("line-strong", "card", EDGE),
    ("focus", "paper", EDGE),
    ("focus", "card", EDGE),
    ("light-edge", "card", EDGE),
]


def tokens(scheme: str) -> dict[str, str]:
    text = (STATIC / "css/zaallicht.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", text, flags=re.DOTALL)[:2]
    found = dict(re.findall(r"--zl-([\w-]+): (#[0-9a-f]{6});", light))
    return found | dict(re.findall(r"--zl-([\w-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else found


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert tokens("dark")["paper"] != tokens("light")["paper"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS, ids=[f"{front} on {back}" for front, back, _ in PAIRS])
def test_there_is_enough_contrast(scheme: str, front: str, back: str, least: float) -> None:
    colours = tokens(scheme)
    assert contrast(colours[front], colours[back]) >= least
