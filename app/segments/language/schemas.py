"""From JSON to rule nodes, with every problem named by its path and said in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from app.contacts.json_data import storable
from app.segments.language import rules
from app.segments.language.rule_fields import (
    LIST,
    REQUIRED,
    TEXT,
    WHOLE,
    Between,
    Exact,
    Id,
    Ids,
    OneOf,
    WindowField,
    Words,
    YesNo,
    not_blank,
    profile_values,
    some,
)
from app.segments.language.windows import EVERY_DATE
from app.segments.problems import N_, FieldError, InvalidRuleError, Message, Problem, flatten

MAX_DEPTH = 12
MAX_LEAVES = 150
MAX_COUNT = 1_000_000


def parse_rule(data: object) -> rules.Rule:
    """The node tree that ``data`` (decoded JSON) says.

    Raises InvalidRuleError with every problem found, each with its path, such as ``rules.0.where.weekdays.1``.
    """
    try:
        rule = _load(data, depth=0)
    except ValidationError as error:
        raise InvalidRuleError(flatten(error.messages)) from None
    if sum(1 for _ in rules.all_leaves(rule)) > MAX_LEAVES:
        message = Message(N_("A rule has at most %(limit)s conditions. Split it into segments."), limit=MAX_LEAVES)
        raise InvalidRuleError([Problem("", message)])
    return rule


class RuleField(fields.Field[rules.Rule]):
    """A rule inside a marshmallow schema (the REST API's ``rule``); loads to a node, dumps its JSON as it is kept."""

    default_error_messages = dict(REQUIRED)  # noqa: RUF012 (marshmallow declares it as an instance variable)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> rules.Rule:
        return _load(value, depth=0)

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        return value


class AskedOfOthers(fields.Raw):
    """The rule that other people must fulfil; ``_load`` has read it, which knows how deep it stands."""


class WhereField(fields.Field[rules.Where]):
    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> rules.Where:
        if not isinstance(value, Mapping):
            raise ValidationError([Message(N_("Give conditions as an object, such as {“genres”: [“dance”]}."))])
        loaded: rules.Where = _loaded(_WhereSchema(), value)
        return loaded


# --- one schema per node ---------------------------------------------------------------------------------------------


class _NodeSchema(Schema):
    """Loads the fields of one node; ``build`` makes it, and its own refusals become errors by field."""

    error_messages: dict[str, str] = {  # noqa: RUF012 (marshmallow declares it as an instance variable)
        "unknown": Message(N_("This is not known here. Remove it, or check how it is spelled.")),
        "type": Message(N_("Give a rule as an object with a “type”.")),
    }

    def build(self, profile_values: dict[str, Any]) -> Any:
        """The node for the loaded ``values``."""
        raise TypeError(f"{type(self).__name__} does not say what it builds")

    @pre_load
    def drop_nulls(self, data: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """``null`` says the same as leaving a key out."""
        return {key: value for key, value in data.items() if value is not None}

    @post_load
    def make(self, values: dict[str, Any], **_kwargs: Any) -> Any:
        """The node, or an error at the field that it refuses."""
        try:
            return self.build(values)
        except FieldError as problem:
            raise ValidationError({problem.field: [problem.message]}) from None


class _WhereSchema(_NodeSchema):
    activities = Ids()
    series = Words()
    genres = Words()
    venues = Words()
    kinds = Words()
    audiences = Words()
    channels = Words()
    sources = Words()
    statuses = Words(*rules.STATUSES)
    price_between = Between()
    quantity_between = Between()
    weekdays = fields.List(
        fields.Integer(
            required=True,
            strict=True,
            validate=validate.Range(1, 7, error=Message(N_("A weekday is 1 (Monday) to 7 (Sunday)."))),
            error_messages=WHOLE,
        ),
        load_default=(),
        validate=some,
        error_messages=LIST,
    )
    lead_days_between = Between(whole=True)

    def build(self, values: dict[str, Any]) -> rules.Where:
        renamed: dict[str, Any] = {
            name.removesuffix("_between"): tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return rules.Where(**renamed)


class _OverParticipations(_NodeSchema):
    between = WindowField(attribute="window", load_default=EVERY_DATE)
    skip_closed = YesNo()
    date = fields.Enum(
        rules.DateOf,
        by_value=True,
        attribute="date_of",
        load_default=rules.DateOf.ACTIVITY,
        error_messages={"unknown": Message(N_("Choose “activity” or “booking”."))},
    )
    where = WhereField(load_default=rules.Where(), error_messages=REQUIRED)


class _FirstSchema(_OverParticipations):
    def build(self, values: dict[str, Any]) -> rules.FirstParticipation:
        return rules.FirstParticipation(**_take_window(values))


class _LastSchema(_OverParticipations):
    def build(self, values: dict[str, Any]) -> rules.LastParticipation:
        return rules.LastParticipation(**_take_window(values))


class _ParticipationSchema(_OverParticipations):
    measure = fields.Enum(
        rules.Measure,
        by_value=True,
        load_default=rules.Measure.COUNT,
        error_messages={"unknown": Message(N_("Choose one of %(allowed)s."), allowed=", ".join(rules.Measure))},
    )
    at_least = Exact(load_default=None)
    at_most = Exact(load_default=None)

    def build(self, values: dict[str, Any]) -> rules.Participation:
        return rules.Participation(bounds=_take_bounds(values), **_take_window(values))


class _ShareSchema(_OverParticipations):
    of = WhereField(required=True, error_messages=REQUIRED)
    at_least = Exact(load_default=None)
    at_most = Exact(load_default=None)
    min_count = fields.Integer(
        strict=True,
        load_default=1,
        validate=validate.Range(0, MAX_COUNT, error=Message(N_("min_count must be 0 or more."))),
        error_messages=WHOLE,
    )

    def build(self, values: dict[str, Any]) -> rules.Share:
        return rules.Share(bounds=_take_bounds(values), **_take_window(values))


class _ProfileSchema(_NodeSchema):
    field = fields.String(required=True, error_messages=TEXT)
    op = fields.Enum(
        rules.Op,
        by_value=True,
        required=True,
        error_messages={**REQUIRED, "unknown": Message(N_("Choose one of %(allowed)s."), allowed=", ".join(rules.Op))},
    )
    value = fields.Raw(load_default=None)

    def build(self, values: dict[str, Any]) -> rules.Profile:
        name, op = values["field"].strip(), values["op"]
        rules.Profile(name, op)  # so that a wrong field or operator is said before its value is read
        return rules.Profile(name, op, profile_values(rules.kind_of_field(name), op, values["value"]))


class _AnniversarySchema(_NodeSchema):
    field = fields.String(required=True, error_messages=TEXT)
    between = WindowField(attribute="window", load_default=EVERY_DATE)

    def build(self, values: dict[str, Any]) -> rules.Anniversary:
        return rules.Anniversary(values["field"].strip(), values["window"])


class _PermissionSchema(_NodeSchema):
    channel = fields.String(required=True, validate=OneOf(rules.CHANNELS), error_messages=TEXT)
    purpose = fields.String(required=True, validate=not_blank, error_messages=TEXT)
    is_allowed = fields.String(data_key="is", required=True, validate=OneOf(("allowed", "denied")), error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.Permission:
        return rules.Permission(values["channel"], values["purpose"], values["is_allowed"] == "allowed")


class _EngagementSchema(_NodeSchema):
    event = fields.String(required=True, validate=OneOf(rules.MAIL_EVENTS), error_messages=TEXT)
    measure = fields.String(load_default="count", validate=OneOf(("count",)), error_messages=TEXT)
    at_least = Exact(load_default=None)
    at_most = Exact(load_default=None)
    between = WindowField(attribute="window", load_default=EVERY_DATE)
    skip_closed = YesNo()
    mailing_id = Id(data_key="mailing", load_default=None)
    campaign = fields.String(load_default=None, validate=not_blank, error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.Engagement:
        del values["measure"]
        campaign = values.pop("campaign")
        return rules.Engagement(
            bounds=_take_bounds(values), campaign=campaign and campaign.strip(), **_take_window(values)
        )


class _PassSchema(_NodeSchema):
    programme = fields.String(required=True, validate=not_blank, error_messages=TEXT)
    standing = fields.String(data_key="is", required=True, validate=OneOf(rules.PASS_STANDINGS), error_messages=TEXT)
    expires = WindowField(load_default=None)
    points_at_least = Exact(load_default=None)

    def build(self, values: dict[str, Any]) -> rules.Pass:
        return rules.Pass(**{**values, "programme": values["programme"].strip()})


class _JourneySchema(_NodeSchema):
    journey_id = Id(data_key="journey", required=True)
    standing = fields.String(data_key="is", required=True, validate=OneOf(rules.JOURNEY_STANDINGS), error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.InJourney:
        return rules.InJourney(**values)


class _DeliverabilitySchema(_NodeSchema):
    standing = fields.String(data_key="is", required=True, validate=OneOf(rules.DELIVERABILITIES), error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.Deliverability:
        return rules.Deliverability(**values)


class _LikelySameSchema(_NodeSchema):
    rule = AskedOfOthers(required=True, error_messages=REQUIRED)
    who = fields.String(load_default="person", validate=OneOf(rules.ALIKE), error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.LikelySame:
        return rules.LikelySame(**values)


class _TagSchema(_NodeSchema):
    tag = fields.String(required=True, validate=not_blank, error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.Tag:
        return rules.Tag(values["tag"].strip())


class _SegmentSchema(_NodeSchema):
    segment_id = Id(data_key="segment", required=True)
    is_member = fields.String(
        data_key="is",
        load_default="member",
        validate=OneOf(("member", "not_member")),
        error_messages=TEXT,
    )

    def build(self, values: dict[str, Any]) -> rules.InSegment:
        return rules.InSegment(values["segment_id"], values["is_member"] == "member")


class _SampleSchema(_NodeSchema):
    percent = Exact(required=True)
    seed = fields.String(load_default="", error_messages=TEXT)

    def build(self, values: dict[str, Any]) -> rules.Sample:
        return rules.Sample(values["percent"], values["seed"])


LEAVES: dict[str, Callable[[], _NodeSchema]] = {
    "participation": _ParticipationSchema,
    "first_participation": _FirstSchema,
    "last_participation": _LastSchema,
    "share": _ShareSchema,
    "profile": _ProfileSchema,
    "anniversary": _AnniversarySchema,
    "permission": _PermissionSchema,
    "engagement": _EngagementSchema,
    "pass": _PassSchema,
    "journey": _JourneySchema,
    "deliverability": _DeliverabilitySchema,
    "likely_same": _LikelySameSchema,
    "tag": _TagSchema,
    "segment": _SegmentSchema,
    "sample": _SampleSchema,
}
# The node that each kind of condition becomes.
NODES: dict[str, type[rules.Leaf]] = {
    "participation": rules.Participation,
    "first_participation": rules.FirstParticipation,
    "last_participation": rules.LastParticipation,
    "share": rules.Share,
    "profile": rules.Profile,
    "anniversary": rules.Anniversary,
    "permission": rules.Permission,
    "engagement": rules.Engagement,
    "pass": rules.Pass,
    "journey": rules.InJourney,
    "deliverability": rules.Deliverability,
    "likely_same": rules.LikelySame,
    "tag": rules.Tag,
    "segment": rules.InSegment,
    "sample": rules.Sample,
}
WHERE = _WhereSchema
RULE_TYPES = ("all", "any", "not", *LEAVES)


# --- reading ---------------------------------------------------------------------------------------------------------


def _load(data: object, *, depth: int) -> rules.Rule:
    if not isinstance(data, Mapping):
        raise ValidationError([_NodeSchema.error_messages["type"]])
    if depth > MAX_DEPTH:
        raise ValidationError([Message(N_("Groups are nested more than %(limit)s deep."), limit=MAX_DEPTH)])
    kind = data.get("type")
    if kind in ("all", "any"):
        return _load_group(data, depth=depth)
    if kind == "not":
        return _load_not(data, depth=depth)
    schema = LEAVES.get(kind) if isinstance(kind, str) else None
    if schema is None:
        raise ValidationError({"type": [_unknown_type(kind)]})
    given = {key: value for key, value in data.items() if key != "type"}
    if kind == "likely_same" and given.get("rule") is not None:
        given["rule"] = _load_inner(given["rule"], depth=depth)
    rule: rules.Rule = _loaded(schema(), given)
    return rule


def _load_group(data: Mapping[str, Any], *, depth: int) -> rules.Rule:
    _refuse_others(data, ("type", "rules"))
    inner = data.get("rules")
    if not isinstance(inner, list):
        raise ValidationError({"rules": [LIST["invalid"]]})
    loaded: list[rules.Rule] = []
    errors: dict[int, Any] = {}
    for index, rule in enumerate(inner):
        try:
            loaded.append(_load(rule, depth=depth + 1))
        except ValidationError as error:
            errors[index] = error.messages
    if errors:
        raise ValidationError({"rules": errors})
    return rules.All(tuple(loaded)) if data["type"] == "all" else rules.AnyOf(tuple(loaded))


def _load_not(data: Mapping[str, Any], *, depth: int) -> rules.Not:
    _refuse_others(data, ("type", "rule"))
    return rules.Not(_load_inner(data.get("rule"), depth=depth))


def _load_inner(data: object, *, depth: int) -> rules.Rule:
    try:
        return _load(data, depth=depth + 1)
    except ValidationError as error:
        raise ValidationError({"rule": error.messages}) from None


def _refuse_others(data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    others = {str(key): [_NodeSchema.error_messages["unknown"]] for key in data if key not in known}
    if others:
        raise ValidationError(others)


def _unknown_type(kind: object) -> Message:
    if kind is None:
        return Message(N_("Say which “type” of rule this is: one of %(allowed)s."), allowed=", ".join(RULE_TYPES))
    return Message(
        N_("There is no rule of type “%(type)s”. Choose one of %(allowed)s."),
        type=str(kind)[:40],
        allowed=", ".join(RULE_TYPES),
    )


def _loaded(schema: _NodeSchema, data: Mapping[str, Any]) -> Any:
    plain = {key: value for key, value in data.items() if not isinstance(value, rules.Rule)}
    if storable(plain) != plain:
        raise ValidationError([Message(N_("There is a character in here that cannot be kept. Type the text again."))])
    return schema.load(data)


def _take_bounds(values: dict[str, Any]) -> rules.Bounds:
    return rules.Bounds(values.pop("at_least"), values.pop("at_most"))


def _take_window(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` whose window knows whether it skips the days on which the house was closed."""
    window = replace(values["window"], skips_closed=values.pop("skip_closed"))
    return {**values, "window": window}
