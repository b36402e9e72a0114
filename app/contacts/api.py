"""REST: people, one at a time and by the thousand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request
from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint, abort

from app import clock
from app.accounts.access import current_actor, scope
from app.accounts.audit import record
from app.contacts.access_export import export_contact
from app.contacts.batches import answered, check_rows
from app.contacts.cursors import InvalidCursor
from app.contacts.directory import find_contact, identities_of, passes_of
from app.contacts.engagement import MailEventRecord, record_engagement
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.ingest import PROFILE, BusyStore, UpsertResult, known_contacts, upsert_contacts
from app.contacts.matching import identity_of
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact
from app.contacts.passes import PassRecord, upsert_passes
from app.contacts.schemas import (
    ROWS_MAX,
    ContactOut,
    ContactPage,
    ContactsQuery,
    ContactWithPassesIn,
    MailEventIn,
    MailEventRowOut,
    MergeIn,
    RowOut,
)
from app.contacts.search import Search, search_contacts
from app.ui import request_scope
from app.ui.errors import problem
from app.ui.refusals import refuse
from integrations.base import ContactRecord, IdentityRecord


def body_of_rows(schema: str) -> dict[str, Any]:
    """Describe the body of a batch whose rows follow a schema that another operation describes."""
    rows = {"type": "array", "maxItems": ROWS_MAX, "items": {"$ref": f"#/components/schemas/{schema}"}}
    return {"required": True, "content": {"application/json": {"schema": rows}}}


blueprint = Blueprint(
    "contacts_api", __name__, description="People the organisation knows. A batch holds at most 1000 rows and 8 MB."
)


@blueprint.errorhandler(UnknownContact)
def _unknown(_error: UnknownContact) -> Response:
    return problem(404, _("There is no such contact"))


@blueprint.errorhandler(BusyStore)
def _busy(_error: BusyStore) -> Response:
    answer = problem(503, _("Others are storing the same people right now"), detail=_("Send it again in a moment."))
    answer.headers["Retry-After"] = "1"
    return answer


@blueprint.route("/contacts")
class Contacts(MethodView):
    """People by identity."""

    @scope("contacts:read")
    @blueprint.arguments(ContactsQuery, location="query")
    @blueprint.response(200, ContactPage)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List people by when they last changed; ``email`` finds whoever has that address."""
        cursor, limit = query.pop("cursor"), query.pop("limit")
        try:
            page = search_contacts(
                request_scope.session(), Search(**query), cursor=cursor, limit=limit, newest_first=False
            )
        except InvalidCursor:
            refuse("cursor", _("This is not a cursor of ours. Start again without one."))
        return {"items": shown(page.contacts), "next": page.next}

    @scope("contacts:write")
    @blueprint.arguments(ContactWithPassesIn)
    @blueprint.response(200, ContactOut)
    @blueprint.alt_response(201, schema=ContactOut, description="A new contact.")
    def put(self, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Create or update a person by any of their identities; what is left out stays as it is."""
        (result,) = _stored([given])
        error = result.error or _passes_stored([given], [result])[0]
        if error is not None:
            refuse(FIELD_OF_ERROR[error], sentence_of_error(error))
        contact = find_contact(request_scope.session(), int(result.contact_id or 0))
        assert contact is not None  # noqa: S101  it was stored a line ago
        return shown([contact])[0], 201 if result.outcome == "created" else 200


@blueprint.route("/contacts/batch", methods=["POST"])
@scope("contacts:write")
@blueprint.doc(requestBody=body_of_rows("ContactWithPassesIn"))
@blueprint.response(200, RowOut(many=True))
def batch() -> list[dict[str, Any]]:
    """Create or update up to 1000 people; one answer per row, and good rows are kept whatever is wrong with others.

    A row with an ``id`` and an ``error`` was stored, all but the passes that the error is about.
    """
    good, bad = check_rows(rows_of_request(), ContactWithPassesIn())
    rows = [checked.value for checked in good]
    results = _stored(rows)
    of_passes = _passes_stored(rows, results)

    def answer(place: int) -> dict[str, Any]:
        result = results[place]
        error = result.error or of_passes[place]
        kept = {} if result.contact_id is None else {"id": result.contact_id, "outcome": result.outcome}
        return kept if error is None else kept | {"error": error, "errors": error_by_field(error)}

    return answered(bad, good, answer)


@blueprint.route("/mail-events/batch", methods=["POST"])
@scope("contacts:write")
@blueprint.doc(requestBody=body_of_rows("MailEventIn"))
@blueprint.response(200, MailEventRowOut(many=True))
def mail_events() -> list[dict[str, Any]]:
    """Tell what happened to up to 1000 mails; one answer per row. Said twice, an event counts once.

    Opens and clicks of people who did not agree to being followed are passed over, and nothing of them is kept.
    """
    session = request_scope.session()
    good, bad = check_rows(rows_of_request(), MailEventIn())
    whom = [identity_of(each.value["contact"]["kind"], each.value["contact"]["value"]) for each in good]
    known = known_contacts(session, [key for key in whom if key is not None])
    records = [
        None
        if key is None or key not in known
        else MailEventRecord(known[key], **{name: value for name, value in each.value.items() if name != "contact"})
        for key, each in zip(whom, good, strict=True)
    ]
    recorded = record_engagement(session, [one for one in records if one is not None], at=clock.now())

    def answer(place: int) -> dict[str, Any]:
        record = records[place]
        if record is None:
            return {"error": "unknown_contact", "errors": error_by_field("unknown_contact")}
        return {"outcome": "recorded" if (record.source, record.external_id) in recorded else "passed_over"}

    return answered(bad, good, answer)


@blueprint.route("/contacts/<int:contact_id>")
class OneContact(MethodView):
    """A person."""

    @scope("contacts:read")
    @blueprint.response(200, ContactOut)
    def get(self, contact_id: int) -> dict[str, Any]:
        """Give a person; one who was merged says into whom (``merged_into_id``), an erased one is gone."""
        contact = find_contact(request_scope.session(), contact_id)
        if contact is None or contact.state == "erased":
            raise UnknownContact(contact_id)
        return shown([contact])[0]

    @scope("contacts:write")
    @blueprint.response(204)
    def delete(self, contact_id: int) -> None:
        """Erase a person: their addresses are suppressed for ever, and what they took part in stays anonymous."""
        session = request_scope.session()
        erase_contact(session, request_scope.runtime().keyring, contact_id, at=clock.now())
        record(session, current_actor(), "contacts.erase", subject=("contact", contact_id))


@blueprint.route("/contacts/<int:contact_id>/export")
@scope("contacts:read")
@blueprint.response(200)
def export(contact_id: int) -> dict[str, Any]:
    """Give everything held about a person (GDPR articles 15 and 20)."""
    session = request_scope.session()
    held = export_contact(session, contact_id)
    record(session, current_actor(), "contacts.export", subject=("contact", contact_id))
    return held


@blueprint.route("/contacts/<int:contact_id>/merge", methods=["POST"])
@scope("contacts:write")
@blueprint.arguments(MergeIn)
@blueprint.response(200, ContactOut)
def merge(given: dict[str, Any], contact_id: int) -> dict[str, Any]:
    """Let a contact become part of another; what anybody of them refused is refused for both."""
    session = request_scope.session()
    try:
        merge_contacts(session, contact_id, into_id=given["into"], at=clock.now())
    except CannotMerge:
        refuse("into", _("A contact cannot be merged with itself."))
    record(session, current_actor(), "contacts.merge", subject=("contact", contact_id), details={"into": given["into"]})
    contact = find_contact(session, given["into"])
    assert contact is not None  # noqa: S101  it was merged into a line ago
    return shown([contact])[0]


@blueprint.route("/contacts/<int:contact_id>/unmerge", methods=["POST"])
@scope("contacts:write")
@blueprint.response(200, ContactOut)
def unmerge(contact_id: int) -> dict[str, Any]:
    """Part a contact from the one it was merged into."""
    session = request_scope.session()
    try:
        contact = unmerge_contact(session, contact_id, at=clock.now())
    except CannotUnmerge as refused:
        sentences = {
            "not_merged": _("This contact was not merged."),
            "merged_further": _("The contact it became part of was merged itself. Part that one first."),
        }
        abort(409, message=sentences[refused.code])
    record(session, current_actor(), "contacts.unmerge", subject=("contact", contact_id))
    return shown([contact])[0]


FIELD_OF_ERROR = {
    "unknown_contact": "contact",
    "invalid_pass": "passes",
    "pass_dates": "passes",
    "pass_of_another": "passes",
    "invalid_email": "email",
    "no_identity": "identities",
    "invalid_identity": "identities",
    "identity_conflict": "identities",
    "erased": "identities",
}


def sentence_of_error(code: str) -> str:
    """Return what is wrong with a row, for a person to read."""
    sentences = {
        "unknown_contact": _("There is no such contact"),
        "invalid_pass": _("A pass has a programme, and a number with letters or digits."),
        "pass_dates": _("A pass ends before it begins. Check its dates."),
        "pass_of_another": _("Somebody else holds this pass. Check the number, or merge the two contacts first."),
        "invalid_email": _("This is not a valid e-mail address. Example: name@example.org."),
        "no_identity": _("Say who: an e-mail address or another identity."),
        "invalid_identity": _("An identity is empty or too long."),
        "identity_conflict": _("These identities belong to different people. Name one, or merge them first."),
        "erased": _(
            "This person was erased at their own request, and comes back only by something they do themselves."
        ),
    }
    return str(sentences.get(code, code))


def error_by_field(code: str) -> dict[str, list[str]]:
    """Return what is wrong with a row as problem+json says it."""
    return {FIELD_OF_ERROR.get(code, "_schema"): [sentence_of_error(code)]}


def rows_of_request() -> Sequence[Any]:
    """Return the rows of a batch: a JSON list, or an object with ``items``; answers 422 to anything else."""
    body = request.get_json(silent=True)
    rows = body.get("items") if isinstance(body, dict) else body
    if not isinstance(rows, list):
        refuse("_schema", _("Send a JSON list of rows."))
    if len(rows) > ROWS_MAX:
        refuse("_schema", _("Send at most %(most)s rows at a time.", most=ROWS_MAX))
    return rows


def record_of(given: Mapping[str, Any]) -> ContactRecord:
    """Return what a program said about a person as a record."""
    return ContactRecord(
        source=given["source"],
        identities=tuple(IdentityRecord(each["kind"], each["value"]) for each in given["identities"]),
        email=given["email"],
        tags=tuple(given["tags"]),
        attributes=given["attributes"],
        **{name: given[name] for name in PROFILE},
    )


def shown(contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """Return contacts with their identities, as ``ContactOut`` shows them."""
    ids = [contact.id for contact in contacts]
    identities = identities_of(request_scope.session(), ids)
    passes = passes_of(request_scope.session(), ids)
    columns = [column.key for column in Contact.__mapper__.column_attrs]
    return [
        {name: getattr(contact, name) for name in columns}
        | {"identities": identities[contact.id], "passes": passes.get(contact.id, [])}
        for contact in contacts
    ]


def _stored(rows: Sequence[Mapping[str, Any]]) -> list[UpsertResult]:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    results = upsert_contacts(session, keyring, [record_of(row) for row in rows], actor="api", at=clock.now())
    session.expire_all()
    return results


def _passes_stored(rows: Sequence[Mapping[str, Any]], results: Sequence[UpsertResult]) -> list[str | None]:
    """Store the passes of rows whose contact was stored; returns per row what is wrong with one (a code), or None."""
    records: list[PassRecord] = []
    places: list[int] = []
    for place, (row, result) in enumerate(zip(rows, results, strict=True)):
        for each in row["passes"] if result.contact_id is not None else ():
            records.append(PassRecord(result.contact_id or 0, source=row["source"], **each))
            places.append(place)
    errors: list[str | None] = [None] * len(rows)
    for place, error in zip(places, upsert_passes(request_scope.session(), records, at=clock.now()), strict=True):
        errors[place] = errors[place] or error
    return errors
