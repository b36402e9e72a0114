"""The register of processing as a page, to print, and as a table."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _

from app import clock
from app.accounts.access import requires
from app.accounts.organisations import current_organisation
from app.consent.wordings import name_of
from app.rights import words
from app.rights.register import Register, register_of
from app.ui import request_scope
from app.ui.csv_export import csv_chunks
from app.ui.languages import LANGUAGE_NAMES, current_language, speak

blueprint = Blueprint("register", __name__, url_prefix="/rights/register", template_folder="templates")


@blueprint.get("/")
@requires("marketer")
def show() -> str:
    """Show the register as of now."""
    _speak()
    register = register_of(request_scope.session())
    language = current_language()
    return render_template(
        "rights/register.html",
        register=register,
        names={purpose.code: name_of(purpose, language) for purpose in register.purposes},
        words=words,
        languages=LANGUAGE_NAMES,
        made_at=clock.now(),
    )


@blueprint.get("/register.csv")
@requires("marketer")
def as_csv() -> Response:
    """Download the register as a table."""
    _speak()
    register = register_of(request_scope.session())
    header = (_("Part"), _("What"), _("Explanation"), _("Kept"))
    body = csv_chunks(header, _rows(register), language=current_language())
    headers = {"Content-Disposition": 'attachment; filename="register.csv"'}
    return Response(body, content_type="text/csv; charset=utf-8", headers=headers)


def _speak() -> None:
    if request.args.get("language") in LANGUAGE_NAMES:
        speak(str(request.args["language"]), time_zone=current_organisation(request_scope.session()).time_zone)


def _rows(register: Register) -> Iterator[tuple[str, str, str, str]]:
    house = register.house
    yield _("Controller"), house.legal_name or house.name, house.legal_address or "", ""
    for purpose in register.purposes:
        bases = "; ".join(_(words.BASES[code]) for code in purpose.allowed_bases if code in words.BASES)
        yield _("Purpose"), name_of(purpose, current_language()), bases, _kept(purpose.retention_days)
    for category in register.categories:
        called = _(words.CATEGORIES[category.table]) if category.table in words.CATEGORIES else category.table
        about = _("People who log in") if category.is_staff else _("Contacts")
        yield _("Category of data"), called, f"{about}: {', '.join(category.columns)}", ""
    for connection in register.sources:
        yield _("Source"), connection.name, connection.system, ""
    for connection in register.destinations:
        yield _("Recipient"), connection.name, connection.system, ""
    yield _("Retention"), _(words.MESSAGES), "", _kept(register.messages_kept_days)
    yield _("Retention"), _(words.FILES), "", _kept(register.files_kept_days)
    for measure in words.SECURITY:
        yield _("Security"), _(measure), "", ""


def _kept(days: int | None) -> str:
    return str(_("%(days)s days", days=days) if days else _("as long as what was booked"))
