"""What programs send and get about what is on offer and who took part."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from marshmallow import Schema, fields, validate

from app.activities.ingest import QUANTITY_MAX, STATUSES
from app.contacts.schemas import SOURCE, TEXT, ContactIn, text
from app.ui.api_bodies import ReadableSchema

EXTERNAL_ID = validate.Length(min=1, max=200)
WORDS = validate.Length(max=50)
# Instants that have a local date in every time zone.
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def instant() -> fields.AwareDateTime:
    """An optional instant with its offset."""
    within = validate.Range(EARLIEST, LATEST, error="Not a valid datetime.")
    return fields.AwareDateTime(load_default=None, allow_none=True, validate=within)


class ActivityIn(ReadableSchema):
    """Something on offer, known to its source by ``external_id``; what is absent or null changes nothing."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)
    title = fields.String(required=True, validate=TEXT)
    kind = fields.String(load_default="performance", validate=TEXT)
    genres = fields.List(fields.String(validate=TEXT), load_default=list, validate=WORDS)
    series = text()
    venue = text()
    starts_at = instant()
    ends_at = instant()
    audiences = fields.List(fields.String(validate=TEXT), load_default=list, validate=WORDS)
    url = fields.URL(load_default=None, allow_none=True, schemes={"http", "https"}, require_tld=False)
    is_cancelled = fields.Boolean(load_default=False)


class NamesOut(Schema):
    """A name in each language."""

    nl = fields.String(required=True)
    fr = fields.String(required=True)
    en = fields.String(required=True)


class TermOut(Schema):
    """A term of the shared vocabulary: ``value`` is what a rule of a segment names in ``genres``."""

    value = fields.String(required=True)
    domain = fields.String(required=True, metadata={"enum": ["eventtype", "theme"]})
    names = fields.Nested(NamesOut, required=True)


class GenreOut(Schema):
    """A genre of the house; ``term`` is null for a word of its own, ``is_said`` true where a person said so."""

    genre = fields.String(required=True)
    activities = fields.Integer(required=True)
    term = fields.Nested(TermOut, required=True, allow_none=True)
    is_said = fields.Boolean(required=True)


class GenreIn(ReadableSchema):
    """Which term a genre is: the term's value, an empty text for none, null to go by what the word plainly is."""

    genre = fields.String(required=True, validate=TEXT)
    term = fields.String(required=True, allow_none=True)


class GenresIn(ReadableSchema):
    """What some genres are; the others stay as they were."""

    items = fields.List(fields.Nested(GenreIn), required=True, validate=validate.Length(max=1000))


class ActivityRef(Schema):
    """Which activity."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)


class ParticipationIn(ReadableSchema):
    """A ticket line, check-in, loan or registration, known to its source by ``external_id``."""

    source = fields.String(required=True, validate=SOURCE)
    external_id = fields.String(required=True, validate=EXTERNAL_ID)
    contact = fields.Nested(ContactIn, required=True, metadata={"description": "Who takes part."})
    buyer = fields.Nested(
        ContactIn,
        load_default=None,
        allow_none=True,
        metadata={"description": "Who ordered it, where that may be somebody else than who takes part."},
    )
    activity = fields.Nested(ActivityRef, required=True)
    quantity = fields.Integer(load_default=1, strict=True, validate=validate.Range(0, QUANTITY_MAX))
    amount = fields.Decimal(
        load_default=None,
        allow_none=True,
        places=2,
        validate=validate.Range(Decimal(-(10**9)), Decimal(10**9)),
        metadata={"minimum": -(10**9), "maximum": 10**9},
    )
    currency = fields.String(load_default="EUR", validate=validate.Regexp(r"^[A-Z]{3}$"))
    channel = text()
    kind = fields.String(load_default="ticket", validate=TEXT)
    status = fields.String(load_default="booked", validate=validate.OneOf(STATUSES))
    booked_at = instant()
    attended_at = instant()


class ActivityOut(Schema):
    """What became of an activity."""

    id = fields.Integer()
    outcome = fields.String()


class ParticipationOut(ActivityOut):
    """What became of a participation, and whose it is."""

    contact_id = fields.Integer()
