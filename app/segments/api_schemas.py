"""What goes in and comes out of the segments' REST API. Rules themselves are read by ``schemas.py``."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from app.contacts.json_data import storable
from app.segments.building.preview import FIRST_DAY, LAST_DAY
from app.segments.language.published import RULE
from app.ui.api_bodies import ReadableSchema

PAGE = 100
PAGE_MAX = 1000
WITHIN_REASON = validate.Range(FIRST_DAY, LAST_DAY)

_RULE = {"allOf": [RULE]}


class SegmentIn(ReadableSchema):
    """A segment to make, or to put in the place of another."""

    name = fields.String(required=True, validate=[validate.Length(min=1), validate.Length(max=120)])
    description = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=2000))
    rule = fields.Raw(required=True, metadata=_RULE)

    @pre_load
    def clean(self, data: Any, **_kwargs: Any) -> Any:
        """Take texts without surrounding blanks and without characters that cannot be kept; the rule stays as it is."""
        if not isinstance(data, dict):
            return data
        texts = {
            key: storable(value).strip() for key, value in data.items() if key != "rule" and isinstance(value, str)
        }
        return data | texts


class SegmentOut(Schema):
    """A segment as it is kept."""

    id = fields.Integer()
    name = fields.String()
    description = fields.String(allow_none=True)
    rule = fields.Raw(metadata=_RULE)
    version = fields.Integer()
    member_count = fields.Integer(allow_none=True)
    evaluated_at = fields.AwareDateTime(allow_none=True)
    evaluated_on = fields.Date(allow_none=True)
    problem = fields.String(
        allow_none=True,
        metadata={"description": "Why the members cannot be kept up to date now: a code. They stay as they were."},
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class SegmentPage(Schema):
    """A page of segments."""

    items = fields.List(fields.Nested(SegmentOut))
    next = fields.String(allow_none=True)


class PreviewIn(ReadableSchema):
    """A rule to try out."""

    rule = fields.Raw(required=True, metadata=_RULE)
    at = fields.Date(load_default=None, allow_none=True, validate=WITHIN_REASON)
    purpose = fields.String(load_default="newsletter")
    language = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(["nl", "fr", "en"]))


class PersonOut(Schema):
    """A contact of a sample."""

    id = fields.Integer()
    given_name = fields.String(allow_none=True)
    family_name = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    postcode = fields.String(allow_none=True)
    municipality = fields.String(allow_none=True)
    language = fields.String(allow_none=True)


class FunnelOut(Schema):
    """From all whom the rule holds for to those who can be mailed."""

    holds = fields.Integer()
    has_address = fields.Integer()
    permitted = fields.Integer()
    mailable = fields.Integer()


class LeftOutOut(Schema):
    """Whom an exclusion leaves out: its place, why in words, how many, a few of them, and the rule of these people."""

    path = fields.String()
    told = fields.String()
    count = fields.Integer()
    sample = fields.List(fields.Nested(PersonOut))
    rule = fields.Raw(metadata=_RULE)


class PreviewOut(Schema):
    """What a rule would hold."""

    count = fields.Integer()
    of = fields.Integer()
    as_of = fields.Date()
    purpose = fields.String()
    funnel = fields.Nested(FunnelOut)
    sample = fields.List(fields.Nested(PersonOut))
    told = fields.String()
    left_out = fields.List(
        fields.Nested(LeftOutOut),
        allow_none=True,
        metadata={
            "description": "what each “not” at the top of the rule takes away; null for more than a hundred of them"
        },
    )


class CountIn(ReadableSchema):
    """A rule whose conditions are counted one by one."""

    rule = fields.Raw(required=True, metadata=_RULE)
    at = fields.Date(load_default=None, allow_none=True, validate=WITHIN_REASON)


class StepOut(Schema):
    """A condition or group of a rule: its place, how many people it holds for by itself, and how many are left in the
    group it stands in once it and everything above it there is asked."""

    path = fields.String()
    alone = fields.Integer()
    left = fields.Integer()


class CountOut(Schema):
    """Every condition and group of a rule in reading order, among ``of`` people."""

    of = fields.Integer()
    steps = fields.List(fields.Nested(StepOut))


class CheckIn(PreviewIn):
    """A rule and a contact to try it on."""

    contact_id = fields.Integer(required=True, validate=validate.Range(1, 2**63 - 1))


class VisitOut(Schema):
    """A visit that a condition counted."""

    activity_id = fields.Integer()
    title = fields.String()
    on = fields.Date()
    booked_on = fields.Date()
    quantity = fields.Integer()


class ConditionOut(Schema):
    """One condition of a rule and whether it holds; ``visits`` are those it counted, null where it looks at none."""

    path = fields.String()
    told = fields.String()
    holds = fields.Boolean()
    visits = fields.List(fields.Nested(VisitOut), allow_none=True)


class CheckOut(Schema):
    """Whether a rule holds for a contact."""

    holds = fields.Boolean()
    conditions = fields.List(fields.Nested(ConditionOut))


class PageIn(ReadableSchema):
    """Where a page begins and how long it is."""

    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, PAGE_MAX))


class MembersIn(PageIn):
    """Which members: now, or on a day."""

    at = fields.Date(load_default=None, validate=WITHIN_REASON)


class MemberOut(Schema):
    """A contact in a segment."""

    contact_id = fields.Integer()
    entered_on = fields.Date(allow_none=True)


class MembersOut(Schema):
    """A page of members."""

    items = fields.List(fields.Nested(MemberOut))
    next = fields.String(allow_none=True)
    basis = fields.String(metadata={"description": "remembered: as stored; evaluated: the rule as of that day"})


class ChangesIn(PageIn):
    """Which changes."""

    since = fields.AwareDateTime(load_default=None, default_timezone=None)


class ChangeOut(Schema):
    """An entry or an exit."""

    contact_id = fields.Integer()
    change = fields.String(attribute="kind")
    at = fields.AwareDateTime()
    on = fields.Date()
    because = fields.String()


class ChangesOut(Schema):
    """A page of changes, oldest first."""

    items = fields.List(fields.Nested(ChangeOut))
    next = fields.String(allow_none=True)


_AN_ID = validate.Range(1, 2**63 - 1)


class ClosedPeriodSchema(ReadableSchema):
    """Days on which the house was or will be closed, the first and the last included."""

    first = fields.Date(required=True, validate=WITHIN_REASON)
    last = fields.Date(required=True, validate=WITHIN_REASON)

    @validates_schema
    def in_order(self, period: dict[str, Any], **_more: object) -> None:
        """A period ends on or after the day it begins."""
        if period["last"] < period["first"]:
            raise ValidationError("The last day comes before the first. Change one of them.", "last")


class ClosedPeriods(ReadableSchema):
    """Every closed period; sent, they take the place of those before."""

    items = fields.List(fields.Nested(ClosedPeriodSchema), required=True, validate=validate.Length(max=200))


class OverlapIn(ReadableSchema):
    """The segment to compare with."""

    other = fields.Integer(required=True, validate=_AN_ID)


class OverlapOut(Schema):
    """How many living contacts are in each part; together they are all of them."""

    both = fields.Integer()
    only_a = fields.Integer()
    only_b = fields.Integer()
    neither = fields.Integer()


class NotYetIn(ReadableSchema):
    """The activity to find people for."""

    activity = fields.Integer(required=True, validate=_AN_ID)


class NotYetOut(Schema):
    """A rule to look at, change and keep."""

    rule = fields.Raw(metadata=_RULE)
