"""Everything held about somebody, to read and print, and what they may take along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.accounts.organisations import current_organisation
from app.consent.wordings import name_of
from app.contacts.errors import UnknownContact
from app.contacts.neighbours import MorePage, add_page
from app.rights import words
from app.rights.dossier import Dossier, dossier_of, taken_along
from app.rights.words import N_
from app.ui import request_scope
from app.ui.csv_export import csv_chunks
from app.ui.errors import answer_http_error
from app.ui.languages import LANGUAGE_NAMES, current_language, speak

blueprint = Blueprint("dossier", __name__, url_prefix="/rights/contacts", template_folder="templates")

Answer = str | tuple[str, int] | AnyResponse

add_page(MorePage(N_("Everything, to read or print"), "file", "dossier.show"))


@blueprint.get("/<int:contact_id>")
@requires("marketer")
def show(contact_id: int) -> Answer:
    """Show everything held about a person, in the language asked for, ready to be printed."""
    session = request_scope.session()
    house = current_organisation(session)
    wanted = request.args.get("language", "")
    if wanted in LANGUAGE_NAMES:
        speak(wanted, time_zone=house.time_zone)
    language = current_language()
    held = dossier_of(session, contact_id, language=language)
    audit.record(session, current_actor(), "contacts.export", subject=("contact", contact_id))
    return render_template(
        "rights/dossier.html",
        held=held,
        house=house,
        made_at=clock.now(),
        names={purpose.code: name_of(purpose, language) for purpose in held.purposes},
        profile=_profile(held),
        words=words,
        languages=LANGUAGE_NAMES,
    )


@blueprint.get("/<int:contact_id>/portable.json")
@requires("marketer")
def portable(contact_id: int) -> Answer:
    """Download what the person gave or did, for another system."""
    body = json.dumps(_taken(contact_id), ensure_ascii=False, indent=2, default=str)
    return _download(contact_id, "json", "application/json", body)


@blueprint.get("/<int:contact_id>/portable.csv")
@requires("marketer")
def portable_csv(contact_id: int) -> Answer:
    """Download the same as a table: one line a value."""
    rows = _lines(_taken(contact_id)["given"])
    chunks = csv_chunks(("about", "number", "field", "value"), rows, language=current_language())
    return _download(contact_id, "csv", "text/csv; charset=utf-8", chunks)


@blueprint.errorhandler(UnknownContact)
def _unknown(_error: UnknownContact) -> Answer:
    return answer_http_error(NotFound())


def _taken(contact_id: int) -> dict[str, Any]:
    session = request_scope.session()
    taken = taken_along(session, contact_id)
    audit.record(session, current_actor(), "contacts.export", subject=("contact", contact_id))
    return taken


def _lines(given: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, int, str, Any]]:
    for table, rows in given.items():
        for number, row in enumerate(rows, start=1):
            for name, value in row.items():
                is_nested = isinstance(value, dict | list)
                yield table, number, name, json.dumps(value, ensure_ascii=False) if is_nested else value


def _download(contact_id: int, ending: str, mimetype: str, body: Any) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="contact-{contact_id}-portable.{ending}"'}
    return Response(body, content_type=mimetype, headers=headers)


def _profile(held: Dossier) -> dict[str, Any]:
    """Return the fields of a person that hold something, in the order people read them."""
    contact = held.contact
    address = [contact.street, " ".join(filter(None, (contact.postcode, contact.municipality))), contact.country]
    return {
        "name": " ".join(filter(None, (contact.given_name, contact.family_name))),
        "email": contact.email,
        "language": contact.language,
        "gender": contact.gender,
        "birth_date": contact.birth_date,
        "phone": contact.phone,
        "address": ", ".join(filter(None, address)),
        "tags": ", ".join(contact.tags),
        "attributes": list(contact.attributes.items()),
        "known_since": contact.created_at,
        "is_restricted": contact.is_restricted,
    }
