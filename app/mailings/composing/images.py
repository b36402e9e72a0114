"""Pictures for mails: read with care, made small, kept without what a camera adds, and served under a name of chance.

Whatever comes in is drawn anew: what leaves is pixels. Twice the width of a mail's column is enough for every screen.
Moving pictures keep moving (``moving_images``).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.db import ScopedSession
from app.mailings.composing.moving_images import TooLongError, is_moving, moving
from app.mailings.models import MailImage

IMAGE_BYTES_MAX = 20 * 1024 * 1024
PIXELS_MAX = 50_000_000
SIDE_MIN = 8
WIDTH_MAX, HEIGHT_MAX = 1200, 3600
HOUSE_BYTES_MAX = 2 * 1024**3
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
JPEG_QUALITY = 84
COLOURS_OF_A_DRAWING = 256
DRAWING_MAX_FACTOR = 1.5

# We look at the size ourselves, before a single pixel is read.
Image.MAX_IMAGE_PIXELS = None


class ImageRefused(ValueError):
    """A file cannot be a picture in a mail.

    ``code``: too_large, no_picture, too_many_pixels, too_small, too_long, house_full.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as it is kept."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def extension(self) -> str:
        """How its name ends."""
        return EXTENSIONS[self.media_type]


def drawn(content: bytes) -> Drawn:
    """Return a picture drawn anew: upright, at most 1200 pixels wide, without metadata. Raises ImageRefused.

    A moving picture is a GIF of at most 600 pixels wide.
    """
    if len(content) > IMAGE_BYTES_MAX:
        raise ImageRefused("too_large")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                raise ImageRefused("too_many_pixels")
            if min(opened.size) < SIDE_MIN:
                raise ImageRefused("too_small")
            if is_moving(opened):
                gif, width, height = moving(opened, content)
                return Drawn(gif, "image/gif", width, height)
            # Large photos are read at a smaller scale where the format can.
            opened.draft("RGB", (WIDTH_MAX * 2, HEIGHT_MAX * 2))
            picture = ImageOps.exif_transpose(opened)
            picture = picture.convert("RGBA" if _has_transparency(opened) else "RGB")
    except ImageRefused:
        raise
    except TooLongError:
        raise ImageRefused("too_long") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError):
        raise ImageRefused("no_picture") from None
    picture.thumbnail((WIDTH_MAX, HEIGHT_MAX), Image.Resampling.LANCZOS)
    return _saved(picture)


def _has_transparency(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _saved(picture: Image.Image) -> Drawn:
    """Photos as JPEG; what is see-through, or drawn in few colours, as PNG, which keeps edges sharp."""
    size = (picture.width, picture.height)
    if picture.mode == "RGBA":
        return Drawn(_encoded(picture, "PNG", optimize=True), "image/png", *size)
    photo = _encoded(picture, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    if picture.getcolors(COLOURS_OF_A_DRAWING) is not None:
        drawing = _encoded(picture, "PNG", optimize=True)
        # A photo in black and white has few colours as well, and is no drawing.
        if len(drawing) < DRAWING_MAX_FACTOR * len(photo):
            return Drawn(drawing, "image/png", *size)
    return Drawn(photo, "image/jpeg", *size)


def _encoded(picture: Image.Image, kind: str, **options: bool | int) -> bytes:
    held = BytesIO()
    picture.save(held, kind, **options)
    return held.getvalue()


def keep_image(session: ScopedSession, picture: Drawn, *, alt: str = "", uploaded_by: int | None = None) -> MailImage:
    """Keep a picture and return it; one that the house has already is returned as it is. Raises ImageRefused."""
    row = MailImage
    digest = hashlib.sha256(picture.content).digest()
    held = int(session.scalar(select(func.coalesce(func.sum(func.length(row.content)), 0))) or 0)
    if held + len(picture.content) > HOUSE_BYTES_MAX:
        raise ImageRefused("house_full")
    name = f"{session.organisation_id}-{secrets.token_urlsafe(18)}.{picture.extension}"
    session.execute(
        insert(row)
        .values(
            organisation_id=session.organisation_id,
            name=name,
            digest=digest,
            media_type=picture.media_type,
            content=picture.content,
            width=picture.width,
            height=picture.height,
            alt=alt,
            uploaded_by=uploaded_by,
            uploaded_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["organisation_id", "digest"])
    )
    return session.scalars(select(row).where(row.digest == digest)).one()


def find_image(session: ScopedSession, name: str) -> MailImage | None:
    """Return a picture of this house with its bytes, or None."""
    return session.scalars(select(MailImage).where(MailImage.name == name)).one_or_none()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A picture without its bytes."""

    name: str
    width: int
    height: int
    bytes: int
    alt: str


def newest_images(session: ScopedSession, *, limit: int = 24) -> list[ImageFacts]:
    """Return the pictures that were uploaded last."""
    row = MailImage
    query = select(row.name, row.width, row.height, func.length(row.content), row.alt)
    rows = session.execute(query.order_by(row.uploaded_at.desc(), row.name).limit(limit))
    return [ImageFacts(*each) for each in rows]


def facts_of(session: ScopedSession, names: list[str]) -> dict[str, ImageFacts]:
    """Return what is known of these pictures, by name; those that this house does not have are left out."""
    row = MailImage
    query = select(row.name, row.width, row.height, func.length(row.content), row.alt).where(row.name.in_(names))
    return {each.name: each for each in (ImageFacts(*found) for found in session.execute(query))}


def house_of(name: str) -> int | None:
    """Return the organisation that an image's name says it is of, or None."""
    number, dash, _chance = name.partition("-")
    return int(number) if dash and number.isascii() and number.isdigit() and len(number) < 10 else None
