"""Conditions on the person in SQL: profile fields, yearly returns, tags, samples."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import ARRAY, BIT, JSONB

from app.segments.compiling.likeness_sql import columns_compared
from app.segments.language import rules
from app.segments.language.lowering import lowered
from app.segments.language.rules import FieldKind, Op
from app.segments.language.windows import Days

Condition = ColumnElement[bool]

# What reads as a number; short enough that a cast can never fail.
_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"
_ISO_DATE = (
    r"^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
    r"($|[T ])"
)


@dataclass(frozen=True, slots=True)
class Person:
    """The contact that conditions look at: an alias of the contact table, the date ``D``, and the house's zone."""

    contact: sa.FromClause
    as_of: date
    time_zone: str

    def profile(self, leaf: rules.Profile) -> Condition:
        """Whether the field compares as ``leaf`` says; never NULL for the operators that a missing value makes true.

        A field that holds a list compares as its values do: one of them is, contains, lies between; and ``is_not`` and
        ``not_in`` hold where none of them is.
        """
        if leaf.attribute is None or leaf.op in (Op.KNOWN, Op.UNKNOWN):
            return self._compares(leaf, self._value(leaf))
        held = self.contact.c.attributes.op("->", return_type=JSONB)(sa.literal(leaf.attribute, sa.Text))
        is_list = sa.func.jsonb_typeof(held) == "array"
        return sa.case((is_list, self._compares_in_list(leaf, held)), else_=self._compares(leaf, self._value(leaf)))

    def _compares_in_list(self, leaf: rules.Profile, held: ColumnElement[Any]) -> Condition:
        is_denial = leaf.op in (Op.IS_NOT, Op.NOT_IN)
        asked = replace(leaf, op={Op.IS_NOT: Op.IS, Op.NOT_IN: Op.IN}.get(leaf.op, leaf.op))
        # What is no list has no elements, so that the function never meets it.
        elements = sa.case((sa.func.jsonb_typeof(held) == "array", held))
        one = sa.func.jsonb_array_elements_text(elements).table_valued(sa.column("value", sa.Text), name="one")
        some: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            self._compares(asked, self._plain_text(asked, one.c.value))
        )
        return sa.not_(some.exists()) if is_denial else some.exists()

    def _compares(self, leaf: rules.Profile, value: ColumnElement[Any]) -> Condition:  # noqa: PLR0911 (one per operator)
        match leaf.op:
            case Op.KNOWN:
                return value.is_not(None)
            case Op.UNKNOWN:
                return value.is_(None)
            case Op.IS | Op.IN:
                return self._equals_one(leaf, value)
            case Op.IS_NOT | Op.NOT_IN:
                return self._equals_one(leaf, value).is_not(sa.true())
            case Op.CONTAINS:
                return sa.func.strpos(value, _plain(leaf.values[0])) > 0
            case Op.STARTS_WITH:
                return sa.func.starts_with(value, _plain(leaf.values[0]))
            case Op.BETWEEN:
                return sa.and_(value.is_not(None), *self._between(leaf, value))
            case _:
                assert_never(leaf.op)

    def anniversary(self, leaf: rules.Anniversary) -> Condition:
        """Whether a yearly return of the date lies in the window."""
        if leaf.attribute is None:
            month_day: ColumnElement[Any] = self.contact.c.birth_month_day
        else:
            text = self._attribute(leaf.attribute)
            month_day = sa.case(
                (
                    text.regexp_match(_ISO_DATE),
                    sa.cast(sa.func.substr(text, 6, 2).concat(sa.func.substr(text, 9, 2)), sa.Integer),
                )
            )
        return sa.or_(sa.false(), *_returns(month_day, leaf.window.around(self.as_of)))

    def tag(self, leaf: rules.Tag) -> Condition:
        """Whether the contact carries the tag, whatever its capitals."""
        tags = sa.cast(sa.func.lower(sa.cast(self.contact.c.tags, sa.Text)), ARRAY(sa.Text))
        return sa.literal(lowered(leaf.tag)) == sa.any_(tags)

    def sample(self, leaf: rules.Sample) -> Condition:
        """Whether the first 32 bits of md5(seed:id) fall in the part."""
        seeded = sa.literal(f"{leaf.seed}:", sa.Text).concat(sa.cast(self.contact.c.id, sa.Text))
        bits = sa.cast(sa.literal_column("'x'").concat(sa.func.substr(sa.func.md5(seeded), 1, 8)), BIT(32))
        return sa.cast(bits, sa.BigInteger) % 10000 < sa.literal(leaf.percent * 100, sa.Numeric)

    # --- values ---

    def _value(self, leaf: rules.Profile) -> ColumnElement[Any]:
        """The field as it is compared: text lowered and trimmed, NULL where there is nothing."""
        c = self.contact.c
        match leaf.field:
            case "birth_date":
                return c.birth_date
            case "created_on":
                return sa.cast(sa.func.timezone(self.time_zone, c.created_at), sa.Date)
            case "age":
                return self._age()
            case "email_domain":
                domain = sa.func.substring(sa.func.btrim(c.email), "@([^@]*)$")
                return sa.func.nullif(sa.func.lower(domain), "")
        return self._plain_text(leaf, c[leaf.field] if leaf.attribute is None else self._attribute(leaf.attribute))

    def _plain_text(self, leaf: rules.Profile, text: ColumnElement[Any]) -> ColumnElement[Any]:
        plain = sa.func.btrim(text)
        # Letters or not, an index holds postcodes in lower case.
        if leaf.field == "postcode" or not _is_caseless(leaf):
            plain = sa.func.lower(plain)
        # A value of a rule is never blank, so only these operators could take blanks for something.
        may_be_blank = leaf.op in (Op.KNOWN, Op.UNKNOWN, Op.BETWEEN)
        if leaf.attribute is not None and leaf.op in (Op.KNOWN, Op.UNKNOWN):
            plain = sa.func.nullif(plain, "[]")
        return sa.func.nullif(plain, "") if may_be_blank else plain

    def _attribute(self, key: str) -> ColumnElement[str]:
        return self.contact.c.attributes.op("->>", return_type=sa.Text)(sa.literal(key, sa.Text))

    def _age(self) -> ColumnElement[int]:
        c = self.contact.c
        month_day = self.as_of.month * 100 + self.as_of.day
        before_birthday = sa.case((c.birth_month_day > month_day, 1), else_=0)
        return self.as_of.year - sa.cast(sa.extract("year", c.birth_date), sa.Integer) - before_birthday

    # --- comparisons ---

    def _equals_one(self, leaf: rules.Profile, value: ColumnElement[Any]) -> Condition:
        numbers = [one for one in leaf.values if isinstance(one, Decimal)]
        if leaf.kind is FieldKind.ATTRIBUTE and numbers:
            texts = [_plain(one) for one in leaf.values if not isinstance(one, Decimal)]
            return sa.or_(_as_number(value).in_(numbers), *([value.in_(texts)] if texts else []))
        if leaf.kind in (FieldKind.DATE, FieldKind.NUMBER):
            return value.in_(list(leaf.values))
        return value.in_([_plain(one) for one in leaf.values])

    def _between(self, leaf: rules.Profile, value: ColumnElement[Any]) -> Iterator[Condition]:
        for bound, is_low in zip(leaf.values, (True, False), strict=True):
            if bound is not None:
                yield _on_side(leaf.kind, value, bound, is_low=is_low)


def _is_caseless(leaf: rules.Profile) -> bool:
    """Whether only values without letters are compared for equality, such as postcodes: capitals cannot matter."""
    texts = [_plain(value) for value in leaf.values]
    return leaf.op in (Op.IS, Op.IN) and all(text == text.upper() for text in texts)


def columns_of(leaf: rules.Leaf) -> tuple[str, ...]:  # noqa: PLR0911 (one return per kind of leaf)
    """The columns of the contact that a leaf looks at, but for its id."""
    match leaf:
        case rules.Profile(field="age"):
            return "birth_date", "birth_month_day"
        case rules.Profile(field="email_domain"):
            return ("email",)
        case rules.Profile(field="created_on"):
            return ("created_at",)
        case rules.Profile():
            return (leaf.field if leaf.attribute is None else "attributes",)
        case rules.Anniversary():
            return ("birth_month_day" if leaf.attribute is None else "attributes",)
        case rules.Tag():
            return ("tags",)
        case rules.LikelySame(who=who):
            return columns_compared(who)
        case _:
            return ()


def _on_side(kind: FieldKind, value: ColumnElement[Any], bound: rules.Value, *, is_low: bool) -> Condition:
    """``value`` lies on the right side of ``bound``, which is included."""
    if kind in (FieldKind.DATE, FieldKind.NUMBER):
        return value >= bound if is_low else value <= bound
    # Text is compared by its characters' code points, so that the order does not depend on the server's locale.
    plain = sa.literal(_plain(bound), sa.Text)
    as_text = value.collate("C") >= plain if is_low else value.collate("C") <= plain
    if kind is not FieldKind.ATTRIBUTE or not re.fullmatch(_NUMBER, _plain(bound)):
        return as_text
    number = sa.cast(value, sa.Numeric)
    limit = sa.literal(Decimal(_plain(bound)), sa.Numeric)
    as_number = number >= limit if is_low else number <= limit
    return sa.case((value.regexp_match(_NUMBER), as_number), else_=as_text)


def _as_number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.case((value.regexp_match(_NUMBER), sa.cast(value, sa.Numeric)))


def _plain(value: rules.Value | None) -> str:
    """A value of a rule as text is compared: lowered, trimmed, numbers without an exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else lowered(str(value))


def _returns(month_day: ColumnElement[Any], days: Days) -> Iterator[Condition]:
    """The stretches of month * 100 + day that lie in the window, one for each year it touches."""
    if days.since is None or days.before is None:
        yield month_day.is_not(None)
        return
    start, stop = days.since, days.before
    if stop - start > timedelta(days=366):
        yield month_day.is_not(None)
        return
    while start < stop:
        year_end = date(start.year, 12, 31)
        last = min(year_end, stop - timedelta(days=1))
        yield month_day.between(_month_day(start), _leap_last(last))
        if last == date.max:
            return
        start = last + timedelta(days=1)


def _month_day(day: date) -> int:
    return day.month * 100 + day.day


def _leap_last(day: date) -> int:
    """28 February of a common year is also the day on which 29 February returns."""
    return 229 if (day.month, day.day) == (2, 28) and not isleap(day.year) else _month_day(day)
