"""The colours of a house's public pages, made from the one colour it chooses so that everybody can read them.

Whatever the colour, text on it reaches 4.5 to 1 and the edge of a control 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11), on the
light and on the dark card: the house chooses a colour, never its contrast. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LIGHT_TEXT, DARK_TEXT, BLACK = "#ffffff", "#1d1520", "#000000"
LIGHT_CARD, DARK_CARD = "#ffffff", "#221b27"
TEXT_RATIO, EDGE_RATIO = 4.5, 3.0
DEFAULT = "#1f1724"

_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


@dataclass(frozen=True, slots=True)
class Palette:
    """``house`` with the text that goes on it, the same under the pointer, and edges against either card."""

    house: str
    on_house: str
    hover: str
    edge: str
    edge_on_dark: str


def parse_colour(text: str) -> str | None:
    """Return a colour as ``#rrggbb``, or None for what is none. ``#rgb`` and a missing ``#`` are understood."""
    match = _HEX.fullmatch(text.strip())
    if match is None:
        return None
    digits = match[1].lower()
    return "#" + ("".join(each * 2 for each in digits) if len(digits) == 3 else digits)


def palette_of(colour: str) -> Palette:
    """Return what is made of a colour (``#rrggbb``)."""
    on_house = readable_on(colour)
    toward = BLACK if on_house == LIGHT_TEXT else LIGHT_TEXT
    return Palette(
        house=colour,
        on_house=on_house,
        hover=mixed(colour, toward, 0.14),
        edge=_until(colour, BLACK, LIGHT_CARD),
        edge_on_dark=_until(colour, LIGHT_TEXT, DARK_CARD),
    )


def readable_on(colour: str) -> str:
    """Return the text colour that can be read on a colour: white, our ink, or black where only that will do."""
    for text in (LIGHT_TEXT, DARK_TEXT):
        if contrast(text, colour) >= TEXT_RATIO:
            return text
    return BLACK


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """Return a colour with a share (0 to 1) of another in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _until(colour: str, toward: str, card: str) -> str:
    """Return the colour, moved no further than it takes to be seen as an edge on a card."""
    steps = (mixed(colour, toward, step / 20) for step in range(21))
    return next(each for each in steps if contrast(each, card) >= EDGE_RATIO)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
