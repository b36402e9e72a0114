"""The fields that content is read with: words, rich text, links, colours, pictures. Each cleans what it reads."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from app.accounts.house_colours import parse_colour
from app.mailings.composing.content import TEXT_MAX
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import one_line, pieces_of
from app.mailings.composing.problems import BracesError
from app.mailings.composing.rich_text import html_of, parts_of
from app.mailings.composing.web_links import LINK_MAX, clean_link, link_problem
from app.segments.problems import Message
from integrations.meanings import N_

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
        if len(html) > TEXT_MAX * 3:
            raise ValidationError([Message(_TOO_LONG, most=TEXT_MAX)])
        parts = parts_of(html)
        for runs in (item for part in parts for item in part.items):
            for run in runs:
                _check_words(run.words, most=TEXT_MAX, is_personal=True)
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


def choice(*allowed: str, default: str) -> fields.String:
    error = Message(N_("Choose one of: %(allowed)s."), allowed=", ".join(allowed))
    return fields.String(load_default=default, validate=validate.OneOf(allowed, error=error), error_messages=REQUIRED)


def whole(default: int, least: int, most: int) -> fields.Integer:
    error = Message(N_("Give a whole number from %(least)s to %(most)s."), least=least, most=most)
    limits = validate.Range(least, most, error=error)
    return fields.Integer(load_default=default, strict=True, validate=limits, error_messages=REQUIRED)


def yes_no(default: bool) -> fields.Boolean:
    return fields.Boolean(load_default=default, truthy={True}, falsy={False}, error_messages=REQUIRED)


class NodeSchema(Schema):
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
