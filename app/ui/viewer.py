"""Who looks at the page, as far as the interface needs to know.

The room of accounts sets this for every request of a signed-in person; templates and formats read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, has_request_context
from flask_babel import lazy_gettext as _l

DEFAULT_LANGUAGE = "nl"
DEFAULT_TIME_ZONE = "Europe/Brussels"

ROLE_NAMES = {
    "admin": _l("Administrator"),
    "marketer": _l("Marketer"),
    "analyst": _l("Analyst"),
    "viewer": _l("Viewer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A signed-in person at work for an organisation. ``language`` is empty where the person never chose one."""

    name: str
    email: str
    role: str
    organisation: str
    language: str = ""
    organisation_language: str = DEFAULT_LANGUAGE
    time_zone: str = DEFAULT_TIME_ZONE
    currency: str = "EUR"

    @property
    def initials(self) -> str:
        """One or two letters that stand for the person."""
        words = self.name.split() or [self.email]
        return "".join(word[0] for word in (words if len(words) == 1 else (words[0], words[-1]))).upper()


def set_viewer(viewer: Viewer | None) -> None:
    """Say who looks, for the rest of this request."""
    g.viewer = viewer


def current_viewer() -> Viewer | None:
    """Return who looks, or None on a page without log-in and outside a request."""
    return g.get("viewer") if has_request_context() else None
