"""The ready-made journeys: what each is for, whom it writes to and when, and which letters it takes along.

Names and reasons are English and marked for translation. Definitions are JSON, as the builder and the API take them;
where a letter, a segment or a programme of passes stands, ``Parts`` gives the one of this house.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.journeys.ready_made.letter import Letter
from app.journeys.ready_made.letters import first_visit, occasions, passes, visits, welcome, win_back
from app.segments.problems import N_

Json = dict[str, Any]
EVENINGS = {"from": "21:00", "until": "08:00"}
MORNING = "10:00"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a definition refers to in this house: mailings by the key of their letter, segments by recipe."""

    mailings: Mapping[str, int]
    segments: Mapping[str, int]
    programme: str
    confirms_newsletter: bool


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A journey to begin with. ``group`` is where the gallery shows it; ``recipes`` are segments it listens to."""

    key: str
    name: str
    what_for: str
    letters: Mapping[str, Letter]
    build: Callable[[Parts], Json]
    recipes: tuple[str, ...] = field(default=())


def _journey(trigger: Json, *steps: Json, purpose: str = "newsletter", **more: Any) -> Json:
    quiet = {} if purpose == "service" else {"quiet": EVENINGS}
    settings: Json = {"purpose": purpose, "reentry": "never", "holdout_percent": 0, **quiet, **more}
    return {"trigger": trigger, **settings, "steps": list(steps)}


def _send(parts: Parts, letter: str) -> Json:
    return {"id": f"send-{letter}", "type": "send", "mailing": parts.mailings[letter]}


def _wait(step_id: str, span: str, **more: Any) -> Json:
    return {"id": step_id, "type": "wait", "for": span, "at": MORNING, **more}


def _unless(step_id: str, rule: Json, *steps: Json) -> Json:
    """Go on with ``steps``, except for whom ``rule`` holds by now: they leave."""
    leave = {"when": rule, "steps": [{"id": f"{step_id}-leave", "type": "exit"}]}
    return {"id": step_id, "type": "choose", "branches": [leave], "otherwise": list(steps)}


def _came(at_least: int | None, at_most: int | None, since: str | None = None) -> Json:
    bounds = {"at_least": at_least, "at_most": at_most}
    kept = {key: value for key, value in bounds.items() if value is not None}
    return {"type": "participation", "measure": "days", **kept, "between": [since, "P1D"], "date": "activity"}


def _booked(since: str) -> Json:
    """Booked something in the days since."""
    return {"type": "participation", "measure": "count", "at_least": 1, "between": [since, "P1D"], "date": "booking"}


def _welcome(parts: Parts) -> Json:
    on = "confirmed" if parts.confirms_newsletter else "granted"
    trigger = {"type": "consent", "channel": "email", "purpose": "newsletter", "on": on}
    return _journey(trigger, _send(parts, "hello"), _wait("few-days", "P3D"), _send(parts, "first-evenings"))


def _first_visit(parts: Parts) -> Json:
    return _journey(
        {"type": "activity", "offset": "P1D"},
        _send(parts, "thank-you"),
        _wait("two-weeks", "P14D"),
        _unless("came-again", _booked("-P15D"), _send(parts, "come-again")),
        only=_came(1, 1),
        goal={"rule": _came(2, None), "within": "P90D"},
        holdout_percent=10,
    )


def _win_back(parts: Parts) -> Json:
    return _journey(
        {"type": "segment", "segment": parts.segments["lapser"], "on": "enter"},
        _send(parts, "we-miss-you"),
        _wait("three-weeks", "P21D"),
        _unless("came-back", _booked("-P22D"), _send(parts, "something-new")),
        reentry="P365D",
        goal={"rule": _booked("-P60D"), "within": "P60D"},
        holdout_percent=10,
    )


def _before(parts: Parts) -> Json:
    trigger = {"type": "activity", "offset": "-P2D"}
    return _journey(trigger, _send(parts, "before"), purpose="service", reentry="after_exit")


def _after(parts: Parts) -> Json:
    trigger = {"type": "activity", "offset": "P1D"}
    return _journey(trigger, _send(parts, "after"), purpose="survey", reentry="P90D")


def _called_off(parts: Parts) -> Json:
    trigger = {"type": "participation", "on": "called_off"}
    return _journey(trigger, _send(parts, "called-off"), purpose="service", reentry="after_exit")


def _birthday(parts: Parts) -> Json:
    trigger = {"type": "anniversary", "field": "birth_date", "offset": "P0D"}
    return _journey(trigger, _wait("morning", "P0D"), _send(parts, "birthday"), reentry="P300D")


def _fifth_visit(parts: Parts) -> Json:
    return _journey({"type": "activity", "offset": "P1D"}, _send(parts, "fifth-visit"), only=_came(5, 5))


def _last_minute(parts: Parts) -> Json:
    """Four Thursdays, for who is found to decide late; whoever books leaves."""
    steps: list[Json] = []
    for week in range(1, 5):
        span = "P0D" if week == 1 else "P3D"
        wait = {"id": f"thursday-{week}", "type": "wait", "for": span, "at": "16:00", "weekdays": [4]}
        steps += [wait, {"id": f"weekend-{week}", "type": "send", "mailing": parts.mailings["this-weekend"]}]
    trigger = {"type": "segment", "segment": parts.segments["last_minute"], "on": "enter"}
    return _journey(trigger, *steps, reentry="P180D", goal={"rule": _booked("-P30D"), "within": "P30D"})


def _pass(parts: Parts, on: str, letter: str, **more: Any) -> Json:
    trigger = {"type": "pass", "programme": parts.programme, "on": on, **more}
    reentry = "P300D" if on == "expiring" else "never"
    return _journey(trigger, _send(parts, letter), reentry=reentry)


READY_MADE: tuple[ReadyMade, ...] = (
    ReadyMade(
        "welcome",
        N_("Welcome"),
        N_("Somebody signs up for the newsletter: a hello at once, and three evenings to begin with after a few days."),
        {"hello": welcome.HELLO, "first-evenings": welcome.FIRST_EVENINGS},
        _welcome,
    ),
    ReadyMade(
        "first_visit",
        N_("First visit"),
        N_(
            "The day after a first visit: thank you. Who has not booked again after two weeks is invited for a second"
            " time. After one visit one in three comes back, after three visits three in four."
        ),
        {"thank-you": first_visit.THANK_YOU, "come-again": first_visit.COME_AGAIN},
        _first_visit,
    ),
    ReadyMade(
        "win_back",
        N_("Win back lapsers"),
        N_("Who came often and stayed away hears that you miss them, and three weeks later of something new."),
        {"we-miss-you": win_back.WE_MISS_YOU, "something-new": win_back.SOMETHING_NEW},
        _win_back,
        ("lapser",),
    ),
    ReadyMade(
        "before",
        N_("Before your visit"),
        N_("Two days ahead: when, where, and what to bring. A service mail, for everybody with a ticket."),
        {"before": visits.BEFORE},
        _before,
    ),
    ReadyMade(
        "after",
        N_("After your visit"),
        N_("The day after: three questions. The answers become fields that segments can use."),
        {"after": visits.AFTER},
        _after,
    ),
    ReadyMade(
        "called_off",
        N_("Performance called off"),
        N_("You cancel a performance: everybody who was coming hears it at once. A service mail."),
        {"called-off": visits.CALLED_OFF},
        _called_off,
    ),
    ReadyMade(
        "birthday",
        N_("Birthday"),
        N_("A wish in the morning of the day itself, for everybody whose birth date you know."),
        {"birthday": occasions.BIRTHDAY},
        _birthday,
    ),
    ReadyMade(
        "fifth_visit",
        N_("Fifth visit"),
        N_("The day after a fifth visit: you noticed, and you are grateful."),
        {"fifth-visit": occasions.FIFTH_VISIT},
        _fifth_visit,
    ),
    ReadyMade(
        "last_minute",
        N_("Last-minute seats"),
        N_("Who decides late gets what is on in the coming days, four Thursdays in a row, until they book."),
        {"this-weekend": occasions.THIS_WEEKEND},
        _last_minute,
        ("last_minute",),
    ),
    ReadyMade(
        "pass_bought",
        N_("Pass bought"),
        N_("Somebody gets a pass: how to get the most out of it."),
        {"bought": passes.BOUGHT},
        lambda parts: _pass(parts, "issued", "bought"),
    ),
    ReadyMade(
        "first_point",
        N_("First point"),
        N_("The first point on a pass: how saving works."),
        {"first-point": passes.FIRST_POINT},
        lambda parts: _pass(parts, "point", "first-point", nth=1),
    ),
    ReadyMade(
        "pass_expiring",
        N_("Pass about to expire"),
        N_("A month before a pass expires: renew in time, or use it once more."),
        {"expiring": passes.EXPIRING},
        lambda parts: _pass(parts, "expiring", "expiring", offset="-P30D"),
    ),
)

BY_KEY = {journey.key: journey for journey in READY_MADE}
