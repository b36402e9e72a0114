"""The public pages people reach from a mail: unsubscribe, preferences, confirm. No log-in, no cookie, no script.

GET and HEAD change nothing, because scanners follow links. A POST needs no CSRF token: the link itself is the secret,
and RFC 8058 has mail programs post without asking anybody. It answers 200, also when repeated, and what it records is
committed before the answer leaves (``request_scope``).
"""

from __future__ import annotations

from flask import Blueprint, g, request
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from app import clock
from app.accounts.access import public
from app.consent import confirmations, pauses, preferences
from app.consent.models import Purpose
from app.consent.public_pages import PER_LINK, Answer, enter, hold_back, keep_calm, shown, too_often, unknown_link
from app.consent.requests import open_request
from app.consent.suppressions import suppressed
from app.consent.tokens import Claims
from app.consent.wordings import name_of
from app.ui import request_scope

blueprint = Blueprint("preferences", __name__, template_folder="templates")
keep_calm(blueprint)


@blueprint.get("/u/<token>")
@public
def ask_unsubscribe(token: str) -> Answer:
    """Show the button; change nothing."""
    claims = enter("unsubscribe", token)
    if claims is None:
        return unknown_link()
    return shown("unsubscribe.html", claims, purpose_name=_purpose_name(claims.purpose))


@blueprint.post("/u/<token>")
@public
def unsubscribe(token: str) -> Answer:
    """Stop what the mail was for, or everything where the person asks for that; whatever the body holds otherwise.

    Never counted and never refused, however often and from wherever it comes.
    """
    claims = enter("unsubscribe", token)
    if claims is None:
        return unknown_link()
    purpose = None if _asks_for_all() else _known_purpose(claims)
    preferences.unsubscribe(
        request_scope.session(), request_scope.runtime().keyring, claims.subject_key, purpose=purpose
    )
    now = preferences.preferences_of(request_scope.session(), claims.subject_key, language=g.spoken_language)
    return shown(
        "unsubscribed.html",
        claims,
        purpose_name=_purpose_name(purpose),
        preferences=now,
        undone=next((choice for choice in now.choices if choice.key == f"email.{purpose}"), None),
    )


@blueprint.get("/p/<token>")
@public
def show_preferences(token: str) -> Answer:
    """Show what the person receives, by purpose and channel; change nothing."""
    claims = enter("preferences", token)
    if claims is None:
        return unknown_link()
    wait = hold_back({}, is_act=False)
    told = "language" if request.args.get("told") == "language" else ""
    return too_often(wait) if wait else _preference_page(claims, outcome=told)


@blueprint.post("/p/<token>")
@public
def save_preferences(token: str) -> Answer:
    """Do what the button that was pressed says, and show the page as it is now. Stopping is never held back."""
    claims = enter("preferences", token)
    if claims is None:
        return unknown_link()
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    act = "stop" if _asks_for_all() else request.form.get("act", "save")
    if act == "stop":
        preferences.unsubscribe(session, keyring, claims.subject_key, purpose=None, method="preference_page")
        return _preference_page(claims, outcome="stopped")
    wait = hold_back({PER_LINK: token})
    if wait is not None:
        # A no among the boxes still counts: what is left out is everything else.
        is_stopped = act == "save" and _save(claims, may_allow=False).count
        return _preference_page(claims, outcome="saved") if is_stopped else too_often(wait)
    return _other_act(claims, act)


def _other_act(claims: Claims, act: str) -> Answer:
    session, keyring, key = request_scope.session(), request_scope.runtime().keyring, claims.subject_key
    match act:
        case "pause":
            pauses.pause(session, keyring, key)
            return _preference_page(claims, outcome="paused")
        case "resume":
            pauses.resume(session, keyring, key)
            return _preference_page(claims, outcome="resumed")
        case "download":
            open_request(session, "access", subject_key=key, channel="page", at=clock.now())
            return _preference_page(claims, outcome="download_asked")
        case "erase":
            # Nobody who wants to be forgotten wants another mail until they are.
            preferences.unsubscribe(session, keyring, key, purpose=None, method="preference_page")
            open_request(session, "erasure", subject_key=key, channel="page", at=clock.now())
            return _preference_page(claims, outcome="erasure_asked")
        case _:
            saved = _save(claims, may_allow=True)
            if saved.is_asked_again and not saved.count:
                return _preference_page(claims, outcome="asked_again"), 409
            return _preference_page(claims, outcome="partly_saved" if saved.is_asked_again else "saved")


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
    claims = enter("confirm", token)
    if claims is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token}, is_act=is_confirmed)
    if wait is not None:
        return too_often(wait)
    session = request_scope.session()
    asked = confirmations.open_request(session, claims.subject_key, claims.event_id)
    if asked is None:
        return shown("confirm_late.html", claims), 410
    group = confirmations.together_with(session, asked)
    if is_confirmed:
        confirmations.confirm(session, request_scope.runtime().keyring, group)
    return shown(
        "confirm.html",
        claims,
        is_confirmed=is_confirmed,
        asked=confirmations.asked_for(session, group, language=g.spoken_language),
        by_guardian=group.actor == "guardian",
        is_suppressed=bool(suppressed(session, [claims.subject_key], channel="email")),
    )


def _save(claims: Claims, *, may_allow: bool) -> preferences.Saved:
    form = request.form
    chosen = preferences.Chosen(
        shown=form.getlist("shown"),
        ticked=form.getlist("wanted"),
        wordings={name[8:]: value for name, value in form.items() if name.startswith("wording.")},
        version=form.get("version", "") if may_allow else "",
    )
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    return preferences.choose(session, keyring, claims.subject_key, chosen=chosen, language=g.spoken_language)


def _asks_for_all() -> bool:
    """Whether the button that stops everything was pressed; a body that cannot be read presses none."""
    try:
        return request.form.get("stop") == "all"
    except HTTPException:
        return False


def _preference_page(claims: Claims, *, outcome: str = "") -> str:
    now = preferences.preferences_of(request_scope.session(), claims.subject_key, language=g.spoken_language)
    return shown("preferences.html", claims, preferences=now, outcome=outcome)


def _known_purpose(claims: Claims) -> str | None:
    """Return the purpose a link is for, or None (all of it) for one that is gone."""
    known = request_scope.session().scalar(select(Purpose.code).where(Purpose.code == claims.purpose))
    return None if known is None else str(known)


def _purpose_name(code: str | None) -> str | None:
    """Return what the mail was for in the person's language; None for all direct marketing."""
    found = request_scope.session().scalars(select(Purpose).where(Purpose.code == code)).one_or_none()
    return None if found is None else name_of(found, g.spoken_language)
