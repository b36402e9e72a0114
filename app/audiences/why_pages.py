"""The pages that say why somebody is on a list of ours or not; the others are in ``pages``, and so is the blueprint."""

from __future__ import annotations

from flask import abort, render_template

from app.accounts.access import requires
from app.audiences import definitions, words
from app.audiences.pages import Answer, blueprint, found_audience
from app.audiences.why_there import why_there
from app.contacts.directory import find_contact
from app.contacts.models import Contact
from app.ui import request_scope
from app.ui.languages import current_language


@blueprint.get("/of/<int:contact_id>")
@requires("viewer")
def of_contact(contact_id: int) -> Answer:
    """Show, for one person, every audience with why they are on its list or not."""
    contact = _found(contact_id)
    session = request_scope.session()
    audiences = definitions.list_audiences(session)
    answers = [(each, why_there(session, each, contact_id, language=current_language())) for each in audiences]
    return render_template("audiences/of_contact.html", contact=contact, answers=answers, words=words)


@blueprint.get("/<int:audience_id>/why/<int:contact_id>")
@requires("viewer")
def why(audience_id: int, contact_id: int) -> Answer:
    """Show why one person is, or is not, on the list of an audience, with the events that decided."""
    audience, contact = found_audience(audience_id), _found(contact_id)
    answer = why_there(request_scope.session(), audience, contact_id, language=current_language())
    return render_template("audiences/why.html", audience=audience, contact=contact, answer=answer, words=words)


def _found(contact_id: int) -> Contact:
    contact = find_contact(request_scope.session(), contact_id)
    if contact is None:
        abort(404)
    return contact
