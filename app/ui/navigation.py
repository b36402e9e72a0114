"""The sidebar: what is in it, in which order, for which roles.

An entry whose endpoint does not exist is left out, so that a room appears here the moment its pages do.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

ALL_ROLES = frozenset({"admin", "marketer", "analyst", "viewer"})
EDITORS = frozenset({"admin", "marketer"})
ADMINS = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the sidebar. It is current on every endpoint of the blueprints in ``within``."""

    label: LazyString
    icon: str
    endpoint: str
    roles: frozenset[str]
    within: frozenset[str]


ENTRIES = (
    Entry(_l("Home"), "home", "insights.home", ALL_ROLES, frozenset({"insights"})),
    Entry(_l("Contacts"), "people", "contacts.overview", ALL_ROLES, frozenset({"contacts", "addresses"})),
    Entry(_l("Import"), "upload", "imports.overview", EDITORS, frozenset({"imports"})),
    Entry(_l("Sign-up forms"), "edit", "forms.overview", ALL_ROLES, frozenset({"forms"})),
    Entry(_l("Activities"), "ticket", "activities.overview", ALL_ROLES, frozenset({"activities", "meanings"})),
    Entry(_l("Segments"), "segment", "segments.overview", ALL_ROLES, frozenset({"segments"})),
    Entry(
        _l("Mailings"),
        "mail",
        "mailings.overview",
        ALL_ROLES,
        frozenset({"mailings", "mailing_sending", "mailing_report"}),
    ),
    Entry(_l("Journeys"), "play", "journeys.overview", ALL_ROLES, frozenset({"journeys", "journey_effect"})),
    Entry(_l("Audiences"), "audience", "audiences.overview", ALL_ROLES, frozenset({"audiences"})),
    Entry(_l("Opt-outs"), "ban", "clearing.overview", ALL_ROLES, frozenset({"clearing"})),
    Entry(
        _l("Requests of people"),
        "shield",
        "rights.overview",
        EDITORS,
        frozenset({"rights", "dossier", "register", "retention"}),
    ),
    Entry(_l("Connections"), "plug", "connections.overview", ADMINS, frozenset({"connections"})),
    Entry(
        _l("Settings"),
        "settings",
        "settings.overview",
        ALL_ROLES,
        frozenset(
            {
                "settings",
                "audit_trail",
                "accounts",
                "purposes",
                "look_settings",
                "mail",
                "mail_limits",
                "mail_look",
                "returns",
            }
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the sidebar shows it to one person on one page."""

    label: LazyString
    icon: str
    endpoint: str
    is_current: bool


def lines(role: str, endpoint: str | None, endpoints: Container[str]) -> list[Line]:
    """Return the sidebar for a role; ``endpoint`` is that of the page, ``endpoints`` are all that exist."""
    blueprint = (endpoint or "").rpartition(".")[0]
    return [
        Line(entry.label, entry.icon, entry.endpoint, blueprint in entry.within)
        for entry in ENTRIES
        if role in entry.roles and entry.endpoint in endpoints
    ]
