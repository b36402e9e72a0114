"""Who is asking, and whether they may. Default deny: a view that does not say who may use it cannot be used.

Pages declare the lowest role (``@requires("marketer")``), the REST API a scope (``@scope("segments:read")``), and
pages without a log-in say so (``@public``). Method views declare it per method. A structure test walks every route.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from flask import abort, current_app, g, redirect, request, url_for
from flask import session as cookie
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from app import clock
from app.accounts import directory
from app.accounts.api_keys import find_api_key
from app.accounts.audit import SYSTEM, Actor
from app.accounts.models import User
from app.accounts.organisations import current_organisation
from app.accounts.users import ROLES, find_user
from app.ui import request_scope
from app.ui.viewer import Viewer, set_viewer

View = TypeVar("View", bound=Callable[..., Any])
LAST_USED_RESOLUTION = timedelta(minutes=10)


def requires(role: str) -> Callable[[View], View]:
    """Declare that a page needs somebody with at least this role."""
    if role not in ROLES:
        raise ValueError(role)
    return _declare(("role", role))


def scope(name: str) -> Callable[[View], View]:
    """Declare that an API operation needs a key with this scope."""
    return _declare(("scope", name))


def public(view: View) -> View:
    """Declare that a page or hook needs no log-in."""
    return _declare(("public", ""))(view)


def declared_access(view: Callable[..., Any], method: str) -> tuple[str, str] | None:
    """Return what a view declared for a method, or None where it declared nothing."""
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        wanted = "get" if method == "HEAD" and not hasattr(view_class, "head") else method.lower()
        view = getattr(view_class, wanted, view)
    return getattr(view, "zaallicht_access", None)


def guard() -> Response | None:
    """Run before every request: find out who asks and refuse whoever may not."""
    if request.endpoint is None:
        identify_user()  # so that the page about a missing page still knows them
        return None
    if request.endpoint == "static" or request.endpoint.endswith(".static") or request.method == "OPTIONS":
        return None
    declared = declared_access(current_app.view_functions[request.endpoint], request.method)
    match declared:
        case ("public", _):
            identify_user()
            return None
        case ("role", role):
            return _admit_user(role)
        case ("scope", name):
            _admit_key(name)
            return None
        case _:
            return abort(403)


def identify_user() -> User | None:
    """Return who is signed in by the cookie, scoping the request to their organisation; None for nobody."""
    if "user" in g:
        return current_user()
    g.user = None
    organisation_id, user_id = cookie.get("organisation_id"), cookie.get("user_id")
    if not isinstance(organisation_id, int) or not isinstance(user_id, int):
        return None
    request_scope.enter(organisation_id)
    user = find_user(request_scope.session(), user_id)
    if user is not None and user.is_active and user.session_version == cookie.get("session_version"):
        g.user = user
        set_viewer(_viewer(user))
    return current_user()


def current_user() -> User | None:
    """Return who is signed in, or None."""
    user: User | None = g.get("user")
    return user


def may(role: str) -> bool:
    """Whether whoever is signed in has at least this role."""
    user = current_user()
    return user is not None and ROLES.index(user.role) >= ROLES.index(role)


def current_actor() -> Actor:
    """Return who acts in this request, for the audit trail."""
    user = current_user()
    if user is not None:
        return Actor("user", user.id)
    key_id = g.get("api_key_id")
    return Actor("api_key", key_id) if key_id is not None else SYSTEM


def sign_in(user: User) -> None:
    """Open a session for somebody who has proven who they are."""
    cookie.clear()
    cookie["organisation_id"] = user.organisation_id
    cookie["user_id"] = user.id
    cookie["session_version"] = user.session_version
    cookie.permanent = True
    user.last_login_at = clock.now()
    g.user = user
    set_viewer(_viewer(user))


def sign_out() -> None:
    """End the session in this browser."""
    cookie.clear()
    g.user = None
    set_viewer(None)


def _viewer(user: User) -> Viewer:
    organisation = current_organisation(request_scope.session())
    return Viewer(
        name=user.name,
        email=user.email,
        role=user.role,
        organisation=organisation.name,
        language=user.language,
        organisation_language=organisation.language,
        time_zone=organisation.time_zone,
    )


def _declare(access: tuple[str, str]) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.zaallicht_access = access  # type: ignore[attr-defined]
        return view

    return mark


def _admit_user(role: str) -> Response | None:
    if identify_user() is None:
        if "HX-Request" in request.headers:
            abort(401)
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("accounts.log_in", next=wanted))
    if not may(role):
        abort(403)
    return None


def _admit_key(scope_name: str) -> None:
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        raise _no_key()
    found = directory.find(request_scope.session(), request_scope.runtime().keyring, "api_key", secret.strip())
    if not found:
        raise _no_key()
    request_scope.enter(found[0].organisation_id)
    key = find_api_key(request_scope.session(), found[0].target_id)
    if key is None:
        raise _no_key()
    if scope_name not in key.scopes:
        abort(403)
    g.api_key_id = key.id
    if key.last_used_at is None or clock.now() - key.last_used_at > LAST_USED_RESOLUTION:
        key.last_used_at = clock.now()


def _no_key() -> Unauthorized:
    """The answer to a program without a key of ours; it names the scheme, as RFC 9110 section 15.5.2 asks."""
    return Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "Zaallicht"}))
