"""Settings: the house, its people, keys for programs, and the audit trail."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from app.accounts import access, audit, people
from app.accounts.access import requires
from app.accounts.api_keys import ROOMS, create_api_key, list_api_keys, revoke_api_key
from app.accounts.mailed_links import can_mail, mail_link
from app.accounts.models import User
from app.accounts.one_time_links import LASTS, Purpose, create_link
from app.accounts.organisations import (
    COUNTRIES,
    TIME_ZONES,
    UnknownTimeZone,
    change_organisation,
    current_organisation,
)
from app.accounts.schemas import ApiKeySchema, OrganisationSchema, PersonSchema, RoleSchema
from app.accounts.users import ROLES, UserError, create_user, find_user
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.viewer import ROLE_NAMES

blueprint = Blueprint("settings", __name__, url_prefix="/settings", template_folder="templates")

Answer = str | tuple[str, int] | Response

COUNTRY_NAMES = {
    "BE": _l("Belgium"),
    "NL": _l("The Netherlands"),
    "LU": _l("Luxembourg"),
    "DE": _l("Germany"),
    "FR": _l("France"),
}
ROLE_EXPLANATIONS = {
    "viewer": _l("Sees contacts, segments and audiences, and changes nothing."),
    "analyst": _l("Sees everything and may export."),
    "marketer": _l("Imports, makes segments and fills audiences."),
    "admin": _l("Also manages people, connections and settings."),
}
SCOPE_NAMES = {
    "contacts": _l("Contacts"),
    "activities": _l("Activities and participations"),
    "consents": _l("Consents and suppressions"),
    "segments": _l("Segments"),
    "audiences": _l("Audiences"),
    "connections": _l("Connections"),
    "journeys": _l("Journeys"),
    "mailings": _l("Mailings"),
    "insights": _l("Insights"),
}


@blueprint.get("/")
@requires("viewer")
def overview() -> Answer:
    """Show what can be set, as far as the role goes."""
    return render_template("settings/overview.html", is_admin=access.may("admin"))


@blueprint.get("/house")
@requires("admin")
def house() -> Answer:
    """Show what the house says about itself."""
    organisation = current_organisation(request_scope.session())
    names = ("name", "legal_name", "legal_address", "country", "time_zone", "language")
    return _house_page(new_form(**{name: getattr(organisation, name) for name in names}))


@blueprint.post("/house")
@requires("admin")
def change_house() -> Answer:
    """Change what the house says about itself."""
    form = read_form(OrganisationSchema(), request.form)
    organisation = current_organisation(request_scope.session())
    if form.is_valid:
        try:
            change_organisation(organisation, **form.values)
        except UnknownTimeZone:
            form = form.with_error("time_zone", _("We do not know this time zone. Choose one from the list."))
    if not form.is_valid:
        return _house_page(form), 422
    _record("accounts.changed_organisation", ("organisation", organisation.id))
    flash(_("The settings of the house are saved."), "success")
    return redirect(url_for("settings.house"))


def _house_page(form: Form) -> str:
    zones = list(TIME_ZONES)
    if form.typed.get("time_zone") and form.typed["time_zone"] not in zones:
        zones.append(form.typed["time_zone"])
    return render_template(
        "settings/house.html",
        form=form,
        countries=[(code, COUNTRY_NAMES[code]) for code in COUNTRIES],
        time_zones=[(zone, zone.replace("_", " ")) for zone in zones],
    )


@blueprint.get("/people")
@requires("admin")
def who() -> Answer:
    """Show who may log in."""
    return _people_page(new_form(role="marketer"))


@blueprint.post("/people")
@requires("admin")
def invite() -> Answer:
    """Invite somebody: they exist from now on, and a link lets them choose a password."""
    form = read_form(PersonSchema(), request.form)
    if not form.is_valid:
        return _people_page(form), 422
    session, held = request_scope.session(), request_scope.runtime()
    language = current_organisation(session).language
    try:
        user = create_user(session, held.keyring, **form.values, language=language)
    except UserError:
        return _people_page(form.with_error("email", _("Somebody with this address is already on the list."))), 422
    _record("accounts.invited", ("user", user.id), role=user.role)
    return _link_page(user, "invitation")


@blueprint.post("/people/<int:user_id>/link")
@requires("admin")
def make_link(user_id: int) -> Answer:
    """Make a new link for somebody: an invitation again, or a way to a new password."""
    user = _person(user_id)
    if not user.is_active:
        abort(409)
    _record("accounts.made_link", ("user", user.id))
    return _link_page(user, "invitation" if user.password_hash is None else "password_reset")


def _link_page(user: User, purpose: Purpose) -> Answer:
    """Mail somebody their link, or show it to be passed on: where the house cannot mail, or is asked not to."""
    held, session = request_scope.runtime(), request_scope.session()
    by_hand = request.form.get("by") == "hand" or not can_mail(session, held)
    if not by_hand and mail_link(session, held.keyring, user, purpose=purpose):
        flash(_("A mail with a link is on its way to %(email)s.", email=user.email), "success")
        return redirect(url_for("settings.who"))
    token = create_link(session, held.keyring, user, purpose=purpose)
    link = held.settings.base_url + url_for("accounts.invitation", token=token)
    return render_template("settings/link.html", user=user, link=link, purpose=purpose, days=LASTS[purpose].days)


@blueprint.post("/people/<int:user_id>/role")
@requires("admin")
def change_role(user_id: int) -> Answer:
    """Give somebody another role."""
    user, form = _person(user_id), read_form(RoleSchema(), request.form)
    if not form.is_valid:
        abort(422)
    try:
        people.change_role(request_scope.session(), user, form.values["role"])
    except UserError:
        return _refused_last_admin()
    _record("accounts.changed_role", ("user", user.id), role=user.role)
    flash(_("%(name)s is now: %(role)s.", name=user.name, role=ROLE_NAMES[user.role]), "success")
    return redirect(url_for("settings.who"))


@blueprint.post("/people/<int:user_id>/deactivate")
@requires("admin")
def deactivate(user_id: int) -> Answer:
    """Shut somebody out."""
    user = _person(user_id)
    try:
        people.deactivate(request_scope.session(), user)
    except UserError:
        return _refused_last_admin()
    _record("accounts.deactivated", ("user", user.id))
    flash(_("%(name)s can no longer log in.", name=user.name), "success")
    return redirect(url_for("settings.who"))


@blueprint.post("/people/<int:user_id>/reactivate")
@requires("admin")
def reactivate(user_id: int) -> Answer:
    """Let somebody in again."""
    user = _person(user_id)
    people.reactivate(user)
    _record("accounts.reactivated", ("user", user.id))
    flash(_("%(name)s can log in again.", name=user.name), "success")
    return redirect(url_for("settings.who"))


def _person(user_id: int) -> User:
    user = find_user(request_scope.session(), user_id)
    if user is None:
        abort(404)
    return user


def _refused_last_admin() -> Answer:
    flash(_("This is the last administrator. Make somebody else administrator first."), "warning")
    return redirect(url_for("settings.who"))


def _people_page(form: Form) -> str:
    return render_template(
        "settings/people.html",
        form=form,
        everybody=people.list_people(request_scope.session()),
        me=access.current_user(),
        mails_links=can_mail(request_scope.session(), request_scope.runtime()),
        roles=[(role, ROLE_NAMES[role], ROLE_EXPLANATIONS[role]) for role in ROLES],
    )


@blueprint.get("/api-keys")
@requires("admin")
def api_keys() -> Answer:
    """Show the keys of programs, never the secret part."""
    return _keys_page(new_form())


@blueprint.post("/api-keys")
@requires("admin")
def make_api_key() -> Answer:
    """Make a key and show it, this once."""
    form = read_form(ApiKeySchema(), request.form)
    if not form.is_valid:
        return _keys_page(form), 422
    user = access.current_user()
    secret = create_api_key(
        request_scope.session(),
        request_scope.runtime().keyring,
        **form.values,
        created_by=None if user is None else user.id,
    )
    _record("accounts.created_api_key", scopes=form.values["scopes"])
    return render_template("settings/api_key.html", name=form.values["name"], secret=secret)


@blueprint.post("/api-keys/<int:key_id>/revoke")
@requires("admin")
def revoke(key_id: int) -> Answer:
    """Revoke a key at once."""
    if not revoke_api_key(request_scope.session(), key_id):
        abort(404)
    _record("accounts.revoked_api_key", ("api_key", key_id))
    flash(_("The key is revoked. Programs that use it are refused from now on."), "success")
    return redirect(url_for("settings.api_keys"))


def _keys_page(form: Form) -> str:
    return render_template(
        "settings/api_keys.html",
        form=form,
        keys=list_api_keys(request_scope.session()),
        rooms=[(room, SCOPE_NAMES[room]) for room in ROOMS],
    )


def _record(action: str, subject: tuple[str, int] | None = None, **details: Any) -> None:
    audit.record(request_scope.session(), access.current_actor(), action, subject=subject, details=details)
