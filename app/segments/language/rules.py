"""The rule language as frozen, typed nodes that check themselves; nothing here knows JSON, SQL or the web.

Every node refuses what has no meaning with a FieldError naming its field, so a node that exists can be compiled,
told and evaluated. The exact meaning of each is in docs (segment rules); the short of it is in the docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from app.segments.language.windows import EVERY_DATE, ClosedPeriod, Window
from app.segments.problems import N_, FieldError, Message

STATUSES = ("booked", "attended", "cancelled", "refunded", "pending")
INVALID_STATUSES = ("cancelled", "refunded")
CHANNELS = ("email", "sms", "post", "phone", "ads")
MAIL_EVENTS = ("delivered", "opened", "clicked", "bounced")
PASS_STANDINGS = ("active", "expired", "none")
JOURNEY_STANDINGS = ("active", "completed", "never")
DELIVERABILITIES = ("unknown", "working", "soft_bouncing", "bouncing")
ALIKE = ("person", "household")

TEXT_FIELDS = (
    "given_name",
    "family_name",
    "email",
    "email_domain",
    "language",
    "gender",
    "postcode",
    "municipality",
    "country",
    "phone",
    "source",
)
DATE_FIELDS = ("birth_date", "created_on")
NUMBER_FIELDS = ("age",)
FIELDS = TEXT_FIELDS + DATE_FIELDS + NUMBER_FIELDS
ATTRIBUTE = "attributes."


class Measure(StrEnum):
    """What is measured over the matching participations of one contact; none matching measures 0."""

    COUNT = "count"
    TICKETS = "tickets"
    SPEND = "spend"
    ACTIVITIES = "activities"
    GENRES = "genres"
    VENUES = "venues"
    DAYS = "days"


class DateOf(StrEnum):
    """Which of a participation's two local dates a window is about."""

    ACTIVITY = "activity"
    BOOKING = "booking"


class Op(StrEnum):
    """How a profile field is compared; a missing value makes all but UNKNOWN, IS_NOT and NOT_IN false."""

    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    BETWEEN = "between"
    KNOWN = "known"
    UNKNOWN = "unknown"


class FieldKind(StrEnum):
    """What a profile field holds, and so which operators it can have."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    ATTRIBUTE = "attribute"


_EXACT = (Op.IS, Op.IS_NOT, Op.IN, Op.NOT_IN, Op.BETWEEN, Op.KNOWN, Op.UNKNOWN)
OPS_OF_KIND: dict[FieldKind, tuple[Op, ...]] = {
    FieldKind.TEXT: tuple(Op),
    FieldKind.DATE: _EXACT,
    FieldKind.NUMBER: _EXACT,
    FieldKind.ATTRIBUTE: tuple(Op),
}

Value = str | Decimal | bool | date


def kind_of_field(name: str) -> FieldKind:
    """The kind of a profile field; raises FieldError for a field that does not exist."""
    if name in TEXT_FIELDS:
        return FieldKind.TEXT
    if name in DATE_FIELDS:
        return FieldKind.DATE
    if name in NUMBER_FIELDS:
        return FieldKind.NUMBER
    if name.startswith(ATTRIBUTE) and name != ATTRIBUTE:
        return FieldKind.ATTRIBUTE
    raise FieldError(
        "field",
        Message(
            N_("There is no field “%(field)s”. Choose one of %(fields)s, or attributes.<key> for a field of your own."),
            field=name,
            fields=", ".join(FIELDS),
        ),
    )


@dataclass(frozen=True, slots=True)
class Range:
    """``low <= value <= high``; ``None`` is open. A missing value lies in no range."""

    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """``at_least <= measured <= at_most``; at least one of the two is given."""

    at_least: Decimal | None = None
    at_most: Decimal | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise FieldError("at_least", Message(N_("Give at least one bound: at_least, at_most, or both.")))
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise FieldError("at_most", Message(N_("at_most is smaller than at_least, so nobody could match.")))


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions on one participation; all that are given must hold, and a list means any of.

    Without ``statuses`` only valid participations match.
    """

    activities: tuple[int, ...] = ()
    series: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    price: Range | None = None
    quantity: Range | None = None
    weekdays: tuple[int, ...] = ()
    lead_days: Range | None = None


EVERY_PARTICIPATION = Where()


@dataclass(frozen=True, slots=True)
class All:
    """Every rule in it holds; true for no rules."""

    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one rule in it holds; false for no rules."""

    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The rule in it does not hold."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Participation:
    """A measure over the matching participations lies within the bounds."""

    bounds: Bounds
    measure: Measure = Measure.COUNT
    window: Window = EVERY_DATE
    date_of: DateOf = DateOf.ACTIVITY
    where: Where = EVERY_PARTICIPATION


@dataclass(frozen=True, slots=True)
class FirstParticipation:
    """The earliest matching participation exists and lies in the window."""

    window: Window = EVERY_DATE
    date_of: DateOf = DateOf.ACTIVITY
    where: Where = EVERY_PARTICIPATION


@dataclass(frozen=True, slots=True)
class LastParticipation:
    """The latest matching participation exists and lies in the window."""

    window: Window = EVERY_DATE
    date_of: DateOf = DateOf.ACTIVITY
    where: Where = EVERY_PARTICIPATION


@dataclass(frozen=True, slots=True)
class Share:
    """Of the matching participations in the window, the part that also matches ``of`` lies within the bounds.

    The bounds are fractions of 1; false where fewer than ``min_count`` participations match both, and where none match
    ``where`` (there is no part of nothing).
    """

    of: Where
    bounds: Bounds
    min_count: int = 1
    window: Window = EVERY_DATE
    date_of: DateOf = DateOf.ACTIVITY
    where: Where = EVERY_PARTICIPATION

    def __post_init__(self) -> None:
        if self.min_count < 0:
            raise FieldError("min_count", Message(N_("min_count must be 0 or more.")))
        for name, bound in (("at_least", self.bounds.at_least), ("at_most", self.bounds.at_most)):
            if bound is not None and not 0 <= bound <= 1:
                raise FieldError(name, Message(N_("A share is a number from 0 to 1: write 0.4 for forty per cent.")))


@dataclass(frozen=True, slots=True)
class Profile:
    """A field of the person compares as ``op`` says; ``values`` holds the one value, the list, or (low, high)."""

    field: str
    op: Op
    values: tuple[Value | None, ...] = ()

    def __post_init__(self) -> None:
        kind = kind_of_field(self.field)
        if self.op not in OPS_OF_KIND[kind]:
            raise FieldError(
                "op",
                Message(
                    N_("“%(op)s” cannot be used with %(field)s. Choose one of %(ops)s."),
                    op=self.op.value,
                    field=self.field,
                    ops=", ".join(OPS_OF_KIND[kind]),
                ),
            )

    @property
    def kind(self) -> FieldKind:
        """What the field holds."""
        return kind_of_field(self.field)

    @property
    def attribute(self) -> str | None:
        """The organisation's own key this is about, or ``None`` for a field every contact has."""
        return self.field.removeprefix(ATTRIBUTE) if self.field.startswith(ATTRIBUTE) else None


@dataclass(frozen=True, slots=True)
class Anniversary:
    """A yearly return of a date lies in the window; 29 February returns on 28 February in a common year."""

    field: str
    window: Window = EVERY_DATE

    def __post_init__(self) -> None:
        if self.field != "birth_date" and not (self.field.startswith(ATTRIBUTE) and self.field != ATTRIBUTE):
            raise FieldError(
                "field", Message(N_("Choose birth_date, or attributes.<key> for a date field of your own."))
            )

    @property
    def attribute(self) -> str | None:
        """The organisation's own key this is about, or ``None`` for the birth date."""
        return None if self.field == "birth_date" else self.field.removeprefix(ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class Permission:
    """The gate would say ``allowed`` now for this channel and purpose (or would not).

    Purposes are the organisation's own; one it does not have is never allowed.
    """

    channel: str
    purpose: str
    is_allowed: bool = True

    def __post_init__(self) -> None:
        _check_one_of("channel", self.channel, CHANNELS)


@dataclass(frozen=True, slots=True)
class Engagement:
    """How often something happened to mails to the contact lies within the bounds; what machines did never counts.

    ``mailing_id`` is a mailing of ours, ``campaign`` the reference of one that another system sent. The window is about
    the local date on which it happened.
    """

    event: str
    bounds: Bounds
    window: Window = EVERY_DATE
    mailing_id: int | None = None
    campaign: str | None = None

    def __post_init__(self) -> None:
        _check_one_of("event", self.event, MAIL_EVENTS)


@dataclass(frozen=True, slots=True)
class Pass:
    """How the contact stands in a programme of passes on ``D``; a pass that begins after ``D`` does not exist yet.

    ``active``: a pass is valid on ``D`` (not stopped, ``expires_on`` included). ``expired``: there are passes, none of
    them active. ``none``: there are none. ``expires`` and ``points`` are asked of one pass: of an active one for
    ``active``, of any for ``expired``; a date or number that is not known matches neither.
    """

    programme: str
    standing: str
    expires: Window | None = None
    points_at_least: Decimal | None = None

    def __post_init__(self) -> None:
        _check_one_of("is", self.standing, PASS_STANDINGS)
        for name, asked in (("expires", self.expires), ("points_at_least", self.points_at_least)):
            if self.standing == "none" and asked is not None:
                raise FieldError(name, Message(N_("Somebody without a pass has none of this. Leave it out.")))


@dataclass(frozen=True, slots=True)
class InJourney:
    """How the contact stood in a journey on ``D``.

    ``active``: inside at the end of that day. ``completed``: walked one of their ways to its end by then. ``never``:
    had not entered by then.
    """

    journey_id: int
    standing: str

    def __post_init__(self) -> None:
        _check_one_of("is", self.standing, JOURNEY_STANDINGS)


@dataclass(frozen=True, slots=True)
class Deliverability:
    """Mail to the contact's own address is, now, as ``standing`` says; false for who has no address."""

    standing: str

    def __post_init__(self) -> None:
        _check_one_of("is", self.standing, DELIVERABILITIES)


@dataclass(frozen=True, slots=True)
class LikelySame:
    """Somebody else, who is likely the same person (or lives in the same household), fulfils ``rule`` as of ``D``.

    What makes two people alike is in ``app.contacts.likeness``. Only living contacts count, and nobody is alike to
    themselves.
    """

    rule: Rule
    who: str = "person"

    def __post_init__(self) -> None:
        _check_one_of("who", self.who, ALIKE)


@dataclass(frozen=True, slots=True)
class Tag:
    """The contact carries this tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class InSegment:
    """The rule of another segment holds (or not), as of the same date."""

    segment_id: int
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """The contact falls in a part of all contacts that stays the same for the same ``seed``."""

    percent: Decimal
    seed: str

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise FieldError("percent", Message(N_("A sample is a percentage from 0 to 100.")))


Leaf = (
    Participation
    | FirstParticipation
    | LastParticipation
    | Share
    | Profile
    | Anniversary
    | Permission
    | Engagement
    | Pass
    | InJourney
    | Deliverability
    | LikelySame
    | Tag
    | InSegment
    | Sample
)
Rule = All | AnyOf | Not | Leaf


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every leaf of ``rule``, in reading order, repeated ones included."""
    match rule:
        case All(rules) | AnyOf(rules):
            for inner in rules:
                yield from leaves(inner)
        case Not(inner):
            yield from leaves(inner)
        case _:
            yield rule


def all_leaves(rule: Rule) -> Iterator[Leaf]:
    """``leaves``, and those that are asked of other people too (inside ``LikelySame``)."""
    for leaf in leaves(rule):
        yield leaf
        if isinstance(leaf, LikelySame):
            yield from all_leaves(leaf.rule)


def with_leaves(rule: Rule, change: Callable[[Leaf], Rule]) -> Rule:
    """``rule`` with every leaf, those inside ``LikelySame`` first, replaced by what ``change`` makes of it."""
    match rule:
        case All(inner):
            return All(tuple(with_leaves(one, change) for one in inner))
        case AnyOf(inner):
            return AnyOf(tuple(with_leaves(one, change) for one in inner))
        case Not(one):
            return Not(with_leaves(one, change))
        case LikelySame(one, who):
            return change(LikelySame(with_leaves(one, change), who))
        case _:
            return change(rule)


def with_closed_days(rule: Rule, closed: tuple[ClosedPeriod, ...]) -> Rule:
    """``rule`` with the days on which the house was closed filled in, wherever a window skips them."""

    def filled(leaf: Leaf) -> Leaf:
        match leaf:
            case Participation() | FirstParticipation() | LastParticipation() | Share() | Engagement():
                skips = leaf.window.skips_closed
                return replace(leaf, window=replace(leaf.window, closed=closed)) if skips else leaf
            case _:
                return leaf

    return with_leaves(rule, filled)


def looks_at_opens(rule: Rule) -> bool:
    """Whether a condition asks whether mails were opened. Opens feed no journey, winner or retention (I17)."""
    return any(isinstance(leaf, Engagement) and leaf.event == "opened" for leaf in all_leaves(rule))


@dataclass(frozen=True, slots=True)
class Placed:
    """A leaf where it stands: its path in the JSON (empty for a rule of one leaf), and whether a "not" denies it."""

    path: str
    leaf: Leaf
    is_denied: bool


def placed_leaves(rule: Rule, path: tuple[str, ...] = (), *, is_denied: bool = False) -> Iterator[Placed]:
    """Every leaf about the contact with its path (``"rules.0.rule"``), in reading order."""
    match rule:
        case All(rules) | AnyOf(rules):
            for number, inner in enumerate(rules):
                yield from placed_leaves(inner, (*path, "rules", str(number)), is_denied=is_denied)
        case Not(inner):
            yield from placed_leaves(inner, (*path, "rule"), is_denied=not is_denied)
        case _:
            yield Placed(".".join(path), rule, is_denied)


def all_placed_leaves(rule: Rule) -> Iterator[Placed]:
    """``placed_leaves``, and those that are asked of other people too, each with its path in the whole."""
    for placed in placed_leaves(rule):
        yield placed
        if isinstance(placed.leaf, LikelySame):
            step = f"{placed.path}.rule" if placed.path else "rule"
            for inner in all_placed_leaves(placed.leaf.rule):
                yield Placed(f"{step}.{inner.path}" if inner.path else step, inner.leaf, inner.is_denied)


def references(rule: Rule) -> tuple[int, ...]:
    """The ids of the segments that ``rule`` refers to itself (not those these refer to), each once."""
    return tuple(dict.fromkeys(leaf.segment_id for leaf in all_leaves(rule) if isinstance(leaf, InSegment)))


def _check_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise FieldError(name, Message(N_("Choose one of %(allowed)s."), allowed=", ".join(allowed)))
