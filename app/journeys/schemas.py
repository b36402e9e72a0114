"""From JSON to a definition: every problem with its path (``steps.2.branches.0.when.rules.1.field``) and in words.

``TRIGGERS`` and ``STEPS`` name the schema of every kind; a test holds both against the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from app.accounts.addresses import normalise_email
from app.contacts.json_data import storable
from app.journeys import definition as nodes
from app.journeys.problems import InvalidDefinitionError
from app.journeys.spans import Span
from app.segments.language import rules
from app.segments.language.rule_fields import LIST, REQUIRED, TEXT, WHOLE, Exact, Id, OneOf, Words, not_blank
from app.segments.language.schemas import RuleField, WhereField
from app.segments.problems import N_, FieldError, Message, flatten

_OBJECT = Message(N_("Give a journey as an object with a trigger and steps."))
_NOT_A_SPAN = Message(N_("Give a duration such as P2D, P1M, PT4H or -P7D."))
_NOT_A_TIME = Message(N_("Give a time of day such as 10:00."))


def parse_definition(data: object) -> nodes.Definition:
    """The definition that ``data`` (decoded JSON) says.

    Raises InvalidDefinitionError with every problem found, each with its path.
    """
    try:
        if not isinstance(data, Mapping):
            raise ValidationError([_OBJECT])
        definition: nodes.Definition = _loaded(_DefinitionSchema(), data)
    except ValidationError as error:
        raise InvalidDefinitionError(flatten(error.messages)) from None
    return definition


# --- fields ----------------------------------------------------------------------------------------------------------


class SpanField(fields.Field[Span]):
    """An ISO 8601 duration, hours and minutes included."""

    default_error_messages = dict(REQUIRED)  # noqa: RUF012 (marshmallow declares it as an instance variable)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Span:
        try:
            return Span.parse(value if isinstance(value, str) else "")
        except ValueError:
            raise ValidationError([_NOT_A_SPAN]) from None


class ReentryField(SpanField):
    """``never``, ``after_exit``, or a duration."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if value in nodes.REENTRIES else super()._deserialize(value, *args, **kwargs)


class TimeField(fields.Field[time]):
    """A time of day, ``HH:MM``."""

    default_error_messages = dict(REQUIRED)  # noqa: RUF012 (marshmallow declares it as an instance variable)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> time:
        hours, colon, minutes = value.strip().partition(":") if isinstance(value, str) else ("", "", "")
        if not (
            colon and len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdecimal()
        ):
            raise ValidationError([_NOT_A_TIME])
        try:
            return time(int(hours), int(minutes))
        except ValueError:
            raise ValidationError([_NOT_A_TIME]) from None


class TriggerField(fields.Field[nodes.Trigger]):
    """What lets people in, or what somebody waits for."""

    default_error_messages = dict(REQUIRED)  # noqa: RUF012 (marshmallow declares it as an instance variable)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> nodes.Trigger:
        trigger: nodes.Trigger = _typed(
            value, TRIGGERS, Message(N_("Choose what lets people in: an object with a “type”."))
        )
        return trigger


class StepsField(fields.Field[tuple[nodes.Step, ...]]):
    """A list of steps, in order; how deep it stands is counted."""

    def __init__(self) -> None:
        super().__init__(load_default=(), error_messages=LIST)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[nodes.Step, ...]:
        depth = self.context_depth()
        if not isinstance(value, list):
            raise ValidationError([LIST["invalid"]])
        if depth > nodes.MAX_DEPTH:
            raise ValidationError([Message(N_("Branches are nested more than %(limit)s deep."), limit=nodes.MAX_DEPTH)])
        if len(value) > nodes.MAX_STEPS:
            raise ValidationError([Message(N_("A journey has at most %(limit)s steps."), limit=nodes.MAX_STEPS)])
        return tuple(_each(value, lambda one: _load_step(one, depth=depth)))

    def context_depth(self) -> int:
        """How many branches this list stands in."""
        return getattr(self.root, "depth", 0)


class ValueField(fields.Field[nodes.Value]):
    """A text, a number, true or false; null empties."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> nodes.Value:
        match value:
            case None | bool():
                return value
            case str() if len(value) <= nodes.LONGEST_TEXT:
                return value.strip()
            case int() | float() | Decimal():
                return Exact().deserialize(value)
            case _:
                raise ValidationError([Message(N_("Give a text, a number, true, false or null."))])


class _Whole(fields.Integer):
    def __init__(self, low: int, high: int, **more: Any) -> None:
        said = Message(N_("Give a whole number from %(low)s to %(high)s."), low=low, high=high)
        super().__init__(strict=True, validate=validate.Range(low, high, error=said), error_messages=WHOLE, **more)


# --- the schemas -----------------------------------------------------------------------------------------------------


class NodeSchema(Schema):
    """Loads the fields of one node; ``node`` is what they make, and its refusals become errors by field."""

    node: Callable[..., Any]
    error_messages: dict[str, str] = {  # noqa: RUF012 (marshmallow declares it as an instance variable)
        "unknown": Message(N_("This is not known here. Remove it, or check how it is spelled.")),
        "type": Message(N_("Give an object.")),
    }

    def __init__(self, *, depth: int = 0) -> None:
        self.depth = depth
        super().__init__()

    @pre_load
    def drop_nulls(self, data: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """``null`` says the same as leaving a key out."""
        return {key: value for key, value in data.items() if value is not None}

    @post_load
    def make(self, values: dict[str, Any], **_kwargs: Any) -> Any:
        """The node, or an error at the field that it refuses."""
        try:
            return type(self).node(**values)
        except FieldError as problem:
            raise ValidationError({problem.field: [problem.message]}) from None


def _word(*allowed: str, **more: Any) -> fields.String:
    return fields.String(validate=OneOf(allowed), error_messages=TEXT, **more)


def _text(limit: int = 200, **more: Any) -> fields.String:
    length = validate.Length(max=limit, error=Message(N_("Use at most %(limit)s characters."), limit=limit))
    return fields.String(required=True, validate=[not_blank, length], error_messages=TEXT, **more)


class _SegmentTrigger(NodeSchema):
    node = nodes.OnSegment
    segment_id = Id(data_key="segment", required=True)
    on = _word(*nodes.SEGMENT_TURNS, load_default="enter")


class _ParticipationTrigger(NodeSchema):
    node = nodes.OnParticipation
    on = _word(*nodes.PARTICIPATION_TURNS, required=True)
    where = WhereField(load_default=rules.EVERY_PARTICIPATION, error_messages=REQUIRED)
    nth = _Whole(1, 10_000, load_default=None)
    who = _word(*nodes.WHO, load_default="attendee")


class _ActivityTrigger(NodeSchema):
    node = nodes.OnActivity
    offset = SpanField(required=True)
    where = WhereField(load_default=rules.EVERY_PARTICIPATION, error_messages=REQUIRED)
    who = _word(*nodes.WHO, load_default="attendee")


class _AnniversaryTrigger(NodeSchema):
    node = nodes.OnAnniversary
    field = _text()
    offset = SpanField(load_default=nodes.AT_ONCE)


class _PassTrigger(NodeSchema):
    node = nodes.OnPass
    programme = _text()
    on = _word(*nodes.PASS_TURNS, required=True)
    nth = _Whole(1, 10_000, load_default=None)
    offset = SpanField(load_default=None)


class _ConsentTrigger(NodeSchema):
    node = nodes.OnConsent
    channel = _word(*rules.CHANNELS, required=True)
    purpose = _text()
    on = _word(*nodes.CONSENT_TURNS, load_default="granted")


class _FormTrigger(NodeSchema):
    node = nodes.OnForm
    form_id = Id(data_key="form", required=True)


class _ApiTrigger(NodeSchema):
    node = nodes.OnApi


def _a_step_id(text: str) -> str:
    if not nodes.is_step_id(text):
        raise ValidationError([nodes.NOT_A_STEP_ID])
    return text


class _StepSchema(NodeSchema):
    id = fields.String(required=True, validate=_a_step_id, error_messages=TEXT)


class _Send(_StepSchema):
    node = nodes.Send
    mailing_id = Id(data_key="mailing", required=True)


class _Wait(_StepSchema):
    node = nodes.Wait
    span = SpanField(data_key="for", required=True)
    at = TimeField(load_default=None)
    weekdays = fields.List(_Whole(1, 7), load_default=(), error_messages=LIST)

    @post_load
    def make(self, values: dict[str, Any], **_kwargs: Any) -> nodes.Wait:
        """The node; its days in order, each once."""
        wait: nodes.Wait = super().make({**values, "weekdays": tuple(sorted(set(values["weekdays"])))})
        return wait


class _WaitUntil(_StepSchema):
    node = nodes.WaitUntil
    relative_to = _word("activity", load_default="activity")
    offset = SpanField(required=True)
    if_past = _word(*nodes.IF_PAST, load_default="skip")


class _WaitFor(_StepSchema):
    node = nodes.WaitFor
    trigger = TriggerField(required=True)
    timeout = SpanField(required=True)
    then = StepsField()
    otherwise = StepsField()


class _Branch(NodeSchema):
    node = nodes.Branch
    when = RuleField(required=True)
    steps = StepsField()


class _Portion(NodeSchema):
    node = nodes.Portion
    name = _text(60)
    weight = _Whole(0, nodes.MAX_WEIGHT, required=True)
    steps = StepsField()


class Branches(fields.Field[tuple[Any, ...]]):
    """A list of branches, each read one deeper than the step that branches."""

    def __init__(self, schema: type[NodeSchema], **more: Any) -> None:
        self.schema_of_one = schema
        super().__init__(required=True, error_messages=LIST, **more)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValidationError([LIST["invalid"]])
        if len(value) > nodes.MAX_BRANCHES:
            message = Message(N_("A step has at most %(limit)s branches."), limit=nodes.MAX_BRANCHES)
            raise ValidationError([message])
        depth = getattr(self.root, "depth", 0)
        return tuple(_each(value, lambda one: _loaded(self.schema_of_one(depth=depth), one)))


class _Choose(_StepSchema):
    node = nodes.Choose
    branches = Branches(_Branch)
    otherwise = StepsField()


class _Split(_StepSchema):
    node = nodes.Split
    portions = Branches(_Portion, data_key="branches")


class _Tag(_StepSchema):
    node = nodes.Tag
    add = Words()
    remove = Words()

    @pre_load
    def drop_empty_lists(self, data: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """An empty list says the same as leaving it out."""
        return {key: value for key, value in data.items() if value != []}

    @post_load
    def make(self, values: dict[str, Any], **_kwargs: Any) -> nodes.Tag:
        """The node; every tag once, without blanks around it."""
        for side in ("add", "remove"):
            values[side] = tuple(dict.fromkeys(tag.strip() for tag in values[side]))
            if len(values[side]) > nodes.MAX_TAGS:
                raise ValidationError({side: [Message(N_("Give at most %(limit)s values."), limit=nodes.MAX_TAGS)]})
        tag: nodes.Tag = super().make(values)
        return tag


class _SetField(_StepSchema):
    node = nodes.SetField
    field = _text()
    value = ValueField(load_default=None, allow_none=True)


class _Audience(_StepSchema):
    node = nodes.ChangeAudience
    audience_id = Id(data_key="audience", required=True)
    do = _word(*nodes.AUDIENCE_DEEDS, required=True)


def _an_address(text: str) -> str:
    if normalise_email(text) is None:
        raise ValidationError([Message(N_("This is not an e-mail address. Write it as name@example.org."))])
    return text


class _Notify(_StepSchema):
    node = nodes.Notify
    to = fields.String(required=True, validate=[not_blank, _an_address], error_messages=TEXT)
    text = _text(nodes.LONGEST_TEXT)


def _a_web_address(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or len(text) > nodes.LONGEST_TEXT or any(sign <= " " for sign in text.strip()):
        raise ValidationError([Message(N_("Give a whole web address, such as https://example.org/arrived."))])
    if parts.username is not None or parts.password is not None:
        raise ValidationError([Message(N_("Leave the name and password out of the web address."))])
    return text


class _Webhook(_StepSchema):
    node = nodes.CallWebhook
    url = fields.String(required=True, validate=[not_blank, _a_web_address], error_messages=TEXT)


class _Exit(_StepSchema):
    node = nodes.Exit


class _Goal(NodeSchema):
    node = nodes.Goal
    rule = RuleField(required=True)
    within = SpanField(required=True)


class _Quiet(NodeSchema):
    node = nodes.Quiet
    since = TimeField(data_key="from", required=True)
    until = TimeField(required=True)


class Inner(fields.Field[Any]):
    """An object inside the definition."""

    default_error_messages = dict(REQUIRED)  # noqa: RUF012 (marshmallow declares it as an instance variable)

    def __init__(self, schema: type[NodeSchema]) -> None:
        self.schema_of_one = schema
        super().__init__(load_default=None)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        return _loaded(self.schema_of_one(), value)


class _DefinitionSchema(NodeSchema):
    node = nodes.Definition
    trigger = TriggerField(required=True)
    only_whom = RuleField(data_key="only", attribute="only", load_default=None)
    purpose = _text(60)
    reentry = ReentryField(load_default="never")
    goal = Inner(_Goal)
    holdout_percent = Exact(load_default=Decimal(0))
    quiet = Inner(_Quiet)
    steps = StepsField()


TRIGGERS: dict[str, type[NodeSchema]] = {
    "segment": _SegmentTrigger,
    "participation": _ParticipationTrigger,
    "activity": _ActivityTrigger,
    "anniversary": _AnniversaryTrigger,
    "pass": _PassTrigger,
    "consent": _ConsentTrigger,
    "form": _FormTrigger,
    "api": _ApiTrigger,
}
STEPS: dict[str, type[NodeSchema]] = {
    "send": _Send,
    "wait": _Wait,
    "wait_until": _WaitUntil,
    "wait_for": _WaitFor,
    "choose": _Choose,
    "split": _Split,
    "tag": _Tag,
    "set": _SetField,
    "audience": _Audience,
    "notify": _Notify,
    "webhook": _Webhook,
    "exit": _Exit,
}
DEFINITION = _DefinitionSchema


# --- reading ---------------------------------------------------------------------------------------------------------


def _load_step(data: object, *, depth: int) -> nodes.Step:
    step: nodes.Step = _typed(data, STEPS, Message(N_("Give a step as an object with a “type”.")), depth=depth + 1)
    return step


def _typed(data: object, known: Mapping[str, type[NodeSchema]], otherwise: Message, *, depth: int = 0) -> Any:
    if not isinstance(data, Mapping):
        raise ValidationError([otherwise])
    kind = data.get("type")
    schema = known.get(kind) if isinstance(kind, str) else None
    if schema is None:
        message = Message(
            N_("There is no “%(type)s” here. Choose one of %(allowed)s."),
            type="" if kind is None else str(kind)[:40],
            allowed=", ".join(known),
        )
        raise ValidationError({"type": [message]})
    return _loaded(schema(depth=depth), {key: value for key, value in data.items() if key != "type"})


def _each(values: list[Any], load: Callable[[Any], Any]) -> list[Any]:
    """Every value loaded, or the errors of all of them by place."""
    loaded: list[Any] = []
    errors: dict[int, Any] = {}
    for place, value in enumerate(values):
        try:
            loaded.append(load(value))
        except ValidationError as error:
            errors[place] = error.messages
    if errors:
        raise ValidationError(errors)
    return loaded


def _loaded(schema: NodeSchema, data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise ValidationError([schema.error_messages["type"]])
    plain = dict(data)
    if storable(plain) != plain:
        raise ValidationError([Message(N_("There is a character in here that cannot be kept. Type the text again."))])
    return schema.load(plain)
