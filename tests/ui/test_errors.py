"""What somebody gets when something is wrong."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.ui import errors


def test_a_page_that_does_not_exist_says_so_calmly(gallery: FlaskClient) -> None:
    answer = gallery.get("/nowhere")
    assert answer.status_code == 404
    assert "This page does not exist" in answer.get_data(as_text=True)


def test_a_visitor_reads_an_error_in_the_language_of_the_browser(visitor: FlaskClient) -> None:
    answer = visitor.get("/nowhere", headers={"Accept-Language": "fr-BE,fr;q=0.9,en;q=0.5"})
    assert "Cette page n’existe pas" in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/broken", "/api/v1/broken"])
def test_a_crash_shows_nobody_what_it_was(gallery: FlaskClient, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = gallery.get(path)
    written = answer.get_data(as_text=True) + "".join(capsys.readouterr())
    assert answer.status_code == 500
    assert "ann@example.org could" not in written
    assert "Traceback" not in written


def test_an_api_error_is_problem_json(gallery: FlaskClient) -> None:
    answer = gallery.get("/api/v1/nowhere")
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


def test_htmx_gets_a_message_beside_the_page(gallery: FlaskClient) -> None:
    answer = gallery.get("/broken", headers={"HX-Request": "true"})
    assert answer.headers["HX-Retarget"] == "#toasts"
    assert "<html" not in answer.get_data(as_text=True)


def test_a_form_without_its_token_is_refused_with_advice(gallery: FlaskClient) -> None:
    answer = gallery.post("/", data={"name": "De Lamp"})
    assert answer.status_code == 400
    assert "This form has been open too long" in answer.get_data(as_text=True)


def test_what_is_too_large_is_told_how_large_it_may_be(gallery: FlaskClient) -> None:
    gallery.application.config["MAX_CONTENT_LENGTH"] = 3 * 1024 * 1024
    answer = gallery.post("/", data={"name": "x" * 4 * 1024 * 1024})
    assert answer.status_code == 413
    assert "At most 3 MB" in answer.get_data(as_text=True)


def test_when_even_the_error_page_fails_words_remain(gallery: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> str:
        raise RuntimeError("no templates today")

    monkeypatch.setattr(errors, "render_template", fail)
    answer = gallery.get("/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert "This page does not exist" in answer.get_data(as_text=True)


def test_a_wrong_method_keeps_the_header_that_says_which_are_right(gallery: FlaskClient) -> None:
    answer = gallery.delete("/broken")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
