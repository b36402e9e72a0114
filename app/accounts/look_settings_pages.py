"""Settings: the colour and the logo of the house, for the pages its audience sees."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response

from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.accounts.house_colours import parse_colour
from app.accounts.house_look import (
    LOGO_BYTES_MAX,
    LogoRefused,
    choose_colour,
    house_ref,
    look_of,
    put_logo,
    remove_logo,
)
from app.accounts.organisations import current_organisation
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form

blueprint = Blueprint("look_settings", __name__, url_prefix="/settings/look", template_folder="templates")

Answer = str | tuple[str, int] | Response

REFUSALS = {
    "too_large": _l("This file is too large. A logo has at most 400 kB: save it smaller, as PNG or WebP."),
    "no_picture": _l("This is no PNG, JPEG or WebP picture. Save the logo as one of these and choose it again."),
    "odd_size": _l("A logo is between 24 and 4000 pixels wide and high."),
}


class LookSchema(Schema):
    """The colour as typed or picked, and whether the logo is taken away."""

    colour = fields.String(load_default="", validate=validate.Length(max=9))
    without_logo = fields.Boolean(load_default=False)


@blueprint.get("/")
@requires("admin")
def show() -> Answer:
    """Show how the house looks to its audience."""
    house = current_organisation(request_scope.session())
    return _page(new_form(colour=house.settings.get("colour", "")))


@blueprint.post("/")
@requires("admin")
def change() -> Answer:
    """Change the colour and the logo; a file that is none changes neither."""
    form = read_form(LookSchema(), request.form)
    session = request_scope.session()
    house = current_organisation(session)
    colour = parse_colour(form.values["colour"]) if form.is_valid and form.values["colour"] else None
    if form.is_valid and form.values["colour"] and colour is None:
        form = form.with_error("colour", _("Write a colour as six digits, such as #b3202c."))
    content = _uploaded()
    if form.is_valid and content:
        try:
            put_logo(session, content)
        except LogoRefused as refusal:
            form = form.with_error("logo", str(REFUSALS[refusal.code]))
    if not form.is_valid:
        return _page(form), 422
    if form.values["without_logo"] and not content:
        remove_logo(session)
    choose_colour(house, colour)
    audit.record(session, current_actor(), "accounts.changed_look", subject=("organisation", house.id))
    flash(_("This is how your audience sees the house from now on."), "success")
    return redirect(url_for("look_settings.show"))


def _uploaded() -> bytes:
    file = request.files.get("logo")
    # One byte more than may be, so that a file that is too large is known for one.
    return file.stream.read(LOGO_BYTES_MAX + 1) if file else b""


def _page(form: Form) -> str:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    house = current_organisation(session)
    return render_template(
        "settings/look.html",
        form=form,
        house=house,
        look=look_of(session, house),
        house_ref=house_ref(keyring, house.id),
    )
