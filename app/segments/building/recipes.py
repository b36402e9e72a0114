"""Segments that ship with the product: a name, what it is for, a few numbers to edit, and the rule they give.

Texts are English and marked for the translation catalogue; pages translate them. Rules are JSON, as the API takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.segments.problems import N_, Message

Json = dict[str, Any]
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """Something to edit in a recipe: a whole number from ``low`` to ``high``, a list of words of a kind, or a switch.

    ``words`` is what a list begins with. A switch is on (1) or off (0).
    """

    key: str
    label: str
    default: int = 0
    low: int = 1
    high: int = 1000
    kind: Literal["number", "switch", "genres", "postcodes", "series", "programmes"] = "number"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A ready-made segment. ``build`` turns complete settings into a rule."""

    key: str
    name: str
    goal: str
    settings: tuple[Setting, ...]
    build: Callable[[Given], Json]

    def rule(self, given: Mapping[str, str]) -> tuple[Json, dict[str, Message]]:
        """The rule for settings as a form gives them, and what was wrong with them by key.

        What is missing takes its default. Words are separated by commas; a switch is "1" or "0". A setting that is
        wrong takes its default in the rule, or, for words, an empty list, so that the builder can show it for mending.
        """
        values: dict[str, Any] = {}
        problems: dict[str, Message] = {}
        for setting in self.settings:
            values[setting.key], problem = _read(setting, given.get(setting.key, ""))
            if problem is not None:
                problems[setting.key] = problem
        return self.build(values), problems


def _read(setting: Setting, text: str) -> tuple[Any, Message | None]:
    if setting.kind == "switch":
        return (text.strip() or str(setting.default)) != "0", None
    if setting.kind != "number":
        text = text or setting.words
        words = [word.strip() for word in text.split(",") if word.strip()]
        return words, None if words else Message(N_("Choose at least one."))
    if not text.strip():
        return setting.default, None
    if text.strip().isdecimal() and setting.low <= int(text) <= setting.high:
        return int(text), None
    message = Message(N_("Give a whole number from %(low)s to %(high)s."), low=str(setting.low), high=str(setting.high))
    return setting.default, message


def _all(*rules: Json) -> Json:
    return {"type": "all", "rules": list(rules)}


def _none_of(*rules: Json) -> Json:
    return {"type": "not", "rule": {"type": "any", "rules": list(rules)}}


def _came(since: str | None, before: str | None, **bounds: Any) -> Json:
    return {"type": "participation", "measure": "count", **bounds, "between": [since, before], "date": "activity"}


def _lapser(given: Given) -> Json:
    """Came often enough, and not lately; then everybody is left out for whom that says less than it seems.

    With all switches on, nobody stays who came since, has a booking ahead, or is likely to have come as somebody else.
    """
    before = f"-P{given['lapsed_months']}M"
    stayed_away = [
        _came(f"-P{given['lapsed_months'] + given['active_months']}M", before, at_least=given["visits"]),
        _came(before, "P1D", at_most=0),
    ]
    came_since = _came(before, None, at_least=1)
    reasons: dict[str, Json] = {
        "not_booked": _came("P1D", None, at_least=1),
        "not_closed": {**_came(before, "P1D", at_least=1), "skip_closed": True},
        "not_another": {"type": "likely_same", "who": "person", "rule": came_since},
        "not_household": {"type": "likely_same", "who": "household", "rule": came_since},
        "not_bouncing": {"type": "deliverability", "is": "bouncing"},
    }
    left_out = [reason for key, reason in reasons.items() if given[key]]
    return _all(*stayed_away, *([_none_of(*left_out)] if left_out else []))


def _first_timer(given: Given) -> Json:
    return _all(
        {"type": "participation", "measure": "days", "at_most": 1, "between": [None, None], "date": "activity"},
        {"type": "first_participation", "between": [f"-P{given['days']}D", "P1D"], "date": "activity"},
    )


def _genre_affinity(given: Given) -> Json:
    return {
        "type": "share",
        "of": {"genres": given["genres"]},
        "at_least": given["percent"] / 100,
        "min_count": given["times"],
        "between": [f"-P{given['months']}M", "P1D"],
        "date": "activity",
    }


def _recommendation(given: Given) -> Json:
    since = f"-P{given['months']}M"
    return _all(
        _came(since, "P1D", at_least=1, where={"genres": given["genre_a"]}),
        _came(since, "P1D", at_least=1, where={"genres": given["genre_b"]}),
        _came(None, None, at_most=0, where={"genres": given["genre_c"]}),
    )


def _loyal(given: Given) -> Json:
    return _came("-P12M", "P1D", at_least=given["visits"])


def _core(given: Given) -> Json:
    return _all(
        _came("-P12M", "P1D", at_least=given["visits"]),
        _came("-P24M", "-P12M", at_least=given["visits"]),
    )


def _one_timer(given: Given) -> Json:
    """One visit day ever, and that long enough ago that a second would have come by itself."""
    return _all(
        {"type": "participation", "measure": "days", "at_least": 1, "at_most": 1, "between": [None, None]},
        {"type": "last_participation", "between": [None, f"-P{given['months']}M"], "date": "activity"},
    )


def _discoverer(given: Given) -> Json:
    return {
        "type": "participation",
        "measure": "genres",
        "at_least": given["genres"],
        "between": [f"-P{given['months']}M", "P1D"],
        "date": "activity",
    }


def _last_minute(given: Given) -> Json:
    return {
        "type": "share",
        "of": {"lead_days_between": [0, given["days"]]},
        "at_least": given["percent"] / 100,
        "min_count": given["times"],
        "between": [f"-P{given['months']}M", "P1D"],
        "date": "activity",
    }


def _group_booker(given: Given) -> Json:
    where = {"quantity_between": [given["tickets"], None]}
    return _came(f"-P{given['months']}M", None, at_least=given["times"], where=where)


def _birthday(given: Given) -> Json:
    return {"type": "anniversary", "field": "birth_date", "between": ["P0D", f"P{given['days']}D"]}


def _nearby(given: Given) -> Json:
    return _all(
        {"type": "profile", "field": "postcode", "op": "in", "value": given["postcodes"]},
        _came(f"-P{given['months']}M", None, at_most=0),
    )


def _pass_expiring(given: Given) -> Json:
    window = ["P0D", f"P{given['days']}D"]
    each = [
        {"type": "pass", "programme": programme, "is": "active", "expires": window} for programme in given["programmes"]
    ]
    return each[0] if len(each) == 1 else {"type": "any", "rules": each}


def _never_opened(given: Given) -> Json:
    """Of who does not let us see it, nothing is known: they are not in it."""
    window = [f"-P{given['months']}M", "P1D"]

    def mails(event: str, **bounds: int) -> Json:
        return {"type": "engagement", "event": event, "measure": "count", **bounds, "between": window}

    return _all(
        mails("delivered", at_least=given["mails"]),
        {"type": "permission", "channel": "email", "purpose": "track_open", "is": "allowed"},
        mails("opened", at_most=0),
        mails("clicked", at_most=0),
    )


_MONTHS = Setting("months", N_("in how many months"), 24, high=240)
_VISITS_A_YEAR = Setting("visits", N_("visits a year, at least"), 3, high=365)

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "lapser",
        N_("Lapsers"),
        N_("Regular visitors who really stayed away. Invite them back before they forget you."),
        (
            Setting("visits", N_("visits, at least"), 3, high=365),
            Setting("active_months", N_("during how many months"), 30, high=240),
            Setting("lapsed_months", N_("away for how many months"), 18, high=240),
            Setting("not_booked", N_("leave out who has a booking ahead"), 1, kind="switch"),
            Setting("not_closed", N_("do not count days on which the house was closed"), 1, kind="switch"),
            Setting("not_another", N_("leave out who likely came under another address"), 1, kind="switch"),
            Setting("not_household", N_("leave out whose household came"), 1, kind="switch"),
            Setting("not_bouncing", N_("leave out whose mail bounces"), 1, kind="switch"),
        ),
        _lapser,
    ),
    Recipe(
        "first_timer",
        N_("First-timers"),
        N_("They came for the first time. About one in three comes back unasked; a warm welcome makes it more."),
        (Setting("days", N_("first visit in the last … days"), 60, high=3650),),
        _first_timer,
    ),
    Recipe(
        "loyal",
        N_("Loyal visitors"),
        N_("From three visits a year, three in four come back. Thank them and let them choose first."),
        (_VISITS_A_YEAR,),
        _loyal,
    ),
    Recipe(
        "core",
        N_("Core audience"),
        N_("Loyal two years in a row: your ambassadors."),
        (_VISITS_A_YEAR,),
        _core,
    ),
    Recipe(
        "genre_affinity",
        N_("Genre lovers"),
        N_("A good part of what they see is of one genre. Tell them first when you programme it."),
        (
            Setting("genres", N_("genre"), kind="genres"),
            Setting("percent", N_("per cent of the visits, at least"), 40, high=100),
            Setting("times", N_("times, at least"), 2, high=365),
            _MONTHS,
        ),
        _genre_affinity,
    ),
    Recipe(
        "recommendation",
        N_("A and B, not yet C"),
        N_("They like two genres and have not met the third. Recommend it to them."),
        (
            Setting("genre_a", N_("came for"), kind="genres"),
            Setting("genre_b", N_("and came for"), kind="genres"),
            Setting("genre_c", N_("but never for"), kind="genres"),
            _MONTHS,
        ),
        _recommendation,
    ),
    Recipe(
        "discoverer",
        N_("Discoverers"),
        N_("They see a bit of everything. Ask them along to what is new and unknown."),
        (Setting("genres", N_("different genres, at least"), 4, high=50), _MONTHS),
        _discoverer,
    ),
    Recipe(
        "last_minute",
        N_("Last-minute bookers"),
        N_("They decide in the last days. Keep empty seats for their mailbox."),
        (
            Setting("days", N_("booked at most … days ahead"), 2, low=0, high=60),
            Setting("percent", N_("per cent of the visits, at least"), 50, high=100),
            Setting("times", N_("times, at least"), 2, high=365),
            _MONTHS,
        ),
        _last_minute,
    ),
    Recipe(
        "group_booker",
        N_("Group bookers"),
        N_("They bring others along. Offer them a group rate and early seats."),
        (
            Setting("tickets", N_("tickets at a time, at least"), 6, high=1000),
            Setting("times", N_("times, at least"), 1, high=365),
            _MONTHS,
        ),
        _group_booker,
    ),
    Recipe(
        "one_timer",
        N_("One-timers"),
        N_("They came on one day only, a while ago, and never again. Ask what would bring them back."),
        (Setting("months", N_("not since … months"), 12, high=240),),
        _one_timer,
    ),
    Recipe(
        "birthday",
        N_("Birthday this week"),
        N_("A wish on the right day is read by nearly everyone."),
        (Setting("days", N_("in the coming … days, today included"), 7, high=365),),
        _birthday,
    ),
    Recipe(
        "pass_expiring",
        N_("Pass about to expire"),
        N_("Their pass runs out soon. A reminder on time keeps them on board."),
        (
            Setting("programmes", N_("programme"), kind="programmes", words="uitpas"),
            Setting("days", N_("in the coming … days, today included"), 30, high=365),
        ),
        _pass_expiring,
    ),
    Recipe(
        "never_opened",
        N_("Never opened in 12 months"),
        N_("They get your mails and open none. Ask once whether they want to stay, then let them go."),
        (
            Setting("mails", N_("mails received, at least"), 5, high=1000),
            Setting("months", N_("in how many months"), 12, high=240),
        ),
        _never_opened,
    ),
    Recipe(
        "nearby",
        N_("Nearby but not reached"),
        N_("They live around the corner and have not come for a long time."),
        (Setting("postcodes", N_("postcodes"), kind="postcodes"), _MONTHS),
        _nearby,
    ),
)

BY_KEY = {recipe.key: recipe for recipe in RECIPES}
