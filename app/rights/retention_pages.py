"""What will end by itself, of whom and when: a dry run of retention that changes nothing."""

from __future__ import annotations

from flask import Blueprint, render_template

from app import clock
from app.accounts.access import requires
from app.consent.purposes import list_purposes
from app.consent.retention import endings_by_purpose
from app.consent.wordings import name_of
from app.contacts.importing.jobs import CONTENT_KEPT
from app.rights.dormant import DORMANT_YEARS, count_dormant
from app.sync.inbox import KEPT_DAYS
from app.ui import request_scope
from app.ui.languages import current_language

blueprint = Blueprint("retention", __name__, url_prefix="/rights/retention", template_folder="templates")


@blueprint.get("/")
@requires("marketer")
def show() -> str:
    """Show what ends now, within a month and within three, by purpose, and who has been silent for years."""
    session = request_scope.session()
    language = current_language()
    return render_template(
        "rights/retention.html",
        purposes=[(purpose, name_of(purpose, language)) for purpose in list_purposes(session)],
        endings=endings_by_purpose(session, at=clock.now()),
        dormant={years: count_dormant(session, years=years, at=clock.now()) for years in DORMANT_YEARS},
        messages_kept_days=KEPT_DAYS,
        files_kept_days=CONTENT_KEPT.days,
    )
