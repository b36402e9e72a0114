"""Whether a house follows clicks and opens at all, and what its links tell its web statistics."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response

from app.accounts import access, audit
from app.accounts.access import requires
from app.mailings.mail_settings import setting_of
from app.ui import request_scope
from app.ui.forms import read_form

blueprint = Blueprint("tracking_settings", __name__, url_prefix="/settings/mail")


class TrackingSchema(Schema):
    """What the card on the page with mail settings takes in."""

    tracks = fields.Boolean(load_default=False)
    utm_source = fields.String(
        load_default=None,
        validate=validate.Regexp(
            r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}\Z", error="String does not match expected pattern."
        ),
    )


@blueprint.post("/tracking")
@requires("admin")
def change() -> Response:
    """Store whether clicks and opens are followed. It takes effect with the next mail, and for hits at once."""
    form = read_form(TrackingSchema(), request.form)
    if not form.is_valid:
        flash(
            _("Use letters, digits, spaces, dots and hyphens for the name in your web statistics, 40 at most."), "error"
        )
        return redirect(url_for("mail.show"))
    setting = setting_of(request_scope.session(), request_scope.runtime().settings)
    setting.tracks, setting.utm_source = form.values["tracks"], form.values["utm_source"]
    audit.record(request_scope.session(), access.current_actor(), "mailings.changed_tracking")
    flash(_("It is saved.") if setting.tracks else _("It is saved. Nobody is followed."), "success")
    return redirect(url_for("mail.show"))
