"""How a page takes in a form."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema, fields, validate
from werkzeug.datastructures import MultiDict

from app.ui.forms import WHOLE_FORM, new_form, read_form, translated_errors
from tests.ui.gallery import make_gallery, make_viewer


class VisitSchema(Schema):
    """A form with one field of each kind."""

    name = fields.String(required=True, validate=validate.Length(min=2, max=5))
    tickets = fields.Integer(validate=validate.Range(min=1, max=9))
    genres = fields.List(fields.String())
    is_member = fields.Boolean()
    password = fields.String()


def test_a_filled_in_form_gives_typed_values() -> None:
    form = read_form(
        VisitSchema(), MultiDict([("name", " Ann "), ("tickets", "2"), ("genres", "dans"), ("genres", "jazz")])
    )
    assert form.is_valid
    assert form.values == {"name": "Ann", "tickets": 2, "genres": ["dans", "jazz"], "is_member": False}


def test_an_empty_field_counts_as_absent() -> None:
    form = read_form(VisitSchema(), MultiDict([("name", "  "), ("tickets", "")]))
    assert set(form.errors) == {"name"}
    assert form.values == {}


def test_a_password_keeps_its_blanks() -> None:
    form = read_form(VisitSchema(), MultiDict([("name", "Ann"), ("password", " a b ")]))
    assert form.values["password"] == " a b "


def test_fields_nobody_asked_for_are_ignored() -> None:
    form = read_form(VisitSchema(), MultiDict([("name", "Ann"), ("role", "admin"), ("csrf_token", "x")]))
    assert "role" not in form.values
    assert "csrf_token" not in form.typed


def test_an_error_only_the_database_knows_takes_the_values_away() -> None:
    form = read_form(VisitSchema(), MultiDict([("name", "Ann")])).with_error("name", "Taken.")
    assert (form.is_valid, form.values, form.errors["name"]) == (False, {}, ["Taken."])


def test_a_form_nobody_sent_is_neither_valid_nor_wrong() -> None:
    form = new_form(name="Ann")
    assert (form.is_valid, form.errors, form.typed["name"]) == (False, {}, "Ann")


def test_errors_deep_in_a_list_are_found_by_a_dotted_name() -> None:
    with make_gallery(None).test_request_context("/"):
        assert set(
            translated_errors({"rows": {0: {"email": ["Missing data for required field."]}}, "_schema": ["No."]})
        ) == {
            "rows.0.email",
            WHOLE_FORM,
        }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (fields.String(validate=validate.Length(max=3)), "long"),
        (fields.String(validate=validate.Length(min=3)), "a"),
        (fields.String(validate=validate.Length(equal=3)), "a"),
        (fields.String(validate=validate.OneOf(["a"])), "b"),
        (fields.String(validate=validate.Regexp("^a$")), "b"),
        (fields.Integer(), "x"),
        (fields.Integer(validate=validate.Range(min=3)), "1"),
        (fields.Integer(validate=validate.Range(max=3)), "9"),
        (fields.Integer(validate=validate.Range(min=3, max=4)), "9"),
        (fields.Decimal(), "x"),
        (fields.Date(), "x"),
        (fields.DateTime(), "x"),
        (fields.AwareDateTime(), "2026-01-01"),
        (fields.Time(), "x"),
        (fields.Boolean(), "x"),
        (fields.Email(), "x"),
        (fields.Url(), "x"),
        (fields.UUID(), "x"),
        (fields.List(fields.Integer()), ["x"]),
    ],
)
def test_whatever_marshmallow_says_is_said_in_dutch(field: fields.Field, value: object) -> None:
    class OneField(Schema):
        it = field

    with make_gallery(make_viewer(language="nl")).test_request_context("/") as context:
        context.app.preprocess_request()
        sentences = translated_errors(OneField().validate({"it": value}))
    said = {sentence for each in sentences.values() for sentence in each}
    english = {"Not", "Must", "Longer", "Shorter", "valid", "Choose", "Write", "Use", "This"}
    assert said
    assert not [sentence for sentence in said if english & set(sentence.split())]


def test_a_refused_page_shows_what_was_typed_and_what_is_wrong(gallery: FlaskClient) -> None:
    gallery.application.config["WTF_CSRF_ENABLED"] = False
    answer = gallery.post("/", data={"name": "", "email": "ann<at>example"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="ann&lt;at&gt;example"' in page
    assert "Fill this in." in page
    assert page.count('aria-invalid="true"') == 2
    assert 'aria-describedby="field-email-error-1 "' in page
