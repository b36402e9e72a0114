"""Puts the interface on an application: templates, assets, languages, formats, forms, headers, errors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, flash, redirect, request, send_from_directory, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from app.ui import charts, errors, formats, languages, navigation, security
from app.ui.viewer import ROLE_NAMES, Viewer, current_viewer

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
A_YEAR_S = 365 * 24 * 3600

blueprint = Blueprint("ui", __name__, template_folder="templates")
# Checks every POST, PUT, PATCH and DELETE; the composition root exempts what machines call.
csrf = CSRFProtect()


class _Sessions(SecureCookieSessionInterface):
    """Flask's own sessions, but a file that caches may share never carries somebody's cookie."""

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return request.endpoint != "ui.static" and super().should_set_cookie(app, session)


def install(app: Flask) -> None:
    """Put the interface on an application.

    Needs a secret key. Call it after flask-smorest, whose error handlers it replaces.
    """
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)  # as long as the session itself
    app.config.setdefault("WTF_CSRF_SSL_STRICT", False)  # the Referer may be hidden; SameSite and the token remain
    app.extensions["zaallicht_assets"] = _fingerprint(STATIC)
    app.session_interface = _Sessions()
    csrf.init_app(app)
    languages.install(app)
    security.install(app)
    errors.install(app)
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.globals.update(chart_bars=charts.bars, chart_line=charts.sparkline, chart_shares=charts.shares)
    app.jinja_env.globals.update(chart_area=charts.area, chart_reach=charts.reach)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_page_context)
    app.register_blueprint(blueprint)


def asset_url(name: str) -> str:
    """Return the address of a file under static/; it changes with the files, so that browsers may keep it for ever."""
    return url_for("ui.static", version=current_app.extensions["zaallicht_assets"], name=name)


@blueprint.get("/assets/<version>/<path:name>", endpoint="static")
def asset(version: str, name: str) -> Response:
    """Serve a static file. The version is in the path, so that modules that import each other keep to one version."""
    is_current = version == current_app.extensions["zaallicht_assets"] and not current_app.debug
    response = send_from_directory(STATIC, name, max_age=A_YEAR_S if is_current else 0)
    if is_current:
        response.cache_control.immutable = True
    return response


@blueprint.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Send browsers that look for the icon where it used to be to where it is."""
    return redirect(asset_url("img/favicon.svg"))


@blueprint.post("/language")
def choose_language() -> AnyResponse:
    """Switch the language for a visitor who is not signed in, and go back to the page."""
    try:
        languages.choose_language(request.form.get("language", ""))
    except ValueError:
        flash(_("Choose Dutch, French or English."), "warning")
    return redirect(local_path(request.form.get("next", "")))


def local_path(path: str) -> str:
    """Return a path if it stays on this site, else "/": a link must not carry people elsewhere after log-in."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and not any(c in path for c in "\r\n\t\\")
    return path if is_local else "/"


def _page_context() -> dict[str, Any]:
    viewer = current_viewer()
    return {
        "viewer": viewer,
        "language": languages.current_language(),
        "language_names": languages.LANGUAGE_NAMES,
        "navigation": _lines(viewer),
        "asset_url": asset_url,
        "has_page": has_page,
        "role_names": ROLE_NAMES,
    }


def _lines(viewer: Viewer | None) -> list[navigation.Line]:
    if viewer is None:
        return []
    return navigation.lines(viewer.role, request.endpoint, current_app.view_functions)


def has_page(endpoint: str) -> bool:
    """Whether an endpoint exists: a template links to another room's page only where it does."""
    return endpoint in current_app.view_functions


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
