"""REST: what is on offer, and who took part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint

from app import clock
from app.accounts.access import scope
from app.accounts.organisations import current_organisation
from app.activities.genres import Genre, UnknownTermError, list_genres, set_terms
from app.activities.ingest import ActivityResult, ParticipationResult, upsert_activities, upsert_participations
from app.activities.schemas import ActivityIn, ActivityOut, GenreOut, GenresIn, ParticipationIn, ParticipationOut
from app.activities.vocabulary import Term
from app.contacts.api import body_of_rows, error_by_field, record_of, rows_of_request
from app.contacts.batches import answered, check_rows
from app.contacts.schemas import RowOut
from app.ui import request_scope
from app.ui.refusals import refuse
from integrations.base import ActivityRecord, ParticipationRecord

blueprint = Blueprint(
    "activities_api",
    __name__,
    description="What is on offer, and who took part. A batch holds at most 1000 rows and 8 MB.",
)


@blueprint.route("/activities")
class Activities(MethodView):
    """Activities by source and external id."""

    @scope("activities:write")
    @blueprint.arguments(ActivityIn)
    @blueprint.response(200, ActivityOut)
    @blueprint.alt_response(201, schema=ActivityOut, description="A new activity.")
    def put(self, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Create or update an activity; when it moves, the dates of its participations follow."""
        (result,) = _stored_activities([given])
        if result.error is not None:
            _refuse(result.error)
        return {"id": result.activity_id, "outcome": result.outcome}, 201 if result.outcome == "created" else 200


@blueprint.route("/activities/batch", methods=["POST"])
@scope("activities:write")
@blueprint.doc(requestBody=body_of_rows("ActivityIn"))
@blueprint.response(200, RowOut(many=True))
def activities_batch() -> list[dict[str, Any]]:
    """Create or update up to 1000 activities; one answer per row, and good rows are kept."""
    good, bad = check_rows(rows_of_request(), ActivityIn())
    results = _stored_activities([checked.value for checked in good])
    return answered(bad, good, lambda place: _answer(results[place].activity_id, results[place]))


@blueprint.route("/participations")
class Participations(MethodView):
    """Participations by source and external id."""

    @scope("activities:write")
    @blueprint.arguments(ParticipationIn)
    @blueprint.response(200, ParticipationOut)
    @blueprint.alt_response(201, schema=ParticipationOut, description="A new participation.")
    def put(self, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Create or update a participation and its contact; the activity must be known already."""
        (result,) = _stored_participations([given])
        if result.error is not None:
            _refuse(result.error)
        answer = {"id": result.participation_id, "contact_id": result.contact_id, "outcome": result.outcome}
        return answer, 201 if result.outcome == "created" else 200


@blueprint.route("/participations/batch", methods=["POST"])
@scope("activities:write")
@blueprint.doc(requestBody=body_of_rows("ParticipationIn"))
@blueprint.response(200, RowOut(many=True))
def participations_batch() -> list[dict[str, Any]]:
    """Create or update up to 1000 participations; one answer per row, and good rows are kept."""
    good, bad = check_rows(rows_of_request(), ParticipationIn())
    results = _stored_participations([checked.value for checked in good])
    return answered(bad, good, lambda place: _answer(results[place].participation_id, results[place]))


@blueprint.route("/genres")
class Genres(MethodView):
    """The house's own genres, and the term of the shared vocabulary that each is."""

    @scope("activities:read")
    @blueprint.response(200, GenreOut(many=True))
    def get(self) -> list[dict[str, Any]]:
        """List the genres, the most used first."""
        return [_genre(each) for each in list_genres(request_scope.session())]

    @scope("activities:write")
    @blueprint.arguments(GenresIn)
    @blueprint.response(200, GenreOut(many=True))
    def put(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        """Say which term some genres are; the others stay as they were."""
        session = request_scope.session()
        try:
            set_terms(session, {each["genre"]: each["term"] for each in given["items"]})
        except UnknownTermError as unknown:
            refuse("term", _("The vocabulary has no “%(value)s”.", value=unknown.value))
        return [_genre(each) for each in list_genres(session)]


def _genre(genre: Genre) -> dict[str, Any]:
    return {
        "genre": genre.word,
        "activities": genre.activities,
        "term": None if genre.term is None else _term(genre.term),
        "is_said": genre.is_said,
    }


def _term(term: Term) -> dict[str, Any]:
    names = {language: term.name(language) for language in ("nl", "fr", "en")}
    return {"value": term.value, "domain": term.domain, "names": names}


def _answer(row_id: int | None, result: ActivityResult | ParticipationResult) -> dict[str, Any]:
    if result.error is None:
        return {"id": row_id, "outcome": result.outcome}
    return {"error": result.error, "errors": _errors(result.error)}


def _errors(code: str) -> dict[str, list[str]]:
    own = {
        "unknown_activity": ("activity", _("There is no such activity. Send it first.")),
        "no_external_id": ("external_id", _("Fill this in.")),
        "no_title": ("title", _("Fill this in.")),
    }
    if code in own:
        field, sentence = own[code]
        return {field: [sentence]}
    return {f"contact.{field}": sentences for field, sentences in error_by_field(code).items()}


def _refuse(code: str) -> None:
    for field, sentences in _errors(code).items():
        refuse(field, sentences[0])


def _stored_activities(rows: Sequence[Mapping[str, Any]]) -> list[ActivityResult]:
    session = request_scope.session()
    records = [
        ActivityRecord(**(dict(row) | {"genres": tuple(row["genres"]), "audiences": tuple(row["audiences"])}))
        for row in rows
    ]
    return upsert_activities(session, records, time_zone=current_organisation(session).time_zone)


def _stored_participations(rows: Sequence[Mapping[str, Any]]) -> list[ParticipationResult]:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    records = []
    for row in rows:
        own = {name: value for name, value in row.items() if name not in ("contact", "buyer", "activity")}
        records.append(
            ParticipationRecord(
                contact=record_of(row["contact"]),
                buyer=None if row["buyer"] is None else record_of(row["buyer"]),
                activity_source=row["activity"]["source"],
                activity_external_id=row["activity"]["external_id"],
                **own,
            )
        )
    time_zone = current_organisation(session).time_zone
    return upsert_participations(session, keyring, records, time_zone=time_zone, actor="api", at=clock.now())
