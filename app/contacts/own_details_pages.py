"""What people change about themselves on the public pages: their address, and the language they are written to in.

The link in a mail proves the mailbox it came to, and the confirmation proves the new one. No log-in, no cookie, no
script; GET and HEAD change nothing.
"""

from __future__ import annotations

from flask import Blueprint, g, redirect, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate

from app import clock
from app.accounts.access import public
from app.accounts.organisations import LANGUAGES
from app.accounts.rate_limits import Limit
from app.consent.public_pages import (
    PER_LINK,
    TEN_MINUTES,
    Answer,
    enter,
    hold_back,
    keep_calm,
    shown,
    too_often,
    unknown_link,
)
from app.consent.subjects import contacts_by_subject
from app.consent.tokens import Claims
from app.contacts.address_changes import NoSuchAddress, ask_address_change, carry_out, open_change
from app.contacts.editing import edit_contact
from app.contacts.errors import UnknownContact
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form

blueprint = Blueprint("own_details", __name__, template_folder="templates")
keep_calm(blueprint)

PER_CHANGE = Limit("address change", 10, 6 * TEN_MINUTES)


class AddressSchema(Schema):
    """A new address."""

    email = fields.String(required=True, validate=validate.Length(max=254))


@blueprint.get("/p/<token>/address")
@public
def ask_address(token: str) -> Answer:
    """Ask for the new address; change nothing."""
    claims = enter("preferences", token)
    return unknown_link() if claims is None else _address_page(claims, new_form())


@blueprint.post("/p/<token>/address")
@public
def take_address(token: str) -> Answer:
    """Send a confirmation to the new address. The page says the same whoever has it."""
    claims = enter("preferences", token)
    if claims is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token, PER_CHANGE: token})
    if wait is not None:
        return too_often(wait)
    form = read_form(AddressSchema(), request.form)
    if form.is_valid:
        session, keyring = request_scope.session(), request_scope.runtime().keyring
        try:
            ask_address_change(session, keyring, claims.subject_key, form.values["email"], language=g.spoken_language)
        except NoSuchAddress:
            form = form.with_error("email", _("This is not a valid e-mail address. Example: name@example.org."))
        except UnknownContact:
            return shown("own_details/gone.html", claims), 410
    if not form.is_valid:
        return _address_page(claims, form), 422
    return shown("own_details/address_asked.html", claims)


@blueprint.get("/a/<token>")
@public
def ask_confirmation(token: str) -> Answer:
    """Show the button that confirms a new address; change nothing."""
    return _confirmation(token, is_confirmed=False)


@blueprint.post("/a/<token>")
@public
def confirm(token: str) -> Answer:
    """Change the address, once."""
    return _confirmation(token, is_confirmed=True)


@blueprint.post("/p/<token>/language")
@public
def choose_language(token: str) -> Answer:
    """Write to the person in another language from now on."""
    claims = enter("preferences", token)
    if claims is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token})
    if wait is not None:
        return too_often(wait)
    session, language = request_scope.session(), request.form.get("language", "")
    contact_id = contacts_by_subject(session, [claims.subject_key]).get(claims.subject_key)
    if language not in LANGUAGES or contact_id is None:
        return redirect(url_for("preferences.show_preferences", token=token), 303)
    edit_contact(session, contact_id, {"language": language}, tags=None, at=clock.now())
    return redirect(url_for("preferences.show_preferences", token=token, language=language, told="language"), 303)


def _confirmation(token: str, *, is_confirmed: bool) -> Answer:
    claims = enter("address", token)
    if claims is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token}, is_act=is_confirmed)
    if wait is not None:
        return too_often(wait)
    session = request_scope.session()
    change = open_change(session, claims.subject_key, claims.event_id)
    if change is None:
        return shown("own_details/late.html", claims), 410
    address = change.address
    if is_confirmed:
        carry_out(session, request_scope.runtime().keyring, change)
    return shown("own_details/confirm.html", claims, state=change.state, address=address)


def _address_page(claims: Claims, form: Form) -> str:
    return shown("own_details/address.html", claims, form=form)
