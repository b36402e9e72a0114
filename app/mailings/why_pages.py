"""Which mails a person got, and why they got them or not."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from app.accounts.access import requires
from app.contacts.directory import find_contact
from app.contacts.models import Contact
from app.contacts.neighbours import MorePage, add_page
from app.mailings import words
from app.mailings.why_sent import PAGE, decision_of, find_mail, mails_to
from app.ui import request_scope
from app.ui.languages import current_language
from app.ui.row_ids import row_id
from integrations.meanings import N_

blueprint = Blueprint("mails", __name__, url_prefix="/mails", template_folder="templates")

Answer = str | tuple[str, int] | Response


@blueprint.get("/of/<int:contact_id>")
@requires("viewer")
def of_contact(contact_id: int) -> Answer:
    """Show the mails to a person, the newest first."""
    contact = _found(contact_id)
    before = request.args.get("before", type=row_id)
    found = mails_to(request_scope.session(), contact_id, before_id=before)
    return render_template(
        "mail/of_contact.html",
        contact=contact,
        mails=found[:PAGE],
        is_more=len(found) > PAGE,
        before=before,
        words=words,
    )


@blueprint.get("/of/<int:contact_id>/<int:delivery_id>")
@requires("viewer")
def why(contact_id: int, delivery_id: int) -> Answer:
    """Show why one mail went to a person, or did not, with the events that decided."""
    contact = _found(contact_id)
    session = request_scope.session()
    mail = find_mail(session, contact_id, delivery_id)
    if mail is None:
        abort(404)
    decided = decision_of(session, contact_id, mail, language=current_language())
    return render_template("mail/why.html", contact=contact, mail=mail, decided=decided, words=words)


def _found(contact_id: int) -> Contact:
    contact = find_contact(request_scope.session(), contact_id)
    if contact is None:
        abort(404)
    return contact


add_page(MorePage(N_("Mails"), "mail", "mails.of_contact"))
