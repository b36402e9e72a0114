"""What the languages share: how a sentence is put together. The words are in one module per language.

A sentence says of one person in the segment what holds for them, as verb phrases joined by "and" and "either … or":
"Everyone in this segment came at least 3 times from 20 November 2022 to 19 May 2025, and did not come …".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import ClassVar

from babel import Locale
from babel.dates import format_date, get_day_names
from babel.numbers import format_currency, format_decimal, format_percent

from app.segments.language import rules
from app.segments.language.told.quantities import Quantity, Shape, in_range, quantity
from app.segments.language.told.rolling import Rolling, rolling_of
from app.segments.language.windows import Days, Duration, Window

CURRENCY = "EUR"


class Tense(Enum):
    """Whether a window lies in the past (today included), from today on, or on both sides."""

    PAST = auto()
    FUTURE = auto()
    BOTH = auto()


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers and codes in a rule are called; what is missing is told by its number or code."""

    activities: Mapping[int, str] = field(default_factory=dict)
    segments: Mapping[int, str] = field(default_factory=dict)
    purposes: Mapping[str, str] = field(default_factory=dict)
    journeys: Mapping[int, str] = field(default_factory=dict)
    genres: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A profile field as a noun: bare ("postcode"), with its indefinite article, and denied ("no postcode")."""

    bare: str
    one: str
    none: str


class Grammar(ABC):
    """One language. Subclasses give words and verb phrases; the order of a sentence is here."""

    code: ClassVar[str]
    everyone: ClassVar[str]
    nobody: ClassVar[str]
    opening: ClassVar[str]
    anyone_phrase: ClassVar[str]
    nobody_phrase: ClassVar[str]
    and_word: ClassVar[str]
    or_word: ClassVar[str]
    quotes: ClassVar[tuple[str, str]]
    number_sign: ClassVar[str]
    money: ClassVar[str]
    percents: ClassVar[str]
    shapes: ClassVar[Mapping[Shape, str]]
    fields: ClassVar[Mapping[str, FieldWords]]
    kinds: ClassVar[Mapping[str, str]]
    sales_channels: ClassVar[Mapping[str, str]]
    statuses: ClassVar[Mapping[str, str]]
    conditions: ClassVar[Mapping[str, str]]
    # Each with its denial; ``{}`` is where a name goes.
    mails: ClassVar[Mapping[str, tuple[str, str]]]
    of_mailing: ClassVar[str]
    of_campaign: ClassVar[str]
    passes: ClassVar[Mapping[str, tuple[str, str]]]
    last_day: ClassVar[str]
    last_day_known: ClassVar[str]
    points: ClassVar[str]
    in_journeys: ClassVar[Mapping[str, tuple[str, str]]]
    mailboxes: ClassVar[Mapping[str, tuple[str, str]]]
    alike: ClassVar[Mapping[str, tuple[str, str]]]
    open_days_only: ClassVar[str]
    rolling: ClassVar[Mapping[Rolling, str]]
    spans: ClassVar[Mapping[str, tuple[str, str]]]

    def __init__(self, as_of: date, names: Names, *, is_lasting: bool = False) -> None:
        self.as_of = as_of
        self.names = names
        self.is_lasting = is_lasting
        self.locale = Locale(self.code)

    # --- what each language says ---

    @abstractmethod
    def measured(self, leaf: rules.Participation, amount: Quantity, tense: Tense) -> str:
        """The verb phrase of a participation leaf, without its conditions and window."""

    @abstractmethod
    def first_or_last(self, leaf: rules.FirstParticipation | rules.LastParticipation, tense: Tense, no: bool) -> str:
        """The verb phrase of a first or last participation, without its conditions and window."""

    @abstractmethod
    def window(self, days: Days, tense: Tense) -> str:
        """The window as an adverbial phrase; empty for every date."""

    @abstractmethod
    def share_phrase(self, among: str, amount: str, of: str, least: str, *, no: bool) -> str:
        """The verb phrase of a share."""

    @abstractmethod
    def profile_phrase(self, leaf: rules.Profile, *, no: bool) -> str:
        """The verb phrase of a profile condition."""

    @abstractmethod
    def anniversary_phrase(self, leaf: rules.Anniversary, window: str, *, no: bool) -> str:
        """The verb phrase of a yearly return."""

    @abstractmethod
    def permission_phrase(self, channel: str, purpose: str, *, no: bool) -> str:
        """The verb phrase of a permission."""

    @abstractmethod
    def tag_phrase(self, tag: str, *, no: bool) -> str:
        """The verb phrase of a tag; ``tag`` is quoted."""

    @abstractmethod
    def segment_phrase(self, name: str, *, no: bool) -> str:
        """The verb phrase of membership of another segment; ``name`` is quoted."""

    @abstractmethod
    def sample_phrase(self, percentage: str, seed: str, *, no: bool) -> str:
        """The verb phrase of a sample; ``seed`` is quoted."""

    # --- leaves ---

    def participation(self, leaf: rules.Participation, *, no: bool) -> str:
        """Tell a measure over participations."""
        days = leaf.window.around(self.as_of)
        tense = self.tense(days, leaf.date_of)
        is_whole = leaf.measure is not rules.Measure.SPEND
        amount = quantity(leaf.bounds, is_whole=is_whole, is_negated=no)
        period = self.period(leaf.window, leaf.date_of)
        return _joined(self.measured(leaf, amount, tense), *self.where(leaf.where), period)

    def edge(self, leaf: rules.FirstParticipation | rules.LastParticipation, *, no: bool) -> str:
        """Tell a first or last participation."""
        days = leaf.window.around(self.as_of)
        tense = self.tense(days, leaf.date_of)
        period = self.period(leaf.window, leaf.date_of)
        return _joined(self.first_or_last(leaf, tense, no), *self.where(leaf.where), period)

    def share(self, leaf: rules.Share, *, no: bool) -> str:
        """Tell a share."""
        among = _joined(*self.where(leaf.where), self.period(leaf.window, leaf.date_of))
        amount = self.amount(quantity(leaf.bounds, is_whole=False), self.percentage)
        of = _joined(*self.where(leaf.of))
        least = self.times(Quantity(Shape.AT_LEAST, Decimal(leaf.min_count))) if leaf.min_count > 1 else ""
        return self.share_phrase(among, amount, of, least, no=no)

    def anniversary(self, leaf: rules.Anniversary, *, no: bool) -> str:
        """Tell a yearly return."""
        days = leaf.window.around(self.as_of)
        said = self.window(days, self.tense(days, rules.DateOf.ACTIVITY))
        return self.anniversary_phrase(leaf, self.rolled(leaf.window, said), no=no)

    def permission(self, leaf: rules.Permission, *, no: bool) -> str:
        """Tell a permission."""
        purpose = self.quoted(self.names.purposes.get(leaf.purpose, leaf.purpose))
        return self.permission_phrase(leaf.channel, purpose, no=no is leaf.is_allowed)

    def engagement(self, leaf: rules.Engagement, *, no: bool) -> str:
        """Tell what happened to mails."""
        amount = quantity(leaf.bounds, is_whole=True, is_negated=no)
        some, none = self.mails[leaf.event]
        which = [
            self.of_mailing.format(f"{self.number_sign} {leaf.mailing_id}") if leaf.mailing_id is not None else "",
            self.of_campaign.format(self.quoted(leaf.campaign)) if leaf.campaign is not None else "",
        ]
        is_none = amount.shape is Shape.NONE
        how_often = "" if is_none else self.times(amount)
        period = self.period(leaf.window, rules.DateOf.BOOKING)
        return _joined(none if is_none else some, *which, how_often, period)

    def pass_phrase(self, leaf: rules.Pass, *, no: bool) -> str:
        """Tell how somebody stands in a programme of passes."""
        told = self.passes[leaf.standing][no].format(self.quoted(leaf.programme))
        expires = points = ""
        if leaf.expires is not None:
            days = leaf.expires.around(self.as_of)
            said = self.rolled(leaf.expires, self.window(days, self.tense(days, rules.DateOf.ACTIVITY)))
            expires = self.last_day.format(said) if said else self.last_day_known
        if leaf.points_at_least is not None:
            points = self.points.format(self.amount(Quantity(Shape.AT_LEAST, leaf.points_at_least)))
        return _joined(told, expires, points)

    def journey(self, leaf: rules.InJourney, *, no: bool) -> str:
        """Tell how somebody stands in a journey."""
        name = self.names.journeys.get(leaf.journey_id)
        quoted = self.quoted(name) if name else f"{self.number_sign} {leaf.journey_id}"
        return self.in_journeys[leaf.standing][no].format(quoted)

    def mailbox(self, leaf: rules.Deliverability, *, no: bool) -> str:
        """Tell whether mail arrives."""
        return self.mailboxes[leaf.standing][no]

    def likely_same(self, leaf: rules.LikelySame, holds: str, *, no: bool) -> str:
        """Tell what a likely-same person does; ``holds`` is their verb phrase."""
        return self.alike[leaf.who][no].format(holds)

    def in_segment(self, leaf: rules.InSegment, *, no: bool) -> str:
        """Tell membership of another segment."""
        name = self.names.segments.get(leaf.segment_id)
        quoted = self.quoted(name) if name else f"{self.number_sign} {leaf.segment_id}"
        return self.segment_phrase(quoted, no=no is leaf.is_member)

    def sample(self, leaf: rules.Sample, *, no: bool) -> str:
        """Tell a sample."""
        return self.sample_phrase(self.percentage(leaf.percent / 100), self.quoted(leaf.seed), no=no)

    # --- conditions on a participation ---

    def where(self, where: rules.Where) -> list[str]:
        """The conditions on one participation, each as an adverbial phrase."""
        said = [
            ("activities", self.one_of([self.activity(one) for one in where.activities])),
            ("series", self.one_of([self.quoted(one) for one in where.series])),
            ("genres", self.one_of([self.names.genres.get(one, one) for one in where.genres])),
            ("kinds", self.one_of([self.kinds.get(one.strip().lower(), one) for one in where.kinds])),
            ("venues", self.one_of([self.quoted(one) for one in where.venues])),
            ("audiences", self.one_of([self.quoted(one) for one in where.audiences])),
            ("weekdays", self.one_of([self.weekday(one) for one in where.weekdays])),
            ("channels", self.one_of([self.sales_channels.get(one.strip().lower(), one) for one in where.channels])),
            ("sources", self.one_of([self.quoted(one) for one in where.sources])),
            ("price", self.limits(where.price, self.price)),
            ("quantity", self.limits(where.quantity, self.number)),
            ("lead_days", self.limits(where.lead_days, self.number)),
            ("statuses", self.one_of([self.statuses[one] for one in where.statuses])),
        ]
        return [self.conditions[key].format(value) for key, value in said if value]

    def activity(self, activity_id: int) -> str:
        """An activity by its title, or by its number."""
        title = self.names.activities.get(activity_id)
        return self.quoted(title) if title else f"{self.number_sign} {activity_id}"

    def limits(self, limits: rules.Range | None, say: object) -> str:
        """A range as words, or nothing."""
        if limits is None or (limits.low is None and limits.high is None):
            return ""
        return self.amount(in_range(limits), say)

    # --- numbers, dates, lists ---

    def amount(self, amount: Quantity, say: object = None) -> str:
        """An amount in words: "at least 3", "2 to 5"; ``say`` writes one number."""
        write = say if callable(say) else self.number
        return self.shapes[amount.shape].format(write(amount.low), write(amount.high))

    @abstractmethod
    def times(self, amount: Quantity) -> str:
        """An amount of times: "at least 3 times"."""

    def number(self, value: Decimal) -> str:
        """A number as this language writes it."""
        return str(format_decimal(value, locale=self.locale))

    def percentage(self, fraction: Decimal) -> str:
        """A fraction of 1 as a percentage, with decimals only where it has them."""
        return str(format_percent(fraction, format=self.percents, locale=self.locale))

    def price(self, value: Decimal) -> str:
        """An amount of money; whole amounts without cents."""
        pattern = self.money if value != value.to_integral_value() else self.money.replace("0.00", "0")
        return str(format_currency(value, CURRENCY, format=pattern, currency_digits=False, locale=self.locale))

    def day(self, day: date) -> str:
        """A date in full."""
        return str(format_date(day, "d MMMM y", locale=self.locale))

    def weekday(self, number: int) -> str:
        """The name of ISO weekday 1 to 7."""
        return str(get_day_names("wide", locale=self.locale)[number - 1])

    def quoted(self, text: str) -> str:
        """A name in this language's quotation marks."""
        return f"{self.quotes[0]}{text}{self.quotes[1]}"

    def one_of(self, items: Sequence[str]) -> str:
        """The items as "a, b or c"."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self.or_word} {items[-1]}"

    def value(self, leaf: rules.Profile, value: rules.Value | None) -> str:
        """A value of a profile condition as this language writes it."""
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, Decimal):
            return self.number(value)
        text = str(value)
        if leaf.field == "language":
            return str(self.locale.languages.get(text.lower(), text))
        if leaf.field == "country":
            return str(self.locale.territories.get(text.upper(), text))
        return self.quoted(text)

    def noun(self, leaf: rules.Profile) -> FieldWords:
        """What the field of ``leaf`` is called."""
        return self.fields[leaf.field] if leaf.attribute is None else self.own_field(leaf.attribute)

    @abstractmethod
    def own_field(self, key: str) -> FieldWords:
        """What a field of the organisation's own is called."""

    def period(self, window: Window, date_of: rules.DateOf) -> str:
        """The window as an adverbial phrase, and whether closed days are left out of it."""
        days = window.around(self.as_of)
        said = self.rolled(window, self.window(days, self.tense(days, date_of)))
        return _joined(said, self.open_days_only if window.skips_closed and said else "")

    def rolled(self, window: Window, said: str) -> str:
        """What is ``said`` of a window today, after what stays true of it tomorrow, where the rule goes on."""
        found = rolling_of(window) if self.is_lasting else None
        if found is None:
            return said
        how, spans = found
        told = self.rolling[how].format(*(self._spanned(one) for one in spans))
        return told if how == "until" else f"{told} ({self.rolling['now'].format(said)})"

    def _spanned(self, span: Duration) -> str:
        """A duration of one unit, without its sign: 12 months, 60 days."""
        months, days = abs(span.months), abs(span.days)
        is_years = months > 12 and months % 12 == 0
        unit, count = ("year", months // 12) if is_years else ("month", months) if months else ("day", days)
        one, several = self.spans[unit]
        return one if count == 1 else several.format(self.number(Decimal(count)))

    def tense(self, days: Days, date_of: rules.DateOf) -> Tense:
        """On which side of today the window lies; nobody books in the future."""
        if date_of is rules.DateOf.BOOKING or (days.before and days.before <= self.as_of + timedelta(days=1)):
            return Tense.PAST
        return Tense.FUTURE if days.since and days.since >= self.as_of else Tense.BOTH


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
