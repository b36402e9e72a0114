"""The values inside a rule: numbers, dates, texts, lists and windows, read exactly and refused in plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import ValidationError, fields

from app.segments.language import rules
from app.segments.language.windows import Window
from app.segments.problems import N_, FieldError, Message

MAX_VALUES = 1000

Messages = dict[str, str | list[Any] | dict[Any, Any]]

REQUIRED: Messages = {"required": Message(N_("This is missing.")), "null": Message(N_("This may not be empty."))}
TEXT: Messages = {**REQUIRED, "invalid": Message(N_("Give a text."))}
WHOLE: Messages = {**REQUIRED, "invalid": Message(N_("Give a whole number."))}
LIST: Messages = {**REQUIRED, "invalid": Message(N_("Give a list."))}
_EMPTY_LIST = Message(N_("Choose at least one."))


class Exact(fields.Field[Decimal]):
    """A JSON number, kept exactly as it was written; texts and true or false are refused."""

    default_error_messages = {**REQUIRED, "invalid": Message(N_("Give a number."))}  # noqa: RUF012 (marshmallow)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Decimal:
        number = _number(value)
        if number is None:
            raise self.make_error("invalid")
        return number


class Whole(Exact):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        number = super()._deserialize(value, *args, **kwargs)
        if number != number.to_integral_value():
            raise ValidationError([WHOLE["invalid"]])
        return number


class Between(fields.Field[rules.Range]):
    """``[low, high]``, both included, null for open; ``whole`` refuses fractions."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__(load_default=None, error_messages=REQUIRED)
        self.side = Whole(allow_none=True) if whole else Exact(allow_none=True)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> rules.Range:
        return _range(value, self.side.deserialize)


class WindowField(fields.Field[Window]):
    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Window:
        try:
            return Window.parse(value)
        except FieldError as problem:
            raise ValidationError([problem.message]) from None


class YesNo(fields.Field[bool]):
    """``true`` or ``false``; absent is false."""

    default_error_messages = {**REQUIRED, "invalid": Message(N_("Give true or false."))}  # noqa: RUF012 (marshmallow)

    def __init__(self) -> None:
        super().__init__(load_default=False)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Words(fields.List[str]):
    """A list of texts, one at least; ``allowed`` limits them."""

    def __init__(self, *allowed: str) -> None:
        only = [OneOf(allowed)] if allowed else []
        text = fields.String(required=True, validate=[not_blank, *only], error_messages=TEXT)
        super().__init__(text, load_default=(), validate=some, error_messages=LIST)


class Ids(fields.List[int]):
    def __init__(self) -> None:
        super().__init__(Id(required=True), load_default=(), validate=some, error_messages=LIST)


class Id(fields.Field[int]):
    """An id of ours: a whole number, or the same as text."""

    default_error_messages = {**REQUIRED, "invalid": Message(N_("Give the id, a whole number."))}  # noqa: RUF012 (marshmallow)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        text = "" if isinstance(value, bool) else str(value).strip()
        if not isinstance(value, str | int) or not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise self.make_error("invalid")
        return int(text)


def _range(value: object, side: Callable[[Any], Any]) -> rules.Range:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValidationError([Message(N_("Give two values, [low, high]. Use null to leave one open."))])
    low, high = (side(one) for one in value)
    if low is not None and high is not None and low > high:
        raise ValidationError([Message(N_("The first value is larger than the second, so nothing could match."))])
    return rules.Range(low, high)


def profile_values(kind: rules.FieldKind, op: rules.Op, value: object) -> tuple[rules.Value | None, ...]:
    match op:
        case rules.Op.KNOWN | rules.Op.UNKNOWN:
            return ()
        case rules.Op.IN | rules.Op.NOT_IN:
            if not isinstance(value, list) or not value:
                raise FieldError("value", Message(N_("Give a list with at least one value.")))
            return tuple(_value(kind, one) for one in value)
        case rules.Op.BETWEEN:
            if not isinstance(value, list) or len(value) != 2:
                raise FieldError("value", Message(N_("Give two values, [low, high]. Use null to leave one open.")))
            return tuple(None if one is None else _value(kind, one) for one in value)
        case rules.Op.CONTAINS | rules.Op.STARTS_WITH:
            return (_text(value),)
        case _:
            return (_value(kind, value),)


def _value(kind: rules.FieldKind, value: object) -> rules.Value:
    match kind:
        case rules.FieldKind.DATE:
            return _date(value)
        case rules.FieldKind.NUMBER:
            number = _number(value if not isinstance(value, str) else value.strip(), from_text=True)
            if number is None:
                raise FieldError("value", Message(N_("Give a number.")))
            return number
        case rules.FieldKind.ATTRIBUTE if isinstance(value, bool):
            return value
        case rules.FieldKind.ATTRIBUTE:
            number = _number(value)
            return _text(value) if number is None else number
        case _:
            return _text(value)


def _date(value: object) -> date:
    try:
        if isinstance(value, str):
            return date.fromisoformat(value.strip())
    except ValueError:
        pass
    raise FieldError("value", Message(N_("Give a date as year-month-day, such as 1980-05-31.")))


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    number = _number(value)
    if number is None:
        raise FieldError("value", Message(N_("Give a text that is not empty.")))
    return str(number)


def _number(value: object, *, from_text: bool = False) -> Decimal | None:
    """``value`` as an exact number, or ``None``; floats keep the digits they were written with."""
    if isinstance(value, bool) or not isinstance(
        value, (int, float, Decimal, str) if from_text else (int, float, Decimal)
    ):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 15 else None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Refuses a word that is not one of ``allowed``, and names these."""

    allowed: tuple[str, ...]

    def __call__(self, word: str) -> str:
        if word not in self.allowed:
            raise ValidationError([Message(N_("Choose one of %(allowed)s."), allowed=", ".join(self.allowed))])
        return word


def not_blank(text: str) -> str:
    if not text.strip():
        raise ValidationError([REQUIRED["null"]])
    if "\x00" in text:
        raise ValidationError([TEXT["invalid"]])
    return text


def some(values: Any) -> Any:
    if not values:
        raise ValidationError([_EMPTY_LIST])
    if len(values) > MAX_VALUES:
        raise ValidationError([Message(N_("Give at most %(limit)s values."), limit=MAX_VALUES)])
    return values
