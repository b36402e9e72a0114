"""Pictures: read with care, made small, without what a camera adds; and what is none is refused in words."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageSequence

from app.accounts.models import Organisation
from app.db import ScopedSession
from app.mailings.composing import moving_images
from app.mailings.composing.images import IMAGE_BYTES_MAX, ImageRefused, drawn, keep_image
from app.runtime import Runtime
from tests.conftest import make_house, make_user, signed_in


def picture(size: tuple[int, int] = (300, 200), kind: str = "JPEG", mode: str = "RGB", **more: object) -> bytes:
    held = BytesIO()
    noise = [Image.effect_noise(size, 60 + shade) for shade in range(3)]
    made = Image.merge("RGB", noise).convert(mode)
    made.save(held, kind, **more)
    return held.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that say they are a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00" * 100_000)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_large_photo_is_made_as_wide_as_a_screen_needs() -> None:
    made = drawn(picture((4000, 2000)))
    assert (made.width, made.height, made.media_type) == (1200, 600, "image/jpeg")
    assert len(made.content) < len(picture((4000, 2000)))


def test_what_a_camera_adds_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010E] = "taken at the house of Noor"
    made = drawn(picture((300, 200), exif=exif))
    assert (made.width, made.height) == (200, 300)
    with Image.open(BytesIO(made.content)) as opened:
        assert not opened.getexif()
    assert b"Noor" not in made.content


@pytest.mark.parametrize(("kind", "mode", "media_type"), [
    ("PNG", "RGBA", "image/png"), ("PNG", "RGB", "image/jpeg"), ("WEBP", "RGB", "image/jpeg"),
    ("GIF", "P", "image/jpeg"), ("JPEG", "CMYK", "image/jpeg"), ("JPEG", "L", "image/jpeg"),
])  # fmt: skip
def test_every_common_kind_is_taken(kind: str, mode: str, media_type: str) -> None:
    assert drawn(picture(kind=kind, mode=mode)).media_type == media_type


def test_a_drawing_keeps_its_sharp_edges() -> None:
    made = Image.new("RGB", (400, 300), "white")
    made.paste("#b3202c", (50, 50, 200, 250))
    held = BytesIO()
    made.save(held, "PNG")
    assert drawn(held.getvalue()).media_type == "image/png"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "no_picture"),
        (b"%PDF-1.7", "no_picture"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "no_picture"),
        (picture()[:400], "no_picture"),
        (b"\xff" * (IMAGE_BYTES_MAX + 1), "too_large"),
        (png_claiming(60_000, 60_000), "too_many_pixels"),
        (png_claiming(2_000_000, 1_000), "too_many_pixels"),
        (picture((4, 300)), "too_small"),
    ],
)
def test_what_is_no_picture_for_a_mail_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(ImageRefused) as problem:
        drawn(content)
    assert problem.value.code == code


def test_the_same_picture_is_kept_once(session: ScopedSession) -> None:
    made = drawn(picture())
    assert keep_image(session, made).name == keep_image(session, made).name


def test_a_picture_is_served_to_everybody_and_may_be_kept(
    runtime: Runtime, client: FlaskClient, organisation: Organisation
) -> None:
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    answer = marketer.post("/mailings/images", data={"image": (BytesIO(picture()), "zaal.jpg")})
    assert answer.status_code == 200
    url = answer.json["url"] if answer.json else ""
    with client.session_transaction() as cookie:
        cookie.clear()
    shown = client.get(url)
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert "immutable" in shown.headers["Cache-Control"]
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in shown.headers
    other = make_house(runtime, "De Buren")
    name = url.rpartition("/")[2]
    assert client.get(f"/i/{name.replace(str(organisation.id), str(other.id), 1)}").status_code == 404
    assert client.get("/i/x").status_code == client.get("/i/999999999999-x.png").status_code == 404


def test_eighty_megabytes_are_refused_in_words(
    runtime: Runtime, client: FlaskClient, organisation: Organisation
) -> None:
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    answer = marketer.post(
        "/mailings/images",
        data={"image": (BytesIO(picture()), "groot.jpg")},
        environ_overrides={"CONTENT_LENGTH": str(80 * 1024 * 1024)},
    )
    assert answer.status_code == 413
    few = marketer.post("/mailings/images", data={"image": (BytesIO(b"%PDF"), "x.jpg")})
    assert few.status_code == 422
    assert "PNG" in (few.json or {})["title"]


def moving_picture(size: tuple[int, int] = (300, 200), kind: str = "GIF", count: int = 4, **more: object) -> bytes:
    frames = [Image.new("RGB", size, (40 * number, 80, 160)) for number in range(count)]
    for number, frame in enumerate(frames):
        frame.paste("white", (number * 10, 20, number * 10 + 40, 80))
    held = BytesIO()
    shown_ms = [100 + 50 * number for number in range(count)]
    frames[0].save(held, kind, save_all=True, append_images=frames[1:], duration=shown_ms, loop=0, **more)
    return held.getvalue()


def frames_of(content: bytes) -> list[tuple[bytes, int]]:
    with Image.open(BytesIO(content)) as opened:
        return [(each.convert("RGB").tobytes(), each.info["duration"]) for each in ImageSequence.Iterator(opened)]


def test_a_moving_picture_keeps_its_frames_octet_for_octet_and_loses_what_was_added() -> None:
    given = moving_picture(comment=b"made at the house of Noor")
    made = drawn(given + b"<script>behind the end</script>")
    assert (made.media_type, made.extension, made.width, made.height) == ("image/gif", "gif", 300, 200)
    assert frames_of(made.content) == frames_of(given)
    assert b"Noor" not in made.content
    assert b"script" not in made.content
    assert b"NETSCAPE2.0" in made.content, "it begins again as it did"


@pytest.mark.parametrize(("kind", "size"), [("GIF", (1400, 700)), ("WEBP", (500, 250))])
def test_a_moving_picture_that_is_wide_or_no_gif_is_drawn_anew_and_still_moves(
    kind: str, size: tuple[int, int]
) -> None:
    made = drawn(moving_picture(size, kind))
    assert (made.media_type, made.width, made.height) == ("image/gif", min(size[0], 600), min(size[1], 300))
    assert [shown_ms for _pixels, shown_ms in frames_of(made.content)] == [100, 150, 200, 250]


def test_a_moving_picture_that_would_take_long_to_read_or_breaks_off_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = moving_picture()
    for end in (len(given) - 40, 850, 30, 14, 13):
        with pytest.raises(ImageRefused) as problem:
            drawn(given[:end])
        assert problem.value.code in ("no_picture", "too_small")
    monkeypatch.setattr(moving_images, "FRAMES_MAX", 3)
    with pytest.raises(ImageRefused) as problem:
        drawn(given)
    assert problem.value.code == "too_long"
