"""The public pages people reach from a mail: unsubscribe, preferences, confirm. No log-in, no cookie, no script.

GET and HEAD change nothing, because scanners follow links. A POST needs no CSRF token: the link itself is the secret,
and RFC 8058 has mail programs post without asking anybody. It answers 200, also when repeated, and what it records is
committed before the answer leaves (``request_scope``).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request
from sqlalchemy import select

from app.accounts.access import public
from app.accounts.organisations import LANGUAGES, current_organisation
from app.consent import preferences
from app.consent.models import NoticeVersion, Purpose
from app.consent.subjects import contact, contacts_by_subject
from app.consent.tokens import Claims, Kind, make_token, read_token
from app.consent.wordings import name_of
from app.ui import request_scope
from app.ui.languages import speak

blueprint = Blueprint("preferences", __name__, template_folder="templates")

Answer = str | tuple[str, int]


@blueprint.get("/u/<token>")
@public
def ask_unsubscribe(token: str) -> Answer:
    """Show the button; change nothing."""
    claims = _enter("unsubscribe", token)
    if claims is None:
        return _unknown_link()
    return _shown("unsubscribe.html", claims, purpose_name=_purpose_name(claims))


@blueprint.post("/u/<token>")
@public
def unsubscribe(token: str) -> Answer:
    """Stop what the mail was for, or everything where the person asks for that; whatever the body holds otherwise."""
    claims = _enter("unsubscribe", token)
    if claims is None:
        return _unknown_link()
    wants_all = request.form.get("stop") == "all"
    preferences.unsubscribe(
        request_scope.session(),
        request_scope.runtime().keyring,
        claims.subject_key,
        purpose=None if wants_all else claims.purpose,
    )
    return _shown("unsubscribed.html", claims, purpose_name=None if wants_all else _purpose_name(claims))


@blueprint.get("/p/<token>")
@public
def show_preferences(token: str) -> Answer:
    """Show what the person receives, by purpose and channel; change nothing."""
    claims = _enter("preferences", token)
    return _unknown_link() if claims is None else _preference_page(claims)


@blueprint.post("/p/<token>")
@public
def save_preferences(token: str) -> Answer:
    """Record what the person changed, and show the page as it is now."""
    claims = _enter("preferences", token)
    if claims is None:
        return _unknown_link()
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    if request.form.get("stop") == "all":
        preferences.unsubscribe(session, keyring, claims.subject_key, purpose=None, method="preference_page")
        return _preference_page(claims, outcome="stopped")
    chosen = preferences.Chosen(
        shown=request.form.getlist("shown"),
        ticked=request.form.getlist("wanted"),
        wordings={name[8:]: value for name, value in request.form.items() if name.startswith("wording.")},
    )
    try:
        preferences.choose(session, keyring, claims.subject_key, chosen=chosen, language=g.spoken_language)
    except preferences.WordingChanged:
        return _preference_page(claims, outcome="wording_changed"), 409
    return _preference_page(claims, outcome="saved")


@blueprint.get("/c/<token>")
@public
def ask_confirmation(token: str) -> Answer:
    """Show what is to be confirmed, and the button; change nothing."""
    return _confirmation(token, is_confirmed=False)


@blueprint.post("/c/<token>")
@public
def confirm(token: str) -> Answer:
    """Record the confirmation."""
    return _confirmation(token, is_confirmed=True)


def _confirmation(token: str, *, is_confirmed: bool) -> Answer:
    claims = _enter("confirm", token)
    if claims is None:
        return _unknown_link()
    session = request_scope.session()
    asked = preferences.open_request(session, claims.subject_key, claims.event_id)
    if asked is None:
        return _shown("confirm_late.html", claims), 410
    if is_confirmed:
        preferences.confirm(session, request_scope.runtime().keyring, asked)
    notice = session.scalars(select(NoticeVersion).where(NoticeVersion.id == asked.notice_version_id)).one_or_none()
    return _shown(
        "confirm.html",
        claims,
        is_confirmed=is_confirmed,
        purpose_name=_purpose_name(claims),
        wording=notice.wording if notice else None,
    )


def _enter(kind: Kind, token: str) -> Claims | None:
    """Scope the request to the house the link is of, and speak the person's language; None for a link not ours."""
    claims = read_token(request_scope.runtime().keyring, kind, token)
    if claims is None:
        return None
    request_scope.enter(claims.organisation_id)
    session = request_scope.session()
    house = current_organisation(session)
    contact_id = contacts_by_subject(session, [claims.subject_key]).get(claims.subject_key)
    spoken = session.scalar(select(contact.c.language).where(contact.c.id == contact_id))
    wanted = (request.args.get("language"), spoken, house.language)
    speak(next(language for language in wanted if language in LANGUAGES), time_zone=house.time_zone)
    return claims


def _preference_page(claims: Claims, *, outcome: str = "") -> str:
    shown = preferences.preferences_of(request_scope.session(), claims.subject_key, language=g.spoken_language)
    return _shown("preferences.html", claims, preferences=shown, outcome=outcome)


def _shown(template: str, claims: Claims, **context: Any) -> str:
    keyring = request_scope.runtime().keyring
    house = current_organisation(request_scope.session())
    manage = make_token(
        keyring,
        Claims(kind="preferences", organisation_id=claims.organisation_id, subject_key=claims.subject_key),
    )
    return render_template(f"consent/{template}", house=house, preferences_token=manage, **context)


def _purpose_name(claims: Claims) -> str | None:
    """Return what the mail was for in the person's language; None for all direct marketing."""
    found = request_scope.session().scalars(select(Purpose).where(Purpose.code == claims.purpose)).one_or_none()
    return None if found is None else name_of(found, g.spoken_language)


def _unknown_link() -> Answer:
    return render_template("consent/unknown_link.html", house=None), 404
