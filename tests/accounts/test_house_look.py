"""Any colour can be read, and a logo is a picture."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.house_colours import DARK_CARD, LIGHT_CARD, contrast, palette_of, parse_colour
from app.accounts.house_look import LOGO_BYTES_MAX, LogoRefused, house_ref, put_logo, read_house_ref, read_logo
from app.accounts.models import Organisation
from app.db import ScopedSession
from app.runtime import Runtime
from tests.conftest import make_user, signed_in

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x0dIHDR" + struct.pack(">II", 300, 100) + b"\x08\x06\x00\x00\x00"
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 100, 300) + b"\x03" + b"\x00" * 9
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\x2b\x01\x00\x63\x00\x00"


@given(st.integers(0, 0xFFFFFF))
def test_whatever_the_colour_everybody_can_read_what_is_on_it(number: int) -> None:
    palette = palette_of(f"#{number:06x}")
    assert contrast(palette.on_house, palette.house) >= 4.5
    assert contrast(palette.on_house, palette.hover) >= 4.5
    assert contrast(palette.edge, LIGHT_CARD) >= 3
    assert contrast(palette.edge_on_dark, DARK_CARD) >= 3


@pytest.mark.parametrize(
    ("text", "colour"),
    [("#B3202C", "#b3202c"), ("b3202c", "#b3202c"), (" #fc0 ", "#ffcc00"), ("red", None), ("#12345", None), ("", None)],
)
def test_a_colour_is_six_digits_or_three(text: str, colour: str | None) -> None:
    assert parse_colour(text) == colour


@pytest.mark.parametrize(("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_the_bytes_say_what_a_logo_is(session: ScopedSession, content: bytes, media_type: str) -> None:
    put_logo(session, content)
    held = read_logo(session)
    assert held is not None
    assert (held.media_type, held.width, held.height) == (media_type, 300, 100)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no_picture"),
        (PNG[:18], "no_picture"),
        (JPEG[:9], "no_picture"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 3, "no_picture"),
        (PNG[:16] + struct.pack(">II", 3, 9000), "odd_size"),
        (PNG + b"x" * LOGO_BYTES_MAX, "too_large"),
    ],
)
def test_what_is_no_logo_is_refused(session: ScopedSession, content: bytes, code: str) -> None:
    with pytest.raises(LogoRefused) as refusal:
        put_logo(session, content)
    assert refusal.value.code == code
    assert read_logo(session) is None


def test_a_house_chooses_and_its_audience_sees_it(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    ref = house_ref(runtime.keyring, organisation.id)
    assert "#1f1724" in client.get(f"/house/{ref}/look.css").text
    assert client.get(f"/house/{ref}/logo").status_code == 404
    signed_in(client, make_user(runtime, organisation, "admin"))
    sent = {"colour": "#FFE600", "logo": (BytesIO(PNG), "logo.svg")}
    assert client.post("/settings/look/", data=sent, content_type="multipart/form-data").status_code == 302
    page = client.get("/settings/look/").text
    assert "#ffe600" in page
    style = client.application.test_client().get(f"/house/{ref}/look.css")
    assert "--zl-house: #ffe600" in style.text
    assert style.mimetype == "text/css"
    logo = client.application.test_client().get(f"/house/{ref}/logo")
    assert logo.data == PNG
    assert "immutable" in logo.headers["Cache-Control"]
    assert client.post("/settings/look/", data={"without_logo": "true"}).status_code == 302
    assert client.get(f"/house/{ref}/logo").status_code == 404


@pytest.mark.parametrize("sent", [{"colour": "red"}, {"colour": "#b3202c", "logo": (BytesIO(b"no"), "x.png")}])
def test_what_cannot_be_used_changes_nothing(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, sent: dict[str, object]
) -> None:
    signed_in(client, make_user(runtime, organisation, "admin"))
    answer = client.post("/settings/look/", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 422
    ref = house_ref(runtime.keyring, organisation.id)
    assert "#1f1724" in client.get(f"/house/{ref}/look.css").text


@pytest.mark.parametrize("change", [lambda ref: "2" + ref[1:], lambda ref: ref[:-1], lambda ref: "é", lambda ref: "1-"])
def test_nobody_counts_through_the_houses(runtime: Runtime, organisation: Organisation, change: object) -> None:
    ref = house_ref(runtime.keyring, organisation.id)
    assert read_house_ref(runtime.keyring, ref) == organisation.id
    assert callable(change)
    assert read_house_ref(runtime.keyring, change(ref)) is None
