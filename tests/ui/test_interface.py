"""What every page has: headers, an own and strict look, working components."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.ui import charts, navigation
from app.ui.interface import STATIC, local_path
from tests.ui.gallery import make_gallery, make_viewer


@pytest.fixture
def page(gallery: FlaskClient) -> str:
    """The gallery of all components."""
    return gallery.get("/").get_data(as_text=True)


def test_no_page_may_run_or_load_what_is_not_ours(gallery: FlaskClient) -> None:
    policy = gallery.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_transport_security_is_promised_over_https_only(gallery: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in gallery.get("/").headers
    assert "Strict-Transport-Security" in gallery.get("/", base_url="https://localhost").headers


def test_components_need_neither_inline_script_nor_style(page: str) -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\s(style|on[a-z]+)=", page)


def test_every_id_is_there_once_and_every_reference_finds_one(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for attribute in ("for", "aria-labelledby", "data-opens", "popovertarget"):
        assert set(re.findall(rf'\s{attribute}="([^"]+)"', page)) <= set(ids)


def test_what_people_typed_is_never_markup(page: str) -> None:
    assert "&lt;b&gt;@example.org" in page
    assert "<b>@example.org" not in page


def test_every_icon_that_is_asked_for_exists(page: str) -> None:
    drawings = re.findall(r'<svg class="zl-icon"[^>]*>(.*?)</svg>', page)
    assert len(drawings) > 20
    assert all(drawing.strip() for drawing in drawings)


def test_every_icon_in_the_sidebar_is_drawn() -> None:
    shapes = (STATIC.parent / "templates/components/icons.html").read_text(encoding="utf-8")
    for entry in navigation.ENTRIES:
        assert f'"{entry.icon}":' in shapes


def test_the_sidebar_leaves_out_what_does_not_exist_or_is_not_for_the_role() -> None:
    everything = {entry.endpoint for entry in navigation.ENTRIES}
    admin = [line.endpoint for line in navigation.lines("admin", None, everything)]
    viewer = [line.endpoint for line in navigation.lines("viewer", None, everything)]
    assert admin == [entry.endpoint for entry in navigation.ENTRIES]
    assert "connections.overview" not in viewer
    assert navigation.lines("admin", None, set()) == []


def test_the_sidebar_knows_where_one_is() -> None:
    lines = navigation.lines("admin", "segments.show", {"segments.overview", "contacts.overview"})
    assert [line.is_current for line in lines] == [False, True]


def test_assets_may_be_kept_for_ever_under_their_version_only(gallery: FlaskClient, page: str) -> None:
    address = re.search(r'href="(/assets/[^"]+/css/zaallicht\.css)"', page)
    assert address is not None
    for path, is_kept in ((address[1], True), ("/assets/old/css/zaallicht.css", False)):
        with gallery.get(path) as answer:
            assert ("immutable" in answer.headers["Cache-Control"]) is is_kept
    assert gallery.get("/assets/x/../../../config.py").status_code == 404


def test_a_file_that_caches_may_share_carries_nobodys_cookie(gallery: FlaskClient) -> None:
    with gallery.session_transaction() as cookie:
        cookie["user_id"] = 7
        cookie.permanent = True
    assert "Set-Cookie" in gallery.get("/").headers
    with gallery.get("/assets/x/css/zaallicht.css") as answer:
        assert "Set-Cookie" not in answer.headers


def test_a_page_is_kept_by_no_cache(gallery: FlaskClient) -> None:
    assert "no-store" in gallery.get("/").headers["Cache-Control"]


def test_the_language_switch_of_a_visitor_stays_on_this_site(visitor: FlaskClient) -> None:
    visitor.application.config["WTF_CSRF_ENABLED"] = False
    answer = visitor.post("/language", data={"language": "fr", "next": "//evil.example/"})
    assert answer.headers["Location"] == "/"
    assert 'lang="fr"' in visitor.get("/nowhere").get_data(as_text=True)


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\nb", ""]
)
def test_a_link_that_leads_away_leads_home(path: str) -> None:
    assert local_path(path) == "/"


def test_a_link_within_the_site_is_kept() -> None:
    assert local_path("/segments?cursor=a") == "/segments?cursor=a"


def test_modules_and_styles_are_ours_and_name_no_other_site() -> None:
    for path in [*Path(STATIC / "js").glob("*.js"), *Path(STATIC / "css").glob("*.css")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "eval(" not in text


def test_bars_fill_their_box_and_zero_draws_nothing() -> None:
    drawn = charts.bars([0, 5, 10, -3], width=100, height=50)
    assert [bar.height for bar in drawn] == [0, 25, 50, 0]
    assert charts.bars([]) == []


def test_a_flat_line_lies_in_the_middle() -> None:
    assert charts.sparkline([4, 4], width=20, height=10, margin=0) == "0.0,5.0 20.0,5.0"
    assert charts.sparkline([]) == ""


def test_shares_are_of_the_largest() -> None:
    assert charts.shares([50, 25, 0]) == [100, 50, 0]
    assert charts.shares([0, 0]) == [0, 0]


def test_initials_stand_for_first_and_last_name() -> None:
    assert make_viewer(name="Ann van den Berg").initials == "AB"
    assert make_viewer(name="", email="zoe@example.org").initials == "Z"


def test_the_page_speaks_the_language_of_the_person_then_of_the_organisation() -> None:
    for own, house, spoken in (("fr", "nl", "fr"), ("", "fr", "fr"), ("xx", "nl", "nl")):
        viewer = make_viewer(language=own, organisation_language=house)
        answer = make_gallery(viewer).test_client().get("/", headers={"Accept-Language": "en"})
        assert f'<html lang="{spoken}">' in answer.get_data(as_text=True)
