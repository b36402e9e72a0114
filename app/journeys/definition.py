"""What a journey is, as frozen, typed nodes that check themselves; nothing here knows JSON, SQL or the web.

A journey is a tree that reads from top to bottom: after the last step of a branch the person goes on behind the step
that branched, so it always ends and cannot loop. Every node refuses what has no meaning with a FieldError naming its
field. What needs the database to be judged (does this segment exist?) is said by ``publishing.problems_of``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from app.journeys.spans import Span
from app.segments.language import rules
from app.segments.language.rules import EVERY_PARTICIPATION, Rule, Where
from app.segments.problems import N_, FieldError, Message

MAX_STEPS = 200
MAX_DEPTH = 8
MAX_BRANCHES = 20
MAX_TAGS = 20
MAX_WEIGHT = 1_000_000
LONGEST_TEXT = 2000

SEGMENT_TURNS = ("enter", "leave")
PARTICIPATION_TURNS = ("booked", "attended", "cancelled", "called_off")
PASS_TURNS = ("issued", "point", "redeemed", "expiring")
CONSENT_TURNS = ("granted", "confirmed")
WHO = ("attendee", "buyer")
IF_PAST = ("skip", "now", "exit")
AUDIENCE_DEEDS = ("add", "remove")
REENTRIES = ("never", "after_exit")

Value = str | Decimal | bool | None
AT_ONCE = Span()
NOT_A_STEP_ID = Message(N_("Name a step with letters, digits, - and _, at most 40."))
_STEP_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


# --- what lets people in -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnSegment:
    """The contact enters or leaves a segment."""

    segment_id: int
    on: str = "enter"


@dataclass(frozen=True, slots=True)
class OnParticipation:
    """A matching participation is booked, attended or cancelled; ``nth``: only the contact's nth one (5th visit: 5).

    ``called_off``: the house itself cancels what the contact was coming to; a ticket that somebody returns is none of
    its business. ``who`` it is about: the ``attendee``, whom the ticket names (who ordered it where it names nobody),
    or the ``buyer``, who ordered it, for themselves or for others.
    """

    on: str
    where: Where = EVERY_PARTICIPATION
    nth: int | None = None
    who: str = "attendee"

    def __post_init__(self) -> None:
        if self.on == "called_off" and self.nth is not None:
            raise FieldError("nth", Message(N_("What the house cancels is not counted. Leave it out.")))


@dataclass(frozen=True, slots=True)
class OnActivity:
    """``offset`` before or after the start of the activity of each matching participation; ``who`` as for a booking."""

    offset: Span
    where: Where = EVERY_PARTICIPATION
    who: str = "attendee"


@dataclass(frozen=True, slots=True)
class OnAnniversary:
    """``offset``, in whole days, from the yearly return of a date; 29 February returns on 28 February."""

    field: str
    offset: Span = AT_ONCE

    def __post_init__(self) -> None:
        rules.Anniversary(self.field)  # refuses a field that is no date of a contact
        if not self.offset.is_whole_days:
            raise FieldError("offset", Message(N_("Give whole days here, such as -P7D: a birthday has no hour.")))

    @property
    def attribute(self) -> str | None:
        """The organisation's own key this is about, or ``None`` for the birth date."""
        return rules.Anniversary(self.field).attribute


@dataclass(frozen=True, slots=True)
class OnPass:
    """Something happens to a pass of ``programme``; ``offset`` says how long before it expires, and only then."""

    programme: str
    on: str
    nth: int | None = None
    offset: Span | None = None

    def __post_init__(self) -> None:
        if (self.on == "expiring") is not (self.offset is not None):
            said = (
                N_("Say how long before it expires, such as -P30D.")
                if self.on == "expiring"
                else N_("Only a pass that expires has an offset. Leave it out.")
            )
            raise FieldError("offset", Message(said))
        if self.nth is not None and self.on != "point":
            raise FieldError("nth", Message(N_("Only points can be counted. Leave it out.")))


@dataclass(frozen=True, slots=True)
class OnConsent:
    """Consent is granted, or confirmed by the person (double opt-in), for a channel and purpose."""

    channel: str
    purpose: str
    on: str = "granted"


@dataclass(frozen=True, slots=True)
class OnForm:
    """A sign-up form is sent in."""

    form_id: int


@dataclass(frozen=True, slots=True)
class OnApi:
    """Another program enrols people through the REST API."""


Trigger = OnSegment | OnParticipation | OnActivity | OnAnniversary | OnPass | OnConsent | OnForm | OnApi
# What can happen while somebody waits for it; the other triggers are moments that are known beforehand.
HAPPENINGS = (OnSegment, OnParticipation, OnPass, OnConsent, OnForm, OnApi)


# --- what happens then -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Mail the contact a mailing of kind ``journey``; the gate decides when it leaves."""

    id: str
    mailing_id: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait ``span`` after arriving, by the house's clock.

    ``at``: the time of day at which to go on. Whole days then count days (two days at 10:00, for who arrives on Monday
    at 15:00, is Wednesday at 10:00); what would be before the arrival is the next day. After hours, it is the first
    such time.
    ``weekdays`` (1 Monday to 7 Sunday) then moves to the first of these days.
    """

    id: str
    span: Span
    at: time | None = None
    weekdays: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.span.is_negative:
            raise FieldError("for", Message(N_("A wait cannot lead back in time. Give a duration such as P2D.")))


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wait until ``offset`` from the start of the activity that the enrolment is about; re-planned when it moves.

    Where that moment has passed on arrival: ``now`` goes on at once, ``exit`` ends the journey, and ``skip`` passes
    over what was to happen then: every step up to the next wait in the same branch.
    """

    id: str
    offset: Span
    if_past: str = "skip"
    relative_to: str = "activity"


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait for something to happen, at most ``timeout``; ``then`` when it does, else ``otherwise``."""

    id: str
    trigger: Trigger
    timeout: Span
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.trigger, HAPPENINGS):
            raise FieldError(
                "trigger", Message(N_("This is a moment known beforehand: wait until it with another step."))
            )
        if self.timeout.is_negative or self.timeout.is_zero:
            raise FieldError("timeout", Message(N_("Say how long to wait at most, such as P7D.")))


@dataclass(frozen=True, slots=True)
class Branch:
    """Of a choice: the steps for whom ``when`` holds (and no branch before it)."""

    when: Rule
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Go the way of the first branch whose rule holds on that day, or of ``otherwise``."""

    id: str
    branches: tuple[Branch, ...]
    otherwise: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        _check_branches(len(self.branches))


@dataclass(frozen=True, slots=True)
class Portion:
    """Of a split: a named part of the people, in proportion to ``weight``."""

    name: str
    weight: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Divide people by weight; the same person always goes the same way at the same split."""

    id: str
    portions: tuple[Portion, ...]

    def __post_init__(self) -> None:
        _check_branches(len(self.portions))
        if not any(portion.weight for portion in self.portions):
            raise FieldError(
                "branches", Message(N_("All weights are zero, so nobody could go anywhere. Give one a weight."))
            )
        names = Counter(portion.name.casefold() for portion in self.portions)
        if any(count > 1 for count in names.values()):
            raise FieldError("branches", Message(N_("Two branches have the same name. Name them apart.")))


@dataclass(frozen=True, slots=True)
class Tag:
    """Give the contact tags, and take others away."""

    id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.add and not self.remove:
            raise FieldError("add", Message(N_("Choose a tag to add or to remove.")))
        both = {tag.casefold() for tag in self.add} & {tag.casefold() for tag in self.remove}
        if both:
            raise FieldError("remove", Message(N_("A tag is both added and removed. Choose one of the two.")))


@dataclass(frozen=True, slots=True)
class SetField:
    """Set a field of the organisation's own; ``None`` empties it."""

    id: str
    field: str
    value: Value

    def __post_init__(self) -> None:
        if self.attribute in ("", self.field):
            raise FieldError("field", Message(N_("Choose a field of your own: attributes.<key>.")))

    @property
    def attribute(self) -> str:
        """The organisation's own key."""
        return self.field.removeprefix(rules.ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class ChangeAudience:
    """Put the contact in an audience by hand, or take them out of it; the gate still decides what is pushed."""

    id: str
    audience_id: int
    do: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Write to a colleague that somebody came here."""

    id: str
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class CallWebhook:
    """Tell another system, over HTTPS, that somebody came here."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Exit:
    """End the journey here."""

    id: str


Step = (
    Send | Wait | WaitUntil | WaitFor | Choose | Split | Tag | SetField | ChangeAudience | Notify | CallWebhook | Exit
)
Waiting = Wait | WaitUntil | WaitFor


# --- the whole -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Goal:
    """What the journey wants to reach: ``rule`` holds within ``within`` after entering. Who reaches it leaves."""

    rule: Rule
    within: Span

    def __post_init__(self) -> None:
        if self.within.is_negative or self.within.is_zero:
            raise FieldError("within", Message(N_("Say within how long after entering, such as P30D.")))


@dataclass(frozen=True, slots=True)
class Quiet:
    """No marketing mail between two times of day by the house's clock; it may pass midnight."""

    since: time
    until: time

    def __post_init__(self) -> None:
        if self.since == self.until:
            raise FieldError("until", Message(N_("Quiet hours that end when they begin would never end. Change one.")))

    def holds(self, at: time) -> bool:
        """Whether ``at`` is quiet; the first time is, the last is not."""
        if self.since < self.until:
            return self.since <= at < self.until
        return at >= self.since or at < self.until


@dataclass(frozen=True, slots=True)
class Definition:
    """A journey: what lets people in, who of them, what for, and the steps.

    ``reentry``: whether somebody may enter again: ``never``, ``after_exit``, or a span after having entered last.
    ``holdout_percent`` of the people pass through every step and receive nothing, to measure the effect.
    """

    trigger: Trigger
    purpose: str
    steps: tuple[Step, ...] = ()
    only: Rule | None = None
    reentry: str | Span = "never"
    goal: Goal | None = None
    holdout_percent: Decimal = Decimal(0)
    quiet: Quiet | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.holdout_percent <= 90:
            raise FieldError("holdout_percent", Message(N_("Hold out 0 to 90 per cent of the people.")))
        if isinstance(self.reentry, Span) and (self.reentry.is_negative or self.reentry.is_zero):
            raise FieldError("reentry", Message(N_("Say after how long, such as P365D.")))
        every = list(all_steps(self.steps))
        if len(every) > MAX_STEPS:
            raise FieldError("steps", Message(N_("A journey has at most %(limit)s steps."), limit=MAX_STEPS))
        _check_ids(every)


def branches_of(step: Step) -> tuple[tuple[Step, ...], ...]:
    """The ways that lead on inside ``step``, in reading order; none for a step that does not branch."""
    match step:
        case WaitFor(then=then, otherwise=otherwise):
            return (then, otherwise)
        case Choose(branches=branches, otherwise=otherwise):
            return (*(branch.steps for branch in branches), otherwise)
        case Split(portions=portions):
            return tuple(portion.steps for portion in portions)
        case _:
            return ()


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step, in reading order, those inside branches right after the step that branches."""
    for step in steps:
        yield step
        for inner in branches_of(step):
            yield from all_steps(inner)


def is_step_id(text: str) -> bool:
    """Whether ``text`` can name a step: letters, digits, hyphens and underscores, 40 at most."""
    return _STEP_ID.fullmatch(text) is not None


def _check_branches(count: int) -> None:
    if not count:
        raise FieldError("branches", Message(N_("Make at least one branch.")))
    if count > MAX_BRANCHES:
        raise FieldError("branches", Message(N_("A step has at most %(limit)s branches."), limit=MAX_BRANCHES))


def _check_ids(steps: list[Step]) -> None:
    for step_id, count in Counter(step.id for step in steps).items():
        if not is_step_id(step_id):
            raise FieldError("steps", NOT_A_STEP_ID)
        if count > 1:
            message = Message(N_("Two steps have the same id, “%(id)s”. Give one of them another."), id=step_id)
            raise FieldError("steps", message)
