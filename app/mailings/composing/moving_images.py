"""Moving pictures: GIF, which every mail program shows moving but old Outlook, that shows the first frame.

A GIF that is no wider than a mail's column keeps its own frames, octet for octet, without comments and what programs
add (GIF89a, section 24 to 26). What is wider, or moves in another format, is drawn anew frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageSequence

MOVING_WIDTH_MAX = 600
FRAMES_MAX = 400
# Of all frames together: what takes a second or two to read.
FRAME_PIXELS_MAX = 150_000_000

_HEAD_BYTES, _SCREEN_BYTES, _IMAGE_BYTES = 6, 7, 9
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
# How often it begins again.
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class TooLongError(ValueError):
    """A moving picture has more frames, or larger ones, than we read."""


def is_moving(picture: Image.Image) -> bool:
    """Whether a picture has more than one frame."""
    return bool(getattr(picture, "is_animated", False))


def moving(picture: Image.Image, content: bytes) -> tuple[bytes, int, int]:
    """Return a moving picture as GIF, its width and its height; ``content`` is what it was opened from.

    Raises TooLongError, or what Pillow raises for a frame that cannot be read.
    """
    frames = int(getattr(picture, "n_frames", 1))
    if frames > FRAMES_MAX or frames * picture.width * picture.height > FRAME_PIXELS_MAX:
        raise TooLongError(frames)
    if picture.format == "GIF" and picture.width <= MOVING_WIDTH_MAX:
        for frame in ImageSequence.Iterator(picture):
            frame.load()
        return frames_only(content), picture.width, picture.height
    return _drawn_anew(picture)


def _drawn_anew(picture: Image.Image) -> tuple[bytes, int, int]:
    scale = min(1.0, MOVING_WIDTH_MAX / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    frames, shown_ms = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(frame.convert("RGBA").resize(size, Image.Resampling.LANCZOS))
        shown_ms.append(int(frame.info.get("duration", 100)))
    more: dict[str, Any] = {"disposal": 2}
    if all(frame.getchannel("A").getextrema() == (255, 255) for frame in frames):
        frames, more = [frame.convert("RGB") for frame in frames], {}
    if "loop" in picture.info:
        more["loop"] = picture.info["loop"]
    held = BytesIO()
    frames[0].save(held, "GIF", save_all=True, append_images=frames[1:], duration=shown_ms, optimize=True, **more)
    return held.getvalue(), *size


def frames_only(content: bytes) -> bytes:
    """Return a GIF without comments, words, what programs add and what stands behind its end. Raises ValueError."""
    head = _HEAD_BYTES + _SCREEN_BYTES
    kept, at = [content[:head]], head
    if at > len(content):
        raise ValueError("a GIF breaks off")
    table = _table_bytes(content[at - 3])
    kept.append(content[at : at + table])
    kept += _blocks(content, at + table)
    return b"".join([*kept, bytes([_END])])


def _blocks(content: bytes, at: int) -> Iterator[bytes]:
    """Yield the blocks that make the picture, as far as the end of the file says so."""
    while at < len(content) and content[at] != _END:
        if content[at] == _IMAGE and at + _IMAGE_BYTES + 1 < len(content):
            # Its place, its colours, the width of a code, and its pixels.
            pixels = at + _IMAGE_BYTES + 1 + _table_bytes(content[at + _IMAGE_BYTES]) + 1
            end = _after_parts(content, pixels)
            yield content[at:end]
        elif content[at] == _EXTENSION and at + 2 < len(content):
            end = _after_parts(content, at + 2)
            is_loop = content[at + 1] == _APPLICATION and content[at + 3 : at + 14] in _LOOPS
            if content[at + 1] == _CONTROL or is_loop:
                yield content[at:end]
        else:
            raise ValueError("a GIF holds what is no block")
        at = end


def _after_parts(content: bytes, at: int) -> int:
    """Return where the parts of a block end: each says its length, the last one is empty."""
    while at < len(content) and content[at]:
        at += content[at] + 1
    if at >= len(content):
        raise ValueError("a GIF breaks off")
    return at + 1


def _table_bytes(flags: int) -> int:
    """Return how long the table of colours is that flags tell of, in octets."""
    return 3 * 2 ** ((flags & 0x07) + 1) if flags & 0x80 else 0
