"""How the mails of a house look, and what of the house stands in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.accounts.house_colours import DARK_CARD, DEFAULT, EDGE_RATIO, contrast, mixed, parse_colour, readable_on
from app.accounts.house_look import house_ref, look_of
from app.accounts.models import Organisation
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.mailings.composing.content import Style
from app.runtime import Runtime

# Typefaces that every mail program has: none is fetched, so none tells anybody that a mail was opened.
FONTS: Mapping[str, str] = {
    "sans": "Helvetica, Arial, sans-serif",
    "serif": "Georgia, 'Times New Roman', serif",
    "humanist": "Verdana, Tahoma, sans-serif",
    "grotesk": "'Trebuchet MS', 'Lucida Grande', sans-serif",
    "slab": "Rockwell, 'Courier New', serif",
}
BACKGROUND, TEXT, PAPER = "#f4f2ef", "#1d1b19", "#ffffff"
LINK_RATIO = 4.5
LOGO_WIDTH_MAX, LOGO_HEIGHT_MAX = 280, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The colours and typeface of one mail; every one is settled."""

    colour: str
    button_colour: str
    background: str
    text_colour: str
    font: str

    @property
    def on_colour(self) -> str:
        """The text that can be read on the colour of the house."""
        return readable_on(self.colour)

    @property
    def on_button(self) -> str:
        """The text that can be read on a button."""
        return readable_on(self.button_colour)

    @property
    def link_colour(self) -> str:
        """The colour of the house, as dark as a link on white must be."""
        return _until_readable(self.colour, "#000000", PAPER)

    @property
    def dark_link_colour(self) -> str:
        """The same, as light as a link on a dark card must be."""
        return _until_readable(self.colour, "#ffffff", DARK_CARD)

    @property
    def dark_button_colour(self) -> str:
        """The colour of buttons, as light as it takes to be seen on a dark card."""
        return _until_readable(self.button_colour, "#ffffff", DARK_CARD, ratio=EDGE_RATIO)

    @property
    def on_dark_button(self) -> str:
        """The text that can be read on that."""
        return readable_on(self.dark_button_colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What of a house stands in every mail of it."""

    house_name: str
    legal_name: str
    legal_address: str
    base_url: str
    time_zone: str
    language: str
    look: Look
    logo_url: str = ""
    logo_width: int = 0


def frame_of(session: ScopedSession, runtime: Runtime) -> Frame:
    """Return what of the house stands in its mails now."""
    house = current_organisation(session)
    look = look_of(session, house)
    base_url = runtime.settings.base_url
    ref = house_ref(runtime.keyring, house.id)
    return Frame(
        house_name=house.name,
        legal_name=house.legal_name or house.name,
        legal_address=house.legal_address or "",
        base_url=base_url,
        time_zone=house.time_zone,
        language=house.language,
        look=house_style(house),
        logo_url=f"{base_url}/house/{ref}/logo?v={look.version}" if look.has_logo else "",
        logo_width=_logo_width(look.logo_width, look.logo_height),
    )


def house_style(house: Organisation) -> Look:
    """Return the look of a house's mails: what it chose, and ours for the rest."""
    chosen: Mapping[str, Any] = house.settings.get("mail_style") or {}
    colour = parse_colour(str(house.settings.get("colour", ""))) or DEFAULT
    font = str(chosen.get("font", ""))
    return Look(
        colour=colour,
        button_colour=parse_colour(str(chosen.get("button_colour", ""))) or colour,
        background=parse_colour(str(chosen.get("background", ""))) or BACKGROUND,
        text_colour=parse_colour(str(chosen.get("text_colour", ""))) or TEXT,
        font=font if font in FONTS else "sans",
    )


def choose_mail_style(house: Organisation, style: Style) -> None:
    """Set the typeface and colours of a house's mails; None goes back to ours."""
    names = ("button_colour", "background", "text_colour", "font")
    chosen = {name: getattr(style, name) for name in names if getattr(style, name)}
    house.settings = {name: value for name, value in house.settings.items() if name != "mail_style"} | (
        {"mail_style": chosen} if chosen else {}
    )


def with_style(look: Look, style: Style) -> Look:
    """Return a look with what one mailing does otherwise. Its colour is also that of its buttons, unless it says so."""
    colour = style.colour or look.colour
    follows = style.colour is not None and look.button_colour == look.colour
    return Look(
        colour=colour,
        button_colour=style.button_colour or (colour if follows else look.button_colour),
        background=style.background or look.background,
        text_colour=style.text_colour or look.text_colour,
        font=style.font or look.font,
    )


def _logo_width(width: int, height: int) -> int:
    if not width or not height:
        return 0
    scale = min(LOGO_WIDTH_MAX / width, LOGO_HEIGHT_MAX / height, 1)
    return max(24, round(width * scale))


def _until_readable(colour: str, toward: str, card: str, *, ratio: float = LINK_RATIO) -> str:
    steps = (mixed(colour, toward, step / 20) for step in range(21))
    return next(each for each in steps if contrast(each, card) >= ratio)
