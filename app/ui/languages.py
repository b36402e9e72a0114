"""Which language a page speaks and in which zone it tells time; the catalogues of all rooms as one.

The language is that of the signed-in person, else that of the organisation, else what the browser asks for, else Dutch.
"""

from __future__ import annotations

from contextlib import suppress

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, Domain, refresh
from werkzeug.datastructures import LanguageAccept

from app.ui import catalogues
from app.ui.viewer import DEFAULT_LANGUAGE, DEFAULT_TIME_ZONE, current_viewer

LANGUAGE_NAMES = {"nl": "Nederlands", "fr": "Français", "en": "English"}

# British rather than American English: days before months, 24 hours.
LOCALES = {"nl": "nl", "fr": "fr", "en": "en_GB"}


class _RoomsBabel(Babel):  # type: ignore[misc]  # Flask-Babel has no types
    """Flask-Babel, but with the catalogues read once per process instead of once per request."""

    _domain: Domain | None = None

    @property
    def domain_instance(self) -> Domain:
        if self._domain is None:
            self._domain = Domain(domain=self.domain)
        return self._domain


def install(app: Flask) -> None:
    """Give an application its languages.

    Translations that were edited since the last build are compiled first, where the folder can be written to.
    """
    with suppress(OSError):
        catalogues.compile_stale()
    _RoomsBabel().init_app(
        app,
        default_locale=LOCALES[DEFAULT_LANGUAGE],
        default_timezone=DEFAULT_TIME_ZONE,
        default_translation_directories=";".join(catalogues.directories()),
        locale_selector=lambda: LOCALES[current_language()],
        timezone_selector=current_time_zone,
    )


def speak(language: str, *, time_zone: str) -> None:
    """Fix the language and the zone of this request, whoever looks: for pages that speak to one known person."""
    g.spoken_language, g.spoken_time_zone = language, time_zone
    refresh()


def current_language() -> str:
    """Return nl, fr or en for this request."""
    if has_request_context() and "spoken_language" in g:
        return str(g.spoken_language)
    viewer = current_viewer()
    if viewer is not None:
        return _known(viewer.language) or _known(viewer.organisation_language) or DEFAULT_LANGUAGE
    if not has_request_context():
        return DEFAULT_LANGUAGE
    return _known(session.get("language", "")) or _asked_for(request.accept_languages) or DEFAULT_LANGUAGE


def current_time_zone() -> str:
    """Return the IANA name of the zone in which this request tells time."""
    if has_request_context() and "spoken_time_zone" in g:
        return str(g.spoken_time_zone)
    viewer = current_viewer()
    return viewer.time_zone if viewer is not None else DEFAULT_TIME_ZONE


def choose_language(language: str) -> None:
    """Remember a language for a visitor who is not signed in; raises ValueError for one we do not speak."""
    if language not in LANGUAGE_NAMES:
        raise ValueError("unknown language")
    session["language"] = language


def _known(language: str) -> str:
    return language if language in LANGUAGE_NAMES else ""


def _asked_for(accepted: LanguageAccept) -> str:
    for tag in accepted.values():
        language = tag.partition("-")[0].lower()
        if language in LANGUAGE_NAMES:
            return language
    return ""
