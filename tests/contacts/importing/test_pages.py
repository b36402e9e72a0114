"""The pages of an import, as somebody clicks through them."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import worker
from app.accounts.models import Organisation
from app.contacts.importing import jobs
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_house, make_user, signed_in
from tests.contacts.importing.files import csv_file

PEOPLE = csv_file("E-mail;Voornaam;Nieuwsbrief", "an@example.org;An;ja", "geen adres;Bo;nee", "cy@example.org;=1+1;nee")
FORM = {
    "column-0": "email", "column-1": "given_name", "column-2": "consent", "meaning-2": "granted",
    "purpose-2": "newsletter", "wording-2": "Ja, graag.", "language-2": "nl", "captured_on-2": "2025-03-01",
    "source": "Kassa", "tags": "import 2026, vrienden",
}  # fmt: skip


@pytest.fixture
def marketer(runtime: Runtime, organisation: Organisation, client: FlaskClient) -> FlaskClient:
    """A browser in which a marketer is signed in."""
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def uploaded(browser: FlaskClient, content: bytes = PEOPLE, **more: str) -> str:
    """Upload a file and return the address of its import."""
    form = {"kind": "contacts", "preset": "generic", "file": (io.BytesIO(content), "klanten.csv")} | more
    answer = browser.post("/imports", data=form)
    assert answer.status_code == 302, answer.get_data(as_text=True)[-2000:]
    return answer.location.removesuffix("/columns")


def test_a_file_goes_from_upload_to_contacts(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient
) -> None:
    address = uploaded(marketer)
    page = marketer.get(f"{address}/columns").get_data(as_text=True)
    assert "an@example.org" in page
    assert '<option value="email" selected>' in page
    assert marketer.post(f"{address}/columns", data=FORM).location == address
    assert "hx-get" in marketer.get(address).get_data(as_text=True)
    worker.tick(runtime, only="imports")
    assert marketer.get(f"{address}/progress").headers["HX-Refresh"] == "true"
    trial = marketer.get(address).get_data(as_text=True)
    assert "cy@example.org" in trial
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 0
    marketer.post(f"{address}/start")
    worker.tick(runtime, only="imports")
    assert marketer.get(address).status_code == 200
    with transaction(runtime.engine, organisation.id) as session:
        assert session.execute(select(Contact.email, Contact.tags).order_by(Contact.email)).all() == [
            ("an@example.org", ["import 2026", "vrienden"]),
            ("cy@example.org", ["import 2026", "vrienden"]),
        ]


def test_the_file_of_errors_is_harmless_in_a_spreadsheet(runtime: Runtime, marketer: FlaskClient) -> None:
    content = csv_file("E-mail;Voornaam;Nieuwsbrief", "geen adres;=HYPERLINK(1);nee", "an@example.org;An;ja")
    address = uploaded(marketer, content)
    marketer.post(f"{address}/columns", data=FORM)
    worker.tick(runtime, only="imports")
    answer = marketer.get(f"{address}/problems.csv")
    lines = answer.get_data().decode("utf-8-sig").splitlines()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert lines[0].startswith("Rij;Kolom;")
    assert lines[1].startswith("2;E-mail;geen adres;")
    assert "'=HYPERLINK(1)" in lines[1]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "leeg.csv"), (b"%PDF-1.7", "folder.pdf"), (bytes(range(256)) * 9, "foto.jpg")],
    ids=["empty", "pdf", "binary"],
)
def test_what_is_no_table_is_refused_in_words(marketer: FlaskClient, content: bytes, name: str) -> None:
    form = {"kind": "contacts", "preset": "generic", "file": (io.BytesIO(content), name)}
    answer = marketer.post("/imports", data=form)
    assert answer.status_code == 422
    assert "zl-error" in answer.get_data(as_text=True)


def test_a_form_without_file_says_so(marketer: FlaskClient) -> None:
    answer = marketer.post("/imports", data={"kind": "contacts", "preset": "generic"})
    assert answer.status_code == 422
    assert "Kies een bestand" in answer.get_data(as_text=True)


def test_a_file_larger_than_other_requests_is_taken_and_one_over_the_limit_refused(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient
) -> None:
    rows = [f"p{n}@example.org;{'x' * 180};ja" for n in range(50_000)]
    content = csv_file("E-mail;Voornaam;Nieuwsbrief", *rows)
    assert len(content) > runtime.settings.request_bytes_max
    # By hand: the test client would leave a temporary file of this size open.
    fields = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in (
        ("kind", "contacts"), ("preset", "generic")))  # fmt: skip
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="groot.csv"\r\n\r\n'
    body = (fields + head).encode() + content + b"\r\n--x--\r\n"
    taken = marketer.post("/imports", input_stream=io.BytesIO(body), content_type="multipart/form-data; boundary=x")
    assert taken.status_code == 302
    over = marketer.post(
        "/imports",
        input_stream=io.BytesIO(b"--x"),
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(65 * 1024 * 1024)},
    )
    assert over.status_code == 413


def test_a_mapping_that_cannot_be_used_is_shown_again_with_what_is_wrong(marketer: FlaskClient) -> None:
    address = uploaded(marketer)
    bad = FORM | {"column-0": "ignore", "purpose-2": "", "captured_on-2": "gisteren", "source": ""}
    answer = marketer.post(f"{address}/columns", data=bad)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="gisteren"' in page
    for field in ("captured_on-2", "source"):
        assert f'id="field-{field}-error-1"' in page, field
    assert 'id="field-purpose-2-error-1"' in page


def test_an_import_can_be_cancelled_before_it_starts(runtime: Runtime, marketer: FlaskClient) -> None:
    address = uploaded(marketer)
    marketer.post(f"{address}/columns", data=FORM)
    worker.tick(runtime, only="imports")
    assert marketer.post(f"{address}/cancel").location == "/imports"
    assert marketer.post(f"{address}/start").location == address
    worker.tick(runtime, only="imports")
    assert "zl-notice is-warn" in marketer.get(address).get_data(as_text=True)


def test_an_analyst_cannot_import(runtime: Runtime, organisation: Organisation, app: Flask) -> None:
    browser = signed_in(app.test_client(), make_user(runtime, organisation, "analyst"))
    assert browser.get("/imports").status_code == 403
    assert browser.post("/imports").status_code == 403


def test_nobody_sees_the_imports_of_another_house(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, app: Flask
) -> None:
    address = uploaded(marketer)
    other = signed_in(app.test_client(), make_user(runtime, make_house(runtime, "Het Andere"), "admin"))
    for path in ("", "/columns", "/progress", "/problems.csv"):
        assert other.get(address + path).status_code == 404, path
    for path in ("/columns", "/start", "/cancel"):
        assert other.post(address + path).status_code == 404, path
    with transaction(runtime.engine, organisation.id) as session:
        assert [job.state for job in jobs.list_jobs(session)] == ["uploaded"]
