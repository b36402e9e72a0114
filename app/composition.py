"""Which rooms the web application is made of, in which order they are asked."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Flask
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint

from app import models as _models  # noqa: F401  every table is known before the first query
from app.accounts import access
from app.accounts.audit_pages import blueprint as audit_pages
from app.accounts.look_pages import blueprint as look_pages
from app.accounts.look_settings_pages import blueprint as look_settings
from app.accounts.pages import blueprint as accounts_pages
from app.accounts.settings_pages import blueprint as settings_pages
from app.activities import genres_pages as _genres  # noqa: F401  pages of a blueprint that stands elsewhere
from app.activities import import_rows as _import_rows  # noqa: F401  files of visits are known
from app.activities import on_contacts as _visits  # noqa: F401  on the page of a contact
from app.activities import programme_changes_pages as _programme  # noqa: F401  likewise
from app.activities.api import blueprint as activities_api
from app.activities.pages import blueprint as activities_pages
from app.audiences import making_pages as _making_pages  # noqa: F401  its views join the others
from app.audiences import on_contacts as _seats  # noqa: F401  on the page of a contact
from app.audiences import why_pages as _why_pages  # noqa: F401  its views join the others
from app.audiences.api import blueprint as audiences_api
from app.audiences.clearing.pages import blueprint as clearing_pages
from app.audiences.files.pages import blueprint as audience_files
from app.audiences.pages import blueprint as audiences_pages
from app.consent.api import blueprint as suppressions_api
from app.consent.pages import blueprint as preferences
from app.consent.settings.pages import blueprint as purposes_pages
from app.contacts.api import blueprint as contacts_api
from app.contacts.forms.api import blueprint as forms_api
from app.contacts.forms.pages import blueprint as forms_pages
from app.contacts.forms.public_pages import blueprint as signup
from app.contacts.hygiene_pages import blueprint as hygiene_pages
from app.contacts.importing.pages import blueprint as imports_pages
from app.contacts.own_details_pages import blueprint as own_details
from app.contacts.pages import blueprint as contacts_pages
from app.contacts.permissions.api import blueprint as consents_api
from app.insights.pages import blueprint as insights_pages
from app.journeys import building_pages as _journey_building  # noqa: F401  its views join the others
from app.journeys import on_contacts as _passages  # noqa: F401  on the pages of contacts
from app.journeys import running_pages as _journey_running  # noqa: F401  its views join the others
from app.journeys import showing_pages as _journey_showing  # noqa: F401  its views join the others
from app.journeys import trying_pages as _journey_trying  # noqa: F401  its views join the others
from app.journeys import visit_fields as _visit_fields  # noqa: F401  mails know what they are about
from app.journeys.api import blueprint as journeys_api
from app.journeys.effect_pages import blueprint as journey_effect
from app.journeys.pages import blueprint as journeys_pages
from app.journeys.published import journey_components
from app.journeys.ready_made import pages as _ready_made  # noqa: F401  its views join the others
from app.mailings import on_contacts as _mailings_of_contacts  # noqa: F401  on the pages of contacts
from app.mailings.api import blueprint as mailings_api
from app.mailings.composing import live_pages as _composing_live  # noqa: F401  its views join the others
from app.mailings.composing.look_pages import blueprint as mail_look
from app.mailings.composing.pages import blueprint as mailings_pages
from app.mailings.composing.public_pages import blueprint as mails_in_browser
from app.mailings.composing.published import content_components
from app.mailings.effect import season_pages as _season_pages  # noqa: F401  its views join the others
from app.mailings.effect.api import blueprint as mailing_report_api
from app.mailings.effect.elsewhere_pages import blueprint as mailing_elsewhere
from app.mailings.effect.pages import blueprint as mailing_report
from app.mailings.limits_pages import blueprint as mail_limits
from app.mailings.pages import blueprint as mail_pages
from app.mailings.returns.hooks import blueprint as return_hooks
from app.mailings.returns.pages import blueprint as returns_pages
from app.mailings.sending_pages import blueprint as sending_pages
from app.mailings.surveys.public_pages import blueprint as surveys
from app.mailings.tracking.pages import blueprint as tracking_pages
from app.mailings.tracking.settings_pages import blueprint as tracking_settings
from app.mailings.why_pages import blueprint as mails_pages
from app.operations import blueprint as operations
from app.rights.desk_pages import blueprint as rights_pages
from app.rights.dossier_pages import blueprint as dossier_pages
from app.rights.register_pages import blueprint as register_pages
from app.rights.retention_pages import blueprint as retention_pages
from app.runtime import Runtime
from app.segments import closures_pages as _closures_pages  # noqa: F401  likewise
from app.segments import comparing_pages as _comparing_pages  # noqa: F401  likewise
from app.segments import on_activities as _tastes  # noqa: F401  on the page of an activity
from app.segments import on_contacts as _stretches  # noqa: F401  on the pages of contacts
from app.segments.api import blueprint as segments_api
from app.segments.building import building_pages as _building_pages  # noqa: F401  its views join the others
from app.segments.building.live_pages import blueprint as segments_live_pages
from app.segments.language.published import rule_components
from app.segments.pages import blueprint as segments_pages
from app.sync.api import blueprint as connections_api
from app.sync.hooks import blueprint as hooks
from app.sync.meaning_pages import blueprint as meaning_pages
from app.sync.pages import blueprint as connections_pages
from app.ui import api_bodies, interface, request_scope
from app.ui.row_ids import RowIdConverter

# The REST API, room by room, from the ground floor up.
APIS: tuple[SmorestBlueprint, ...] = (
    suppressions_api,
    contacts_api,
    consents_api,
    forms_api,
    activities_api,
    segments_api,
    connections_api,
    audiences_api,
    mailings_api,
    mailing_report_api,
    journeys_api,
)

# The pages, in the same order.
PAGES: tuple[Blueprint, ...] = (
    operations,
    accounts_pages,
    settings_pages,
    audit_pages,
    look_pages,
    look_settings,
    mail_pages,
    mail_limits,
    sending_pages,
    mails_pages,
    mailings_pages,
    mail_look,
    mails_in_browser,
    surveys,
    tracking_pages,
    tracking_settings,
    returns_pages,
    return_hooks,
    mailing_report,
    mailing_elsewhere,
    journey_effect,
    preferences,
    own_details,
    signup,
    forms_pages,
    audiences_pages,
    audience_files,
    clearing_pages,
    purposes_pages,
    insights_pages,
    contacts_pages,
    hygiene_pages,
    imports_pages,
    rights_pages,
    dossier_pages,
    register_pages,
    retention_pages,
    activities_pages,
    segments_pages,
    segments_live_pages,
    journeys_pages,
    connections_pages,
    meaning_pages,
    hooks,
)

# Asked by machines that have no session of ours, so that there is nothing to forge.
WITHOUT_CSRF: tuple[Blueprint, ...] = (
    operations,
    preferences,
    own_details,
    signup,
    hooks,
    return_hooks,
    mails_in_browser,
    surveys,
)


class DescribedApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """The REST API with its description, in which every error looks as it does."""

    ERROR_SCHEMA = api_bodies.ProblemSchema


def compose(runtime: Runtime) -> Flask:
    """Return the application: settings, request scope, access, then the rooms."""
    app = Flask("app", static_folder=None)
    app.extensions["zaallicht"] = runtime
    _configure(app, runtime)
    app.url_map.converters["int"] = RowIdConverter
    request_scope.install(app)
    app.before_request(access.guard)
    api_bodies.install(app)
    api = DescribedApi(app)
    interface.install(app)
    _open_to_all(app, interface.blueprint.name)
    _open_to_all(app, "api-docs")
    for blueprint in APIS:
        api.register_blueprint(blueprint, url_prefix="/api/v1")
        interface.csrf.exempt(blueprint)
    for name, component in (rule_components() | content_components() | journey_components()).items():
        api.spec.components.schema(name, component)
    for pages in PAGES:
        app.register_blueprint(pages)
    for exempt in WITHOUT_CSRF:
        interface.csrf.exempt(exempt)
    return app


def _open_to_all(app: Flask, blueprint: str) -> None:
    """Declare every page of a blueprint public, for what does not know who asks."""
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{blueprint}."):
            access.public(getattr(view, "__func__", view))


def _configure(app: Flask, runtime: Runtime) -> None:
    settings = runtime.settings
    app.config.update(
        SECRET_KEY=runtime.keyring.derived("cookies", key_id=runtime.keyring.keys[0][0]),
        SESSION_COOKIE_NAME="zaallicht",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=timedelta(days=14),
        MAX_CONTENT_LENGTH=settings.request_bytes_max,
        MAX_FORM_MEMORY_SIZE=settings.request_bytes_max,
        API_TITLE="Zaallicht",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
            "security": [{"key": []}],
        },
    )
