"""Logging in and out, taking up an invitation, and one's own profile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts import access, audit, directory
from app.accounts.access import public, requires
from app.accounts.credentials import find_by_password
from app.accounts.login_attempts import admit_attempt, forget_attempts
from app.accounts.mailed_links import mail_new_passwords
from app.accounts.models import User
from app.accounts.one_time_links import find_recipient, spend_link
from app.accounts.organisations import current_organisation
from app.accounts.rate_limits import Limit, admit, network_of
from app.accounts.schemas import (
    ForgottenSchema,
    InvitationSchema,
    LogInSchema,
    PasswordChangeSchema,
    PasswordSchema,
    ProfileSchema,
)
from app.accounts.users import PASSWORD_LENGTH_MIN, find_user, password_matches, set_password
from app.db import open_session, transaction
from app.ui import request_scope
from app.ui.forms import WHOLE_FORM, Form, new_form, read_form, shown_again
from app.ui.interface import local_path
from app.ui.languages import LANGUAGE_NAMES

blueprint = Blueprint("accounts", __name__, template_folder="templates")

Answer = str | tuple[str, int] | Response

# How long somebody who works for several houses may take to choose one without giving the password again.
CHOICE_LASTS = timedelta(minutes=5)
FORGOTTEN_PER_NETWORK = Limit("forgotten passwords", 20, timedelta(minutes=15))


@blueprint.get("/login")
@public
def log_in() -> Answer:
    """Ask for an address and a password."""
    if access.current_user() is not None:
        return redirect(_next())
    is_new = not directory.organisation_ids(request_scope.session())
    return render_template("accounts/log_in.html", form=new_form(), next=_next(), is_new=is_new)


@blueprint.post("/login")
@public
def check_log_in() -> Answer:
    """Let somebody in, or say in one and the same sentence that the two do not go together."""
    form = read_form(LogInSchema(), request.form)
    if not form.is_valid:
        return shown_again("accounts/log_in.html", form=form, next=_next())
    email, password = form.values["email"], form.values["password"]
    held = request_scope.runtime()
    with transaction(held.engine, None) as session:
        wait = admit_attempt(session, held.keyring, email=email, place=request.remote_addr or "")
    if wait is not None:
        return _too_often(form, int(wait.total_seconds()) + 1)
    users = find_by_password(request_scope.session(), held.keyring, email=email, password=password)
    if not users:
        form = form.with_error(WHOLE_FORM, _("This e-mail address and password do not go together. Check both."))
        return shown_again("accounts/log_in.html", form=form, next=_next())
    forget_attempts(request_scope.session(), held.keyring, email=email)
    return _admit(users[0]) if len(users) == 1 else _ask_which(users)


def _too_often(form: Form, wait_s: int, *, template: str = "accounts/log_in.html", **context: Any) -> Response:
    sentence = _("That was tried too often. Wait %(minutes)s minutes and try again.", minutes=-(-wait_s // 60))
    page = render_template(template, form=form.with_error(WHOLE_FORM, sentence), next=_next(), **context)
    answer = make_response(page, 429)
    answer.headers["Retry-After"] = str(wait_s)
    return answer


def _admit(user: User) -> Response:
    request_scope.enter(user.organisation_id)
    wanted = _next()
    access.sign_in(user)
    audit.record(request_scope.session(), audit.Actor("user", user.id), "accounts.logged_in")
    return redirect(wanted)


def _ask_which(users: list[User]) -> Response:
    cookie["houses"] = [[user.organisation_id, user.id, user.session_version] for user in users]
    cookie["houses_until"] = (clock.now() + CHOICE_LASTS).timestamp()
    return redirect(url_for("accounts.choose_house", next=_next()))


@blueprint.get("/login/forgotten")
@public
def forgotten() -> Answer:
    """Ask somebody who forgot their password for their address."""
    return render_template("accounts/forgotten.html", form=new_form(), is_asked=False)


@blueprint.post("/login/forgotten")
@public
def mail_new_password() -> Answer:
    """Mail a link to a new password, and say the same whether there is anybody with this address or not."""
    form = read_form(ForgottenSchema(), request.form)
    if not form.is_valid:
        return shown_again("accounts/forgotten.html", form=form, is_asked=False)
    held = request_scope.runtime()
    counted = {FORGOTTEN_PER_NETWORK: network_of(request.remote_addr or "")}
    with open_session(held.engine, None) as session, session.begin() as step:
        wait = admit(session, held.keyring, counted)
        if wait is not None:
            step.rollback()
    if wait is not None:
        return _too_often(form, int(wait.total_seconds()) + 1, template="accounts/forgotten.html", is_asked=False)
    mail_new_passwords(request_scope.session(), held, email=form.values["email"])
    return render_template("accounts/forgotten.html", form=new_form(), is_asked=True)


@blueprint.get("/login/house")
@public
def choose_house() -> Answer:
    """Ask somebody who works for several houses which one they come for."""
    names = {}
    for organisation_id, _user_id, _version in _houses():
        request_scope.enter(organisation_id)
        names[organisation_id] = current_organisation(request_scope.session()).name
    if not names:
        return redirect(url_for("accounts.log_in"))
    return render_template("accounts/choose_house.html", names=names, next=_next())


@blueprint.post("/login/house")
@public
def enter_house() -> Answer:
    """Let somebody into the house they chose; only one their password was right for."""
    chosen = request.form.get("organisation_id", type=int)
    for organisation_id, user_id, version in _houses():
        if organisation_id == chosen:
            request_scope.enter(organisation_id)
            user = find_user(request_scope.session(), user_id)
            if user is not None and user.is_active and user.session_version == version:
                return _admit(user)
    return redirect(url_for("accounts.log_in"))


def _houses() -> list[list[int]]:
    """Return whom a password was right for a moment ago: organisation, user and version of their sessions."""
    return list(cookie.get("houses", [])) if cookie.get("houses_until", 0) > clock.now().timestamp() else []


@blueprint.post("/logout")
@public
def log_out() -> Response:
    """End the session in this browser."""
    access.sign_out()
    flash(_("You are logged out. See you soon."), "success")
    return redirect(url_for("accounts.log_in"))


@blueprint.get("/invitation/<token>")
@public
def invitation(token: str) -> Answer:
    """Ask somebody who was invited for their name and a password."""
    user, _link_id = _recipient(token)
    form = new_form(name=user.name, language=user.language)
    return render_template("accounts/invitation.html", form=form, **_invited(user))


@blueprint.post("/invitation/<token>")
@public
def take_up_invitation(token: str) -> Answer:
    """Give somebody who was invited their password and let them in. The link is spent."""
    user, link_id = _recipient(token)
    is_new = user.password_hash is None
    form = read_form(InvitationSchema() if is_new else PasswordSchema(), request.form)
    if not form.is_valid:
        return shown_again("accounts/invitation.html", form=form, **_invited(user))
    if not spend_link(request_scope.session(), link_id):
        abort(410)
    if is_new:
        user.name, user.language = form.values["name"], form.values["language"]
    set_password(user, form.values["password"])
    action = "accounts.took_up_invitation" if is_new else "accounts.set_password"
    audit.record(request_scope.session(), audit.Actor("user", user.id), action, subject=("user", user.id))
    access.sign_in(user)
    flash(_("Welcome, %(name)s.", name=user.name), "success")
    return redirect("/")


def _recipient(token: str) -> tuple[User, int]:
    found = directory.find(request_scope.session(), request_scope.runtime().keyring, "link", token)
    if not found:
        abort(410)
    request_scope.enter(found[0].organisation_id)
    user = find_recipient(request_scope.session(), found[0].target_id)
    if user is None:
        abort(410)
    return user, found[0].target_id


def _invited(user: User) -> dict[str, Any]:
    return {
        "user": user,
        "house": current_organisation(request_scope.session()).name,
        "password_length_min": PASSWORD_LENGTH_MIN,
    }


@blueprint.get("/profile")
@requires("viewer")
def profile() -> Answer:
    """Show somebody what we know about them, and let them change it."""
    return _profile_page(new_form(name=_me().name, language=_me().language), new_form())


@blueprint.post("/profile")
@requires("viewer")
def change_profile() -> Answer:
    """Change one's own name and language."""
    form = read_form(ProfileSchema(), request.form)
    if not form.is_valid:
        return _profile_page(form, new_form()), 422
    _me().name, _me().language = form.values["name"], form.values["language"]
    _record_own("accounts.changed_profile")
    flash(_("Your profile is saved."), "success")
    return redirect(url_for("accounts.profile"))


@blueprint.post("/profile/password")
@requires("viewer")
def change_password() -> Answer:
    """Change one's own password; every other session of the same person ends."""
    form = read_form(PasswordChangeSchema(), request.form)
    if form.is_valid and not password_matches(_me(), form.values["current_password"]):
        form = form.with_error("current_password", _("This is not your current password."))
    if not form.is_valid:
        return _profile_page(new_form(name=_me().name, language=_me().language), form), 422
    set_password(_me(), form.values["password"])
    access.sign_in(_me())
    _record_own("accounts.changed_password")
    flash(_("You have a new password. Wherever else you were logged in, you are not any more."), "success")
    return redirect(url_for("accounts.profile"))


@blueprint.post("/profile/language")
@requires("viewer")
def change_language() -> Answer:
    """Change one's own language and stay on the page."""
    language = request.form.get("language", "")
    if language in LANGUAGE_NAMES:
        _me().language = language
    return redirect(_next())


def _profile_page(form: Form, password_form: Form) -> str:
    return render_template(
        "accounts/profile.html",
        form=form,
        password_form=password_form,
        user=_me(),
        password_length_min=PASSWORD_LENGTH_MIN,
    )


def _me() -> User:
    user = access.current_user()
    if user is None:
        abort(401)
    return user


def _record_own(action: str) -> None:
    audit.record(request_scope.session(), access.current_actor(), action, subject=("user", _me().id))


def _next() -> str:
    return local_path(request.values.get("next", ""))
