"""From JSON to the nodes of a mailing's content and back, with every problem named by its path and in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from app.contacts.json_data import storable
from app.mailings.composing import content as nodes
from app.mailings.composing.block_schemas import BlockField
from app.mailings.composing.content_fields import REQUIRED, Colour, NodeSchema, Words
from app.mailings.composing.problems import InvalidContentError
from app.segments.problems import Message, Problem, flatten
from integrations.meanings import N_

VARIANTS_MAX = 4
SUBJECT_MAX = 300


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


class LanguageTextSchema(NodeSchema):
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


class VariantSchema(NodeSchema):
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


class StyleSchema(NodeSchema):
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


class ContentSchema(NodeSchema):
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
