"""Settings: how often a person gets marketing, when not, and how fast mail leaves."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from werkzeug.wrappers import Response

from app.accounts import access, audit
from app.accounts.access import requires
from app.mailings.mail_settings import setting_of
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form

blueprint = Blueprint("mail_limits", __name__, url_prefix="/settings/mail/limits", template_folder="templates")

NAMES = ("cap_mails", "cap_days", "cap_wait_hours", "quiet_from", "quiet_until", "mails_a_minute")


class LimitsSchema(Schema):
    """The limits of a house; what is left empty is no limit."""

    cap_mails = fields.Integer(load_default=None, validate=validate.Range(1, 50))
    cap_days = fields.Integer(load_default=7, validate=validate.Range(1, 365))
    cap_wait_hours = fields.Integer(load_default=24, validate=validate.Range(0, 336))
    quiet_from = fields.Time(load_default=None)
    quiet_until = fields.Time(load_default=None)
    mails_a_minute = fields.Integer(load_default=None, validate=validate.Range(1, 1_000_000))

    @validates_schema
    def check_together(self, values: dict[str, Any], **_more: Any) -> None:
        """Quiet hours have a beginning and an end."""
        for name, other in (("quiet_from", "quiet_until"), ("quiet_until", "quiet_from")):
            if values.get(name) is not None and values.get(other) is None:
                raise ValidationError("Missing data for required field.", other)


@blueprint.get("/")
@requires("admin")
def show() -> str:
    """Show the limits."""
    setting = setting_of(request_scope.session(), request_scope.runtime().settings)
    values = {name: getattr(setting, name) for name in NAMES}
    shown = {name: value.strftime("%H:%M") if hasattr(value, "strftime") else value for name, value in values.items()}
    return _page(new_form(**shown))


@blueprint.post("/")
@requires("admin")
def change() -> str | tuple[str, int] | Response:
    """Store the limits; they hold from the next mail on."""
    form, session = read_form(LimitsSchema(), request.form), request_scope.session()
    if not form.is_valid:
        return _page(form), 422
    setting = setting_of(session, request_scope.runtime().settings)
    for name in NAMES:
        setattr(setting, name, form.values[name])
    audit.record(session, access.current_actor(), "mailings.changed_limits")
    flash(_("The limits are saved. They hold from the next mail on."), "success")
    return redirect(url_for("mail_limits.show"))


def _page(form: Form) -> str:
    return render_template("mail/limits.html", form=form)
