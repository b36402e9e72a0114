"""What comes in and goes out of mailings over REST."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.mailings.effect.ab_tests import DECIDE_BY, HOURS_MAX
from app.mailings.mailings import EFFECT_DAYS_MAX, HOLDOUT_PERCENT_MAX, NAME_LENGTH_MAX, SEGMENTS_MAX
from app.ui.api_bodies import ReadableSchema
from app.ui.row_ids import ROW_ID_MAX

PAGE, PAGE_MAX = 50, 200
IS_ROW = validate.Range(1, ROW_ID_MAX)
ADDRESSES_MAX = 10


class AbTestSchema(ReadableSchema):
    """A test of variants: to which part of the people, what decides, and when."""

    share_percent = fields.Integer(load_default=100, validate=validate.Range(1, 100))
    decide_by = fields.String(load_default="clicks", validate=validate.OneOf(DECIDE_BY))
    after_hours = fields.Integer(validate=validate.Range(1, HOURS_MAX))


class MailingIn(ReadableSchema):
    """A mailing to make, or to put in the place of a draft."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=NAME_LENGTH_MAX))
    purpose = fields.String(load_default="newsletter", validate=validate.Length(max=100))
    kind = fields.String(load_default="campaign", validate=validate.OneOf(("campaign", "journey")))
    to = fields.List(
        fields.Integer(validate=IS_ROW),
        load_default=list,
        validate=validate.Length(max=SEGMENTS_MAX),
        metadata={"description": "The segments it goes to."},
    )
    without = fields.List(
        fields.Integer(validate=IS_ROW),
        load_default=list,
        validate=validate.Length(max=SEGMENTS_MAX),
        metadata={"description": "The segments it does not go to, also where somebody is in one above."},
    )
    content = fields.Dict(
        load_default=None,
        allow_none=True,
        metadata={"description": "What it says: style, variants, languages, blocks. Left out: blank, or as it was."},
    )
    priority = fields.Integer(load_default=50, validate=validate.Range(0, 100))
    holdout_percent = fields.Integer(load_default=0, validate=validate.Range(0, HOLDOUT_PERCENT_MAX))
    season_holdout = fields.Boolean(load_default=False)
    ab_test = fields.Nested(AbTestSchema, load_default=None, allow_none=True)
    effect_days = fields.Integer(load_default=30, validate=validate.Range(1, EFFECT_DAYS_MAX))


class MailingPut(MailingIn):
    """A draft as it should be; ``edition`` is the one that was read, so that nobody writes over somebody else."""

    edition = fields.Integer(required=True, validate=validate.Range(min=1))


class MailingLine(Schema):
    """A mailing as it stands, without its words."""

    id = fields.Integer()
    name = fields.String()
    kind = fields.String()
    state = fields.String()
    purpose = fields.String()
    edition = fields.Integer()
    version = fields.Integer(allow_none=True)
    to = fields.List(fields.Integer())
    without = fields.List(fields.Integer())
    priority = fields.Integer()
    holdout_percent = fields.Integer()
    season_holdout = fields.Boolean()
    ab_test = fields.Dict(allow_none=True)
    winner = fields.String(allow_none=True)
    effect_days = fields.Integer()
    send_at = fields.AwareDateTime(allow_none=True)
    repeats = fields.String(allow_none=True)
    repeat_of_id = fields.Integer(allow_none=True)
    paused_because = fields.String(allow_none=True)
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class MailingOut(MailingLine):
    """A mailing as it stands, with its words."""

    content = fields.Dict()


class MailingPage(Schema):
    """A page of mailings, the newest first; ``next`` is the cursor of the following one."""

    items = fields.List(fields.Nested(MailingLine))
    next = fields.String(allow_none=True)


class MailingsQuery(ReadableSchema):
    """Which mailings to list."""

    kind = fields.String(load_default=None, validate=validate.OneOf(("campaign", "journey")))
    cursor = fields.String(load_default=None, validate=validate.Length(max=40))
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE_MAX))


class ScheduleIn(ReadableSchema):
    """When a mailing goes: at an instant, or each time a cron line says so in the zone of the house."""

    send_at = fields.AwareDateTime(load_default=None, allow_none=True)
    repeats = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=100),
        metadata={"description": "Minute, hour, day, month, weekday; “0 10 * * 1” is every Monday at ten."},
    )
    people = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 1_000_000_000))


class SendIn(ReadableSchema):
    """Sending at once. ``people``: how many you expect; where it would be many more, it waits for a person."""

    people = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 1_000_000_000))


class PeopleOut(Schema):
    """Who would get a mailing now, and why the others would not."""

    meant = fields.Integer()
    gets = fields.Integer()
    left_out = fields.Dict(keys=fields.String(), values=fields.Integer())


class ProgressOut(Schema):
    """How a mailing goes."""

    state = fields.String()
    paused_because = fields.String(allow_none=True)
    planned = fields.Integer()
    accepted = fields.Integer()
    failed = fields.Integer()
    uncertain = fields.Integer()
    cancelled = fields.Integer()
    left = fields.Integer()
    waits_for_winner = fields.Integer()
    waits_for_cap = fields.Integer()
    seconds_left = fields.Integer(allow_none=True)


class TestIn(ReadableSchema):
    """To whom a test goes: colleagues who log in here, and nobody else."""

    addresses = fields.List(fields.Email(), required=True, validate=validate.Length(min=1, max=ADDRESSES_MAX))
    language = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(("nl", "fr", "en")))
    variant = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1))
    contact_id = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=IS_ROW,
        metadata={"description": "Filled in as for this contact; it is not sent to them."},
    )


class TestOut(Schema):
    """How many tests the relay took."""

    sent = fields.Integer()
