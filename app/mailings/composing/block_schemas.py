"""From JSON to the blocks of a mail and back: one schema for every kind of block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load, pre_load, validate

from app.mailings.composing import content as nodes
from app.mailings.composing.conditions import SEGMENT, TESTS, Condition
from app.mailings.composing.content_fields import (
    REQUIRED,
    ImageName,
    Link,
    NodeSchema,
    OwnField,
    RichText,
    Words,
    choice,
    whole,
    yes_no,
)
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.web_links import clean_link
from app.segments.problems import Message
from integrations.meanings import N_


class AskedField(fields.String):
    """What a condition asks: a personal field, or ``segment.<id>``."""

    def __init__(self) -> None:
        super().__init__(required=True, error_messages=REQUIRED)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        if not is_known(name) and not SEGMENT.fullmatch(name):
            raise ValidationError([Message(N_("Choose a field or a segment of the list."))])
        return name


class ConditionSchema(NodeSchema):
    """Who sees a block."""

    node = Condition
    field = AskedField()
    test = choice(*TESTS, default="known")
    value = Words(200)


class BlockSchema(NodeSchema):
    only_if = fields.Nested(ConditionSchema, load_default=None, allow_none=True)
    id = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[A-Za-z0-9_-]{1,40}$", error=Message(N_("An id is made of at most 40 letters, digits and dashes."))
        ),
        error_messages=REQUIRED,
    )


class CardSchema(NodeSchema):
    """An activity as it stood when the card was made."""

    node = nodes.Card
    activity_id = fields.Integer(required=True, strict=True, error_messages=REQUIRED)
    title = Words(1000)
    starts_at = fields.String(load_default="", validate=validate.Length(max=40))
    venue = Words(1000)
    url = fields.String(load_default="")
    is_cancelled = yes_no(False)

    @pre_load
    def only_safe_links(self, data: Mapping[str, Any], **_more: Any) -> dict[str, Any]:
        """A source may say anything; what is no link is left out."""
        url = data.get("url")
        return {**data, "url": clean_link(url) if isinstance(url, str) else ""}


class ChosenSchema(NodeSchema):
    """An activity that was picked."""

    node = nodes.ChosenActivity
    activity_id = fields.Integer(required=True, strict=True, error_messages=REQUIRED)
    image = ImageName()
    alt = Words()
    note = Words()


class HeaderSchema(BlockSchema):
    """The top of a mail."""

    node = nodes.Header
    title = Words(is_personal=True)
    has_logo = yes_no(True)


class TextSchema(BlockSchema):
    """Rich text."""

    node = nodes.TextBlock
    html = RichText()
    align = choice("left", "center", default="left")


class ImageSchema(BlockSchema):
    """A picture."""

    node = nodes.ImageBlock
    image = ImageName()
    alt = Words()
    url = Link()
    width_pct = whole(100, 10, 100)
    is_decorative = yes_no(False)


class ButtonSchema(BlockSchema):
    """A button."""

    node = nodes.Button
    label = Words(160, is_personal=True)
    url = Link()
    align = choice("left", "center", default="center")


class ActivitiesSchema(BlockSchema):
    """Cards of activities."""

    node = nodes.Activities
    mode = choice("chosen", "automatic", default="chosen")
    chosen = fields.List(fields.Nested(ChosenSchema), load_default=list, validate=validate.Length(max=nodes.CARDS_MAX))
    genre = Words(200)
    venue = Words(200)
    audience = Words(200)
    count = whole(3, 1, nodes.CARDS_MAX)
    layout = choice("list", "grid", default="list")
    button_label = Words(80)
    cards = fields.List(fields.Nested(CardSchema), load_default=list, validate=validate.Length(max=nodes.CARDS_MAX))


class DividerSchema(BlockSchema):
    """A line."""

    node = nodes.Divider


class SpacerSchema(BlockSchema):
    """Room."""

    node = nodes.Spacer
    height = whole(24, 4, 120)


class SurveySchema(BlockSchema):
    """A question with answers."""

    node = nodes.Survey
    question = Words(is_personal=True)
    url = Link()
    answers = fields.List(Words(60), load_default=list, validate=validate.Length(max=11))
    field = OwnField()


class FooterSchema(BlockSchema):
    """What stands above the legal lines."""

    node = nodes.Footer
    html = RichText()


class BlockField(fields.Field[Any]):
    """A block of one of the kinds in ``schemas``, told apart by its ``type``."""

    def __init__(self, *, is_inner: bool = False) -> None:
        super().__init__(required=True, error_messages=REQUIRED)
        self.is_inner = is_inner

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValidationError([Message(N_("Give a block as an object with a “type”."))])
        known = INNER if self.is_inner else BLOCKS
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in known:
            message = Message(N_("There is no such kind of block. There are: %(kinds)s."), kinds=", ".join(known))
            raise ValidationError({"type": [message]})
        return known[kind]().load({name: each for name, each in value.items() if name != "type"})

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        kind = KINDS[type(value)]
        dumped = BLOCKS[kind]().dump(value)
        # What is empty is left out, so that words which were frozen before stay the same words.
        left_out = [name for name in ("cards", "only_if", "audience") if not dumped.get(name)]
        return {"type": kind} | {name: each for name, each in dumped.items() if name not in left_out}


class ColumnsSchema(BlockSchema):
    """Columns beside one another."""

    node = nodes.Columns
    columns = fields.List(
        fields.List(BlockField(is_inner=True), validate=validate.Length(max=12)),
        required=True,
        validate=validate.Length(2, 3, error=Message(N_("There are two or three columns."))),
        error_messages=REQUIRED,
    )

    @post_load
    def make(self, values: dict[str, Any], **_more: Any) -> Any:
        """Return the node, its columns tuples as well."""
        columns = tuple(tuple(each) for each in values["columns"])
        return nodes.Columns(id=values["id"], columns=columns, only_if=values["only_if"])


BLOCKS: dict[str, type[BlockSchema]] = {
    "header": HeaderSchema,
    "text": TextSchema,
    "image": ImageSchema,
    "button": ButtonSchema,
    "activities": ActivitiesSchema,
    "columns": ColumnsSchema,
    "divider": DividerSchema,
    "spacer": SpacerSchema,
    "survey": SurveySchema,
    "footer": FooterSchema,
}
INNER = {kind: BLOCKS[kind] for kind in ("text", "image", "button", "spacer")}
KINDS: dict[type, str] = {schema.node: kind for kind, schema in BLOCKS.items()}
