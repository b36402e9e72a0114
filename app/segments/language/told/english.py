"""Rules in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from app.segments.language import rules
from app.segments.language.rules import DateOf, Measure, Op
from app.segments.language.told.grammar import FieldWords, Grammar, Tense
from app.segments.language.told.quantities import Quantity, Shape
from app.segments.language.told.rolling import Rolling
from app.segments.language.windows import Days

_CAME = {Tense.PAST: "came", Tense.FUTURE: "will come", Tense.BOTH: "came or will come"}
_CAME_NOT = {
    Tense.PAST: "did not come",
    Tense.FUTURE: "will not come",
    Tense.BOTH: "did not come and will not come",
}
_CAME_NONE = {Tense.PAST: "came", Tense.FUTURE: "will come", Tense.BOTH: "came and will come"}
_HAD = {Tense.PAST: "had", Tense.FUTURE: "will have", Tense.BOTH: "had or will have"}
_HAD_NONE = {Tense.PAST: "had", Tense.FUTURE: "will have", Tense.BOTH: "had and will have"}
_SPENT = {Tense.PAST: "spent", Tense.FUTURE: "will spend", Tense.BOTH: "spent or will spend"}
_SPENT_NOT = {
    Tense.PAST: "spent nothing",
    Tense.FUTURE: "will spend nothing",
    Tense.BOTH: "spent and will spend nothing",
}

# What is counted: before the number, singular, plural, and none at all.
_COUNTED = {
    Measure.ACTIVITIES: ("to", "activity", "different activities", "to no activity"),
    Measure.GENRES: ("to", "genre", "different genres", "to no genre"),
    Measure.VENUES: ("to", "venue", "different venues", "to no venue"),
    Measure.DAYS: ("on", "day", "different days", "on no day"),
}

_CHANNELS = {
    "email": "by e-mail",
    "sms": "by text message",
    "post": "by post",
    "phone": "by phone",
    "ads": "through advertisements",
}


def _field(bare: str, *, article: str = "a") -> FieldWords:
    return FieldWords(bare, f"{article} {bare}", f"no {bare}")


class English(Grammar):
    """British English."""

    code = "en"
    everyone = "Everyone is in this segment."
    nobody = "Nobody is in this segment."
    opening = "Everyone in this segment"
    anyone_phrase = "always qualifies"
    nobody_phrase = "never qualifies"
    and_word = "and"
    or_word = "or"
    quotes = ("“", "”")
    number_sign = "no."
    money = "¤#,##0.00"
    percents = "#,##0.##%"
    shapes = {  # noqa: RUF012 (a table of words, typed in the parent)
        Shape.NONE: "no",
        Shape.ANY: "any number of",
        Shape.NEVER: "fewer than 0",
        Shape.AT_LEAST: "at least {0}",
        Shape.AT_MOST: "at most {0}",
        Shape.LESS_THAN: "less than {0}",
        Shape.MORE_THAN: "more than {0}",
        Shape.EXACTLY: "exactly {0}",
        Shape.NOT_EXACTLY: "not exactly {0}",
        Shape.BETWEEN: "{0} to {1}",
        Shape.OUTSIDE: "less than {0} or more than {1}",
    }
    fields = {  # noqa: RUF012 (a table of words, typed in the parent)
        "given_name": _field("first name"),
        "family_name": _field("last name"),
        "email": _field("e-mail address", article="an"),
        "email_domain": _field("e-mail domain", article="an"),
        "language": _field("language"),
        "gender": _field("gender"),
        "birth_date": _field("date of birth"),
        "age": _field("age", article="an"),
        "postcode": _field("postcode"),
        "municipality": _field("municipality"),
        "country": _field("country"),
        "phone": _field("phone number"),
        "created_on": _field("date of entry"),
        "source": _field("source"),
    }
    kinds = {  # noqa: RUF012 (a table of words, typed in the parent)
        "performance": "performance",
        "exhibition": "exhibition",
        "workshop": "workshop",
        "loan": "loan",
        "concert": "concert",
        "film": "film",
        "tour": "guided tour",
        "lecture": "lecture",
        "festival": "festival",
        "course": "course",
    }
    sales_channels = {  # noqa: RUF012 (a table of words, typed in the parent)
        "web": "the web",
        "counter": "the counter",
        "phone": "the phone",
    }
    statuses = {  # noqa: RUF012 (a table of words, typed in the parent)
        "booked": "booked",
        "attended": "attended",
        "cancelled": "cancelled",
        "refunded": "refunded",
        "pending": "pending",
    }
    conditions = {  # noqa: RUF012 (a table of words, typed in the parent)
        "activities": "for {}",
        "series": "in the series {}",
        "genres": "in the genre {}",
        "kinds": "of the kind {}",
        "venues": "at the venue {}",
        "audiences": "for the target audience {}",
        "weekdays": "on a {}",
        "channels": "through {}",
        "sources": "from the source {}",
        "price": "for an amount of {}",
        "quantity": "with {} tickets at a time",
        "lead_days": "booked {} days ahead",
        "statuses": "with status {}",
    }
    mails = {  # noqa: RUF012 (a table of words, typed in the parent)
        "delivered": ("received a mail", "received no mail"),
        "opened": ("opened a mail", "opened no mail"),
        "clicked": ("clicked in a mail", "clicked in no mail"),
        "bounced": ("had a mail bounce", "had no mail bounce"),
    }
    of_mailing = "of the mailing {}"
    of_campaign = "of the campaign {}"
    passes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("has a valid pass of {}", "has no valid pass of {}"),
        "expired": ("let a pass of {} expire", "did not let a pass of {} expire"),
        "none": ("never had a pass of {}", "has or had a pass of {}"),
    }
    last_day = "whose last day falls {}"
    last_day_known = "whose last day is known"
    points = "with {} points"
    in_journeys = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("is in the journey {}", "is not in the journey {}"),
        "completed": ("completed the journey {}", "did not complete the journey {}"),
        "never": ("never entered the journey {}", "entered the journey {}"),
    }
    mailboxes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "unknown": ("has an address of which nothing is known yet", "has no address of which nothing is known yet"),
        "working": ("has an address where mail arrives", "has no address where mail arrives"),
        "soft_bouncing": ("has an address that bounces now and then", "has no address that bounces now and then"),
        "bouncing": ("has an address that bounces", "has no address that bounces"),
    }
    alike = {  # noqa: RUF012 (a table of words, typed in the parent)
        "person": (
            "is likely the same person as somebody else who {}",
            "is not likely the same person as anybody else who {}",
        ),
        "household": (
            "lives at the address of somebody else who {}",
            "does not live at the address of anybody else who {}",
        ),
    }
    open_days_only = "(not counting the days on which the house was closed)"
    rolling: ClassVar[Mapping[Rolling, str]] = {
        "last": "in the last {}",
        "since": "from {} ago on",
        "next": "in the next {}",
        "ago": "more than {} ago",
        "between": "between {} and {} ago",
        "until": "until today",
        "now": "now {}",
    }
    spans: ClassVar[Mapping[str, tuple[str, str]]] = {
        "day": ("a day", "{} days"),
        "month": ("a month", "{} months"),
        "year": ("a year", "{} years"),
    }

    def measured(self, leaf: rules.Participation, amount: Quantity, tense: Tense) -> str:
        is_none = amount.shape is Shape.NONE
        is_booking = leaf.date_of is DateOf.BOOKING
        match leaf.measure:
            case Measure.COUNT if is_none:
                return "did not book" if is_booking else _CAME_NOT[tense]
            case Measure.COUNT:
                return f"{'booked' if is_booking else _CAME[tense]} {self.times(amount)}"
            case Measure.SPEND:
                return _SPENT_NOT[tense] if is_none else f"{_SPENT[tense]} {self.amount(amount, self.price)}"
            case Measure.TICKETS:
                verb = "booked" if is_booking else (_HAD_NONE if is_none else _HAD)[tense]
                noun = "ticket" if amount.deciding == 1 else "tickets"
                return f"{verb} no tickets" if is_none else f"{verb} {self.amount(amount)} {noun}"
            case _:
                to, one, many, none = _COUNTED[leaf.measure]
                verb = "booked" if is_booking else (_CAME_NONE if is_none else _CAME)[tense]
                if is_booking and to == "to":
                    to, none = "for", none.replace("to ", "for ")
                return (
                    f"{verb} {none}"
                    if is_none
                    else (f"{verb} {to} {self.amount(amount)} {one if amount.deciding == 1 else many}")
                )

    def first_or_last(self, leaf: rules.FirstParticipation | rules.LastParticipation, tense: Tense, no: bool) -> str:
        which = "for the first time" if isinstance(leaf, rules.FirstParticipation) else "for the last time"
        if leaf.date_of is DateOf.BOOKING:
            return f"did not book {which}" if no else f"booked {which}"
        return f"{(_CAME_NOT if no else _CAME)[tense]} {which}"

    def window(self, days: Days, tense: Tense) -> str:
        if days.is_empty:
            return "in a period without days"
        if days.since and days.last:
            if days.since == days.last:
                return f"on {self.day(days.since)}"
            return f"from {self.day(days.since)} to {self.day(days.last)}"
        if days.since:
            return f"since {self.day(days.since)}" if tense is Tense.PAST else f"from {self.day(days.since)} on"
        return f"up to {self.day(days.last)}" if days.last else ""

    def share_phrase(self, among: str, amount: str, of: str, least: str, *, no: bool) -> str:
        verb = "did not have" if no else "had"
        parts = (f"{verb}, of the participations", among) if among else (f"{verb}, of all participations",)
        tail = " ".join(part for part in (amount, of, f"(and that {least})" if least else "") if part)
        return f"{' '.join(parts)}, {tail}"

    def profile_phrase(self, leaf: rules.Profile, *, no: bool) -> str:
        noun = self.noun(leaf)
        said = [self.value(leaf, value) for value in leaf.values if value is not None]
        match leaf.op:
            case Op.KNOWN | Op.UNKNOWN:
                return f"has {noun.one if (leaf.op is Op.KNOWN) is not no else noun.none}"
            case Op.IS | Op.IN:
                return f"{'does not have' if no else 'has'} {self.one_of(said)} as {noun.bare}"
            case Op.IS_NOT | Op.NOT_IN:
                return f"{'has' if no else 'does not have'} {self.one_of(said)} as {noun.bare}"
            case Op.CONTAINS:
                return f"has {noun.none if no else noun.one} with {said[0]} in it"
            case Op.STARTS_WITH:
                return f"has {noun.none if no else noun.one} that starts with {said[0]}"
            case Op.BETWEEN:
                return f"has {noun.none if no else noun.one} {self._between(leaf)}"

    def _between(self, leaf: rules.Profile) -> str:
        low, high = (None if value is None else self.value(leaf, value) for value in leaf.values)
        if low and high:
            return f"from {low} to {high}"
        return f"from {low} on" if low else f"up to {high}" if high else ""

    def anniversary_phrase(self, leaf: rules.Anniversary, window: str, *, no: bool) -> str:
        if leaf.attribute is None:
            return f"has {'no' if no else 'a'} birthday {window}".strip()
        return f"has {'no' if no else 'an'} anniversary of {self.quoted(leaf.attribute)} {window}".strip()

    def permission_phrase(self, channel: str, purpose: str, *, no: bool) -> str:
        return f"may {'not ' if no else ''}be contacted {_CHANNELS[channel]} for {purpose}"

    def tag_phrase(self, tag: str, *, no: bool) -> str:
        return f"{'does not carry' if no else 'carries'} the tag {tag}"

    def segment_phrase(self, name: str, *, no: bool) -> str:
        return f"is {'not ' if no else ''}in the segment {name}"

    def sample_phrase(self, percentage: str, seed: str, *, no: bool) -> str:
        return f"is {'not ' if no else ''}in the fixed sample {seed} of {percentage}"

    def times(self, amount: Quantity) -> str:
        return f"{self.amount(amount)} {'time' if amount.deciding == 1 else 'times'}"

    def own_field(self, key: str) -> FieldWords:
        return _field(f"field {self.quoted(key)}")
