"""From JSON to the nodes of a mailing's content and back, with every problem named by its path and in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from app.accounts.house_colours import parse_colour
from app.contacts.json_data import storable
from app.mailings.composing import content as nodes
from app.mailings.composing.conditions import SEGMENT, TESTS, Condition
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import one_line, pieces_of
from app.mailings.composing.problems import BracesError, InvalidContentError
from app.mailings.composing.rich_text import html_of, parts_of
from app.mailings.composing.web_links import LINK_MAX, clean_link, link_problem
from app.segments.problems import Message, Problem, flatten
from integrations.meanings import N_

VARIANTS_MAX = 4
SUBJECT_MAX = 300
LINE_MAX = 300
OWN_FIELD = re.compile(r"attributes\.[A-Za-z0-9_]{1,60}")
Errors = dict[str, Any]

REQUIRED: Errors = {
    "required": Message(N_("This is missing.")),
    "null": Message(N_("This may not be empty.")),
    "invalid": Message(N_("This is of another kind than we expect.")),
}
_UNKNOWN = Message(N_("This is not known here. Remove it, or check how it is spelled."))
_TOO_LONG = N_("This is too long: at most %(most)s characters.")


def parse_content(data: object) -> nodes.MailContent:
    """Return the nodes that ``data`` (decoded JSON) says; raises InvalidContentError with every problem and its path.

    Texts are cleaned on the way: rich text is written anew, a subject is one line, control characters go.
    """
    try:
        loaded: nodes.MailContent = ContentSchema().load(storable(data) if isinstance(data, Mapping) else {"": data})
    except ValidationError as error:
        raise InvalidContentError(_in_json(each) for each in flatten(error.messages)) from None
    return loaded


def _in_json(problem: Problem) -> Problem:
    """Return a problem with its place in the JSON; marshmallow calls what stands under a language its ``value``."""
    return Problem(re.sub(r"(\.texts\.[^.]+)\.(value|key)\b", r"\1", problem.path), problem.message)


def content_json(content: nodes.MailContent) -> dict[str, Any]:
    """Return content as JSON that ``parse_content`` reads back the same."""
    dumped: dict[str, Any] = ContentSchema().dump(content)
    return dumped


class Words(fields.String):
    """One line of words for people, perhaps with personal fields."""

    def __init__(self, most: int = LINE_MAX, *, is_personal: bool = False, **more: Any) -> None:
        super().__init__(load_default="", error_messages=REQUIRED, **more)
        self.most, self.is_personal = most, is_personal

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        words = one_line(super()._deserialize(value, *args, **kwargs))
        _check_words(words, most=self.most, is_personal=self.is_personal)
        return words


class RichText(fields.String):
    """HTML of the few kinds that we know; everything else in it is gone when it is read."""

    def __init__(self) -> None:
        super().__init__(load_default="", error_messages=REQUIRED)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        html = re.sub("[\ue000\ue001]", "", super()._deserialize(value, *args, **kwargs))
        if len(html) > nodes.TEXT_MAX * 3:
            raise ValidationError([Message(_TOO_LONG, most=nodes.TEXT_MAX)])
        parts = parts_of(html)
        for runs in (item for part in parts for item in part.items):
            for run in runs:
                _check_words(run.words, most=nodes.TEXT_MAX, is_personal=True)
        return html_of(parts)


class OwnField(fields.String):
    """A field of the house's own, ``attributes.<key>``; empty for none."""

    def __init__(self) -> None:
        super().__init__(load_default="", error_messages=REQUIRED)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        typed = super()._deserialize(value, *args, **kwargs).strip()
        if typed and not OWN_FIELD.fullmatch(typed):
            raise ValidationError(
                [Message(N_("Name a field of your own: attributes.<key>, with letters, digits and _."))]
            )
        return typed


class Link(fields.String):
    """Where a link goes. Empty while it is being composed; the checks before sending ask for it."""

    def __init__(self) -> None:
        super().__init__(load_default="", error_messages=REQUIRED)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        typed = super()._deserialize(value, *args, **kwargs).strip()[: LINK_MAX + 1]
        link = clean_link(typed)
        if typed and link_problem(link or typed) not in (None, "empty"):
            raise ValidationError([Message(N_("This is no link. A link begins with https://, mailto: or tel:."))])
        return link


class Colour(fields.Field[str | None]):
    """A colour as ``#rrggbb``."""

    def __init__(self) -> None:
        super().__init__(load_default=None, allow_none=True)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str | None:
        colour = parse_colour(value) if isinstance(value, str) else None
        if value != "" and colour is None:
            raise ValidationError([Message(N_("Write a colour as six digits, such as #b3202c."))])
        return colour


class ImageName(fields.String):
    """The name of an uploaded image, as its address says it; empty for none."""

    def __init__(self) -> None:
        super().__init__(load_default="", validate=_one_of_pattern(r"([A-Za-z0-9_-]{16,64}\.(png|jpg|gif|webp))?"))


def _one_of_pattern(pattern: str) -> validate.Regexp:
    return validate.Regexp(rf"^{pattern}$", error=Message(N_("There is no such image.")))


def _check_words(words: str, *, most: int, is_personal: bool) -> None:
    if len(words) > most:
        raise ValidationError([Message(_TOO_LONG, most=most)])
    if is_personal:
        try:
            pieces_of(words, is_known)
        except BracesError as problem:
            raise ValidationError([problem.message]) from None


def _choice(*allowed: str, default: str) -> fields.String:
    error = Message(N_("Choose one of: %(allowed)s."), allowed=", ".join(allowed))
    return fields.String(load_default=default, validate=validate.OneOf(allowed, error=error), error_messages=REQUIRED)


def _whole(default: int, least: int, most: int) -> fields.Integer:
    error = Message(N_("Give a whole number from %(least)s to %(most)s."), least=least, most=most)
    limits = validate.Range(least, most, error=error)
    return fields.Integer(load_default=default, strict=True, validate=limits, error_messages=REQUIRED)


def _yes_no(default: bool) -> fields.Boolean:
    return fields.Boolean(load_default=default, truthy={True}, falsy={False}, error_messages=REQUIRED)


class _NodeSchema(Schema):
    """Loads the fields of one node into it."""

    node: type
    error_messages: Errors = {  # noqa: RUF012 (marshmallow declares it as an instance variable)
        "unknown": _UNKNOWN,
        "type": Message(N_("Give an object here.")),
    }

    @post_load
    def make(self, values: dict[str, Any], **_more: Any) -> Any:
        """Return the node."""
        made = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return self.node(**made)


class AskedField(fields.String):
    """What a condition asks: a personal field, or ``segment.<id>``."""

    def __init__(self) -> None:
        super().__init__(required=True, error_messages=REQUIRED)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        if not is_known(name) and not SEGMENT.fullmatch(name):
            raise ValidationError([Message(N_("Choose a field or a segment of the list."))])
        return name


class ConditionSchema(_NodeSchema):
    """Who sees a block."""

    node = Condition
    field = AskedField()
    test = _choice(*TESTS, default="known")
    value = Words(200)


class _BlockSchema(_NodeSchema):
    only_if = fields.Nested(ConditionSchema, load_default=None, allow_none=True)
    id = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[A-Za-z0-9_-]{1,40}$", error=Message(N_("An id is made of at most 40 letters, digits and dashes."))
        ),
        error_messages=REQUIRED,
    )


class CardSchema(_NodeSchema):
    """An activity as it stood when the card was made."""

    node = nodes.Card
    activity_id = fields.Integer(required=True, strict=True, error_messages=REQUIRED)
    title = Words(1000)
    starts_at = fields.String(load_default="", validate=validate.Length(max=40))
    venue = Words(1000)
    url = fields.String(load_default="")
    is_cancelled = _yes_no(False)

    @pre_load
    def only_safe_links(self, data: Mapping[str, Any], **_more: Any) -> dict[str, Any]:
        """A source may say anything; what is no link is left out."""
        url = data.get("url")
        return {**data, "url": clean_link(url) if isinstance(url, str) else ""}


class ChosenSchema(_NodeSchema):
    """An activity that was picked."""

    node = nodes.ChosenActivity
    activity_id = fields.Integer(required=True, strict=True, error_messages=REQUIRED)
    image = ImageName()
    alt = Words()
    note = Words()


class HeaderSchema(_BlockSchema):
    """The top of a mail."""

    node = nodes.Header
    title = Words(is_personal=True)
    has_logo = _yes_no(True)


class TextSchema(_BlockSchema):
    """Rich text."""

    node = nodes.TextBlock
    html = RichText()
    align = _choice("left", "center", default="left")


class ImageSchema(_BlockSchema):
    """A picture."""

    node = nodes.ImageBlock
    image = ImageName()
    alt = Words()
    url = Link()
    width_pct = _whole(100, 10, 100)
    is_decorative = _yes_no(False)


class ButtonSchema(_BlockSchema):
    """A button."""

    node = nodes.Button
    label = Words(160, is_personal=True)
    url = Link()
    align = _choice("left", "center", default="center")


class ActivitiesSchema(_BlockSchema):
    """Cards of activities."""

    node = nodes.Activities
    mode = _choice("chosen", "automatic", default="chosen")
    chosen = fields.List(fields.Nested(ChosenSchema), load_default=list, validate=validate.Length(max=nodes.CARDS_MAX))
    genre = Words(200)
    venue = Words(200)
    audience = Words(200)
    count = _whole(3, 1, nodes.CARDS_MAX)
    layout = _choice("list", "grid", default="list")
    button_label = Words(80)
    cards = fields.List(fields.Nested(CardSchema), load_default=list, validate=validate.Length(max=nodes.CARDS_MAX))


class DividerSchema(_BlockSchema):
    """A line."""

    node = nodes.Divider


class SpacerSchema(_BlockSchema):
    """Room."""

    node = nodes.Spacer
    height = _whole(24, 4, 120)


class SurveySchema(_BlockSchema):
    """A question with answers."""

    node = nodes.Survey
    question = Words(is_personal=True)
    url = Link()
    answers = fields.List(Words(60), load_default=list, validate=validate.Length(max=11))
    field = OwnField()


class FooterSchema(_BlockSchema):
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


class ColumnsSchema(_BlockSchema):
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


BLOCKS: dict[str, type[_BlockSchema]] = {
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


class LanguageTextSchema(_NodeSchema):
    """What a variant says in one language."""

    node = nodes.LanguageText
    subject = Words(SUBJECT_MAX, is_personal=True)
    preheader = Words(is_personal=True)
    blocks = fields.List(
        BlockField(),
        load_default=list,
        validate=validate.Length(
            max=nodes.BLOCKS_MAX, error=Message(N_("A mail has at most %(most)s blocks."), most=nodes.BLOCKS_MAX)
        ),
    )

    @post_load
    def make(self, values: dict[str, Any], **more: Any) -> Any:
        """Return the node; no two of its blocks have one id."""
        made: nodes.LanguageText = super().make(values, **more)
        ids = [block.id for block in nodes.walk(made.blocks)]
        twice = next((each for each in ids if ids.count(each) > 1), None)
        if twice is not None:
            raise ValidationError({"blocks": [Message(N_("Two blocks have the id “%(id)s”."), id=twice)]})
        return made


class VariantSchema(_NodeSchema):
    """One of the ways in which a mailing is written."""

    node = nodes.Variant
    name = fields.String(
        required=True,
        validate=validate.Regexp(r"^[A-Z]$", error=Message(N_("A variant is called by one letter, from A on."))),
        error_messages=REQUIRED,
    )
    texts = fields.Dict(
        keys=fields.String(validate=validate.OneOf(nodes.LANGUAGES, error=Message(N_("A language is nl, fr or en.")))),
        values=fields.Nested(LanguageTextSchema),
        required=True,
        error_messages=REQUIRED,
    )


class StyleSchema(_NodeSchema):
    """What a mailing does otherwise than the house."""

    node = nodes.Style
    colour = Colour()
    button_colour = Colour()
    background = Colour()
    text_colour = Colour()
    font = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(
            ("sans", "serif", "humanist", "grotesk", "slab"), error=Message(N_("There is no such typeface."))
        ),
    )


class ContentSchema(_NodeSchema):
    """The content of a mailing: style, variants, languages, blocks."""

    node = nodes.MailContent
    style = fields.Nested(StyleSchema, load_default=nodes.Style)
    variants = fields.List(
        fields.Nested(VariantSchema),
        required=True,
        validate=validate.Length(
            1, VARIANTS_MAX, error=Message(N_("A mailing has one to %(most)s variants."), most=VARIANTS_MAX)
        ),
        error_messages=REQUIRED,
    )

    @post_load
    def make(self, values: dict[str, Any], **more: Any) -> Any:
        """Return the node; no two variants have one name."""
        made: nodes.MailContent = super().make(values, **more)
        names = [each.name for each in made.variants]
        if len(set(names)) < len(names):
            raise ValidationError({"variants": [Message(N_("Two variants have the same letter."))]})
        return made


def blank_content(languages: Sequence[str], *, greeting: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the JSON of an empty mail in these languages: a header, room for words, and a footer."""
    words = greeting or {}
    return {
        "style": {},
        "variants": [
            {
                "name": "A",
                "texts": {
                    language: {
                        "subject": "",
                        "preheader": "",
                        "blocks": [
                            {"type": "header", "id": "top"},
                            {"type": "text", "id": "words", "html": words.get(language, "")},
                            {"type": "footer", "id": "end"},
                        ],
                    }
                    for language in languages
                },
            }
        ],
    }
