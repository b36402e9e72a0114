"""How a house looks to its audience: its colour and its logo."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.house_colours import DEFAULT, Palette, palette_of, parse_colour
from app.accounts.models import HouseLogo, Organisation
from app.db import ScopedSession
from app.keyring import Keyring

LOGO_BYTES_MAX = 400 * 1024
LOGO_SIDE_MIN, LOGO_SIDE_MAX = 24, 4000


class LogoRefused(ValueError):
    """The file cannot be a logo; ``code`` is ``too_large``, ``no_picture`` or ``odd_size``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Look:
    """What the public pages of a house are drawn with. ``version`` changes whenever any of it does."""

    palette: Palette
    has_logo: bool
    logo_width: int
    logo_height: int
    version: str


def look_of(session: ScopedSession, house: Organisation) -> Look:
    """Return how a house looks; the colours we begin with where it chose none."""
    logo = HouseLogo
    held = session.execute(select(logo.width, logo.height, logo.changed_at)).one_or_none()
    colour = parse_colour(str(house.settings.get("colour", ""))) or DEFAULT
    width, height, changed_at = held or (0, 0, "")
    version = hashlib.sha256(f"1 {colour} {changed_at}".encode()).hexdigest()[:12]
    return Look(palette_of(colour), held is not None, width, height, version)


def choose_colour(house: Organisation, colour: str | None) -> None:
    """Set the colour of a house (``#rrggbb``), or go back to ours with None."""
    house.settings = {name: value for name, value in house.settings.items() if name != "colour"} | (
        {"colour": colour} if colour else {}
    )


def read_logo(session: ScopedSession) -> HouseLogo | None:
    """Return the logo with its bytes, or None."""
    return session.scalars(select(HouseLogo)).one_or_none()


def put_logo(session: ScopedSession, content: bytes) -> None:
    """Show a picture as the logo from now on. Raises LogoRefused; the one before stays then.

    The bytes decide what it is, never the name: PNG, JPEG or WebP. SVG is refused, since it can hold scripts.
    """
    if len(content) > LOGO_BYTES_MAX:
        raise LogoRefused("too_large")
    media_type, width, height = _measured(content)
    if not all(LOGO_SIDE_MIN <= side <= LOGO_SIDE_MAX for side in (width, height)):
        raise LogoRefused("odd_size")
    values = {"media_type": media_type, "content": content, "width": width, "height": height}
    values["changed_at"] = clock.now()
    statement = insert(HouseLogo).values(organisation_id=session.organisation_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["organisation_id"], set_=values))


def remove_logo(session: ScopedSession) -> None:
    """Show the name of the house instead of a logo."""
    session.execute(delete(HouseLogo))


def _measured(content: bytes) -> tuple[str, int, int]:
    """Return the kind of a picture and its width and height in pixels, read from its first bytes."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
            return "image/png", *struct.unpack(">II", content[16:24])
        if content.startswith(b"\xff\xd8\xff"):
            return "image/jpeg", *_jpeg_size(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return "image/webp", *_webp_size(content)
    except (struct.error, IndexError):
        pass
    raise LogoRefused("no_picture")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Return width and height from the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while True:
        if content[at] != 0xFF:
            raise LogoRefused("no_picture")
        marker, length = content[at + 1], struct.unpack(">H", content[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length


def _webp_size(content: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk (RFC 9649, section 2)."""
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = struct.unpack("<I", content[21:25])[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case _:
            raise LogoRefused("no_picture")


def house_ref(keyring: Keyring, organisation_id: int) -> str:
    """Return the name of a house in public addresses of its look: its number, signed so that nobody counts on."""
    return f"{organisation_id}-{_mark(keyring, organisation_id)}"


def read_house_ref(keyring: Keyring, ref: str) -> int | None:
    """Return the organisation a public address is of, or None for one that is not ours."""
    number, _, mark = ref.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 10 and mark.isascii()):
        return None
    return int(number) if hmac.compare_digest(mark, _mark(keyring, int(number))) else None


def _mark(keyring: Keyring, organisation_id: int) -> str:
    # The first key: an address of a logo stands in mails for years.
    key = keyring.derived("house look", key_id=keyring.keys[0][0])
    return hmac.digest(key, str(organisation_id).encode(), hashlib.sha256).hex()[:16]
