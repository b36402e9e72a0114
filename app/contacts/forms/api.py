"""REST: the sign-up forms of the house and how they do, for its site and its dashboards."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from app.accounts.access import scope
from app.contacts.forms.definitions import Definition, list_forms
from app.contacts.forms.statistics import Counts, counts_of, lately
from app.ui import request_scope

blueprint = Blueprint("forms_api", __name__, description="Sign-up forms: where they are, what they ask, how they do.")


class FormCountsSchema(Schema):
    """How often a form was shown, sent and confirmed. Counts only: nobody is followed."""

    shown = fields.Integer()
    sent = fields.Integer()
    confirmed = fields.Integer()


class SignupFormSchema(Schema):
    """A sign-up form. ``url`` is its page; ``tag`` is given to everybody who comes in by it."""

    id = fields.Integer()
    name = fields.String()
    url = fields.String()
    is_active = fields.Boolean()
    languages = fields.List(fields.String())
    purposes = fields.List(fields.String())
    needs_confirmation = fields.Boolean()
    tag = fields.String()
    last_30_days = fields.Nested(FormCountsSchema)
    ever = fields.Nested(FormCountsSchema)


@blueprint.get("/forms")
@blueprint.response(200, SignupFormSchema(many=True))
@scope("consents:read")
def list_() -> list[dict[str, Any]]:
    """List the sign-up forms, those that are open first."""
    session = request_scope.session()
    recent, ever = lately(session), counts_of(session)
    base_url = request_scope.runtime().settings.base_url
    listed = []
    for form in list_forms(session):
        held = Definition.read(form.definition)
        listed.append(
            {
                "id": form.id,
                "name": form.name,
                "url": base_url + url_for("signup.fill_in", code=form.code),
                "is_active": form.is_active,
                "languages": held.languages,
                "purposes": held.purposes,
                "needs_confirmation": held.needs_confirmation,
                "tag": held.tag,
                "last_30_days": recent.get(form.id, Counts()),
                "ever": ever.get(form.id, Counts()),
            }
        )
    return listed
