"""What goes in and comes out of the journeys' REST API. Definitions themselves are read by ``schemas.py``."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.journeys.drafts import NAME_MAX
from app.journeys.effect_pages import DAYS_MAX
from app.journeys.published import DEFINITION
from app.mailings.effect.api import ReportDifferenceOut, ReportSideOut
from app.ui.api_bodies import ReadableSchema

PAGE = 100
PAGE_MAX = 1000
_AN_ID = validate.Range(1, 2**63 - 1)
_A_NAME = [validate.Regexp(r"\s*\S", error="Give a name that is not blank."), validate.Length(max=NAME_MAX)]
_DEFINITION = {"allOf": [DEFINITION]}


class JourneyIn(ReadableSchema):
    """A journey to make, as a draft; it may be unfinished."""

    name = fields.String(required=True, validate=_A_NAME)
    definition = fields.Raw(required=True, metadata=_DEFINITION)


class JourneyChangeIn(ReadableSchema):
    """A draft to put in the place of another. With ``edition``, only if nobody else saved it since."""

    name = fields.String(validate=_A_NAME)
    definition = fields.Raw(required=True, metadata=_DEFINITION)
    edition = fields.Integer(load_default=None, strict=True)


class FindingOut(Schema):
    """Something that stops a journey from being published, or that somebody should know."""

    step = fields.String(attribute="step_id", allow_none=True)
    path = fields.String()
    severity = fields.String(validate=validate.OneOf(["stops", "warns"]))
    code = fields.String()
    told = fields.String()


class JourneyOut(Schema):
    """A journey: its draft, and the version that people enter now."""

    id = fields.Integer()
    name = fields.String()
    state = fields.String(validate=validate.OneOf(["draft", "published", "paused", "archived"]))
    definition = fields.Raw(attribute="draft", metadata=_DEFINITION)
    edition = fields.Integer()
    version = fields.Integer(allow_none=True)
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class JourneyPage(Schema):
    """A page of journeys."""

    items = fields.List(fields.Nested(JourneyOut))
    next = fields.String(allow_none=True)


class PageIn(ReadableSchema):
    """Where a page begins and how long it is."""

    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE_MAX))


class InsideOut(Schema):
    """People at a step of an older version, and whether they can be moved to the new one."""

    step = fields.String(attribute="step_id", allow_none=True)
    version = fields.Integer()
    people = fields.Integer()
    is_changed = fields.Boolean()
    can_move = fields.Boolean()


class PublishPreviewOut(Schema):
    """What publishing would mean."""

    version = fields.Integer()
    can_publish = fields.Boolean()
    problems = fields.List(fields.Nested(FindingOut))
    inside = fields.List(fields.Nested(InsideOut))


PER_DAY_MAX = 1_000_000


class PublishIn(ReadableSchema):
    """What becomes of people inside, by step: they keep the version they entered, move to this one, or end."""

    inside = fields.Dict(
        keys=fields.String(), values=fields.String(validate=validate.OneOf(["keep", "move", "end"])), load_default=dict
    )
    include_existing = fields.Boolean(load_default=False)
    existing_per_day = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=validate.Range(1, PER_DAY_MAX),
        metadata={"description": "At most so many of those who are in the segment already enter on one day."},
    )


class PublishedOut(Schema):
    """The version that was made, and how many people moved to it or left because of it."""

    version = fields.Integer()
    moved = fields.Integer()
    ended = fields.Integer()


class ResumeIn(ReadableSchema):
    """What becomes of who became due meanwhile: it happens now (``run``), or not at all (``skip``)."""

    overdue = fields.String(load_default="run", validate=validate.OneOf(["run", "skip"]))


class EnrolmentsIn(PageIn):
    """Which enrolments."""

    state = fields.String(load_default=None, validate=validate.OneOf(["active", "completed", "exited", "failed"]))


class EnrolmentOut(Schema):
    """One contact's way through a journey."""

    id = fields.Integer()
    contact_id = fields.Integer()
    version = fields.Integer()
    state = fields.String()
    step = fields.String(attribute="step_id", allow_none=True)
    wake_at = fields.AwareDateTime(allow_none=True)
    held_because = fields.String(allow_none=True)
    is_held_out = fields.Boolean()
    is_rehearsal = fields.Boolean()
    entered_at = fields.AwareDateTime()
    left_at = fields.AwareDateTime(allow_none=True)
    left_because = fields.String(allow_none=True)


class EnrolmentPage(Schema):
    """A page of enrolments, the first that entered first."""

    items = fields.List(fields.Nested(EnrolmentOut))
    next = fields.String(allow_none=True)


class EnrolIn(ReadableSchema):
    """Whom to let in. The same ``external_id`` for the same contact counts once; without one, every call counts."""

    contact_id = fields.Integer(required=True, strict=True, validate=_AN_ID)
    external_id = fields.String(load_default=None, allow_none=True, validate=validate.Length(min=1, max=150))


class EnrolOut(Schema):
    """What came of it: ``entered``, ``entered_before``, ``heard`` (they waited for it, and go on), or why not."""

    outcome = fields.String()
    enrolment_id = fields.Integer(allow_none=True)


class WebhookSecretOut(Schema):
    """What the receiver of webhooks needs to check their signature."""

    secret = fields.String()


class InventedIn(ReadableSchema):
    """Somebody who does not exist: only what is given is known of them, and they have no history."""

    language = fields.String()
    postcode = fields.String()
    municipality = fields.String()
    country = fields.String()
    gender = fields.String()
    birth_date = fields.Date()
    tags = fields.List(fields.String(), load_default=list)
    attributes = fields.Dict(keys=fields.String(), load_default=dict)
    may_be_mailed = fields.Boolean(load_default=True)


class SimulateIn(ReadableSchema):
    """Whom to walk through the draft, from when on, and what is to happen where it cannot be known."""

    contact_id = fields.Integer(load_default=None, strict=True, validate=_AN_ID)
    contact = fields.Nested(InventedIn, load_default=None)
    at = fields.AwareDateTime(load_default=None)
    activity_starts_at = fields.AwareDateTime(load_default=None)
    answers = fields.Dict(keys=fields.String(), load_default=dict)

    @validates_schema
    def check_one_person(self, values: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse nobody, and two at once."""
        if (values["contact_id"] is None) is (values["contact"] is None):
            raise ValidationError("Give contact_id, or contact: one of the two.", "contact_id")


class SimulatedConditionOut(Schema):
    """A condition of a rule, in words, and whether it held."""

    told = fields.String()
    holds = fields.Boolean()


class SimulatedAnswerOut(Schema):
    """Whether a rule held, and the conditions it was made of (none for somebody invented)."""

    holds = fields.Boolean()
    conditions = fields.List(fields.Nested(SimulatedConditionOut))


class SimulatedStepOut(Schema):
    """A step they would take. ``branch`` is the place of the way they go; ``leaves_at`` is when a mail would leave,
    with ``notes`` on what holds it back (``capped``, ``quiet``)."""

    step = fields.String(attribute="step_id")
    at = fields.AwareDateTime()
    until = fields.AwareDateTime(allow_none=True)
    outcome = fields.String(validate=validate.OneOf(["done", "waits", "passed_over", "leaves"]))
    reason = fields.String(allow_none=True)
    branch = fields.Integer(allow_none=True)
    answers = fields.List(fields.Nested(SimulatedAnswerOut))
    leaves_at = fields.AwareDateTime(allow_none=True)
    notes = fields.List(fields.String())


class SimulationOut(Schema):
    """The whole way: whether they would enter (``yes``, ``only`` or ``no_permission``), the steps, and how it ends."""

    entry = fields.String()
    only_whom = fields.Nested(SimulatedAnswerOut, data_key="only", attribute="only", allow_none=True)
    steps = fields.List(fields.Nested(SimulatedStepOut))
    ended = fields.String()
    ends_at = fields.AwareDateTime(allow_none=True)
    assumptions = fields.List(fields.String())


class JourneyEffectIn(ReadableSchema):
    """Which version (all of them where not said), and within how many days of entering bookings count."""

    version = fields.Integer(validate=validate.Range(1, 1_000_000))
    days = fields.Integer(validate=validate.Range(1, DAYS_MAX))


class JourneyComparisonOut(ReadableSchema):
    """Who walked through it against who was held out; ``rate``: how much oftener, with a 95 % interval."""

    treated = fields.Nested(ReportSideOut)
    control = fields.Nested(ReportSideOut)
    rate = fields.Nested(ReportDifferenceOut)
    amount_each = fields.Nested(ReportDifferenceOut)


class JourneyStepEffectOut(ReadableSchema):
    """One mail of the journey. A booking counts for the last mail that came before it."""

    step_id = fields.String()
    mailing = fields.String()
    mailing_id = fields.Integer()
    planned = fields.Integer()
    handed_over = fields.Integer()
    accepted = fields.Integer()
    bounced = fields.Integer()
    clicked = fields.Integer()
    booked = fields.Integer()
    amount = fields.Float()


class JourneyVersionEffectOut(ReadableSchema):
    """Who entered on one version, and how many of them reached the goal."""

    version = fields.Integer()
    people = fields.Integer()
    held_out = fields.Integer()
    reached = fields.Integer()


class JourneyEffectOut(ReadableSchema):
    """What a journey brought about within ``days`` days of entering. ``goal`` is null where it has none."""

    journey_id = fields.Integer()
    version = fields.Integer(allow_none=True)
    days = fields.Integer()
    goal = fields.Nested(JourneyComparisonOut, allow_none=True)
    bookings = fields.Nested(JourneyComparisonOut)
    steps = fields.List(fields.Nested(JourneyStepEffectOut))
    versions = fields.List(fields.Nested(JourneyVersionEffectOut))
