"""What comes in with a form: from the audience, and from the house that makes one."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.contacts.forms.definitions import ASKED

NAME = validate.Length(max=100)
TEXT = validate.Length(max=2000)


class FilledInSchema(Schema):
    """What somebody typed. Whether a field is asked at all is the form's to say."""

    email = fields.String(required=True, validate=validate.Length(max=254))
    given_name = fields.String(validate=NAME)
    family_name = fields.String(validate=NAME)
    postcode = fields.String(validate=validate.Length(max=12))
    birth_date = fields.Date()
    guardian_email = fields.String(validate=validate.Length(max=254))


class FormSchema(Schema):
    """A form as the house writes it; the texts by language, interests and sites one to a line."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=80))
    languages = fields.List(
        fields.String(validate=validate.OneOf(("nl", "fr", "en"))), required=True, validate=validate.Length(min=1)
    )
    purposes = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    given_name = fields.String(load_default="optional", validate=validate.OneOf(ASKED))
    family_name = fields.String(load_default="optional", validate=validate.OneOf(ASKED))
    postcode = fields.String(load_default="off", validate=validate.OneOf(ASKED))
    birth_date = fields.String(load_default="off", validate=validate.OneOf(ASKED))
    interests = fields.String(load_default="", validate=validate.Length(max=4000))
    title_nl = fields.String(load_default="", validate=NAME)
    title_fr = fields.String(load_default="", validate=NAME)
    title_en = fields.String(load_default="", validate=NAME)
    intro_nl = fields.String(load_default="", validate=TEXT)
    intro_fr = fields.String(load_default="", validate=TEXT)
    intro_en = fields.String(load_default="", validate=TEXT)
    thanks_nl = fields.String(load_default="", validate=TEXT)
    thanks_fr = fields.String(load_default="", validate=TEXT)
    thanks_en = fields.String(load_default="", validate=TEXT)
    needs_confirmation = fields.Boolean(load_default=False)
    tag = fields.String(load_default="", validate=validate.Length(max=60))
    embed_origins = fields.String(load_default="", validate=validate.Length(max=1000))
    is_active = fields.Boolean(load_default=False)
