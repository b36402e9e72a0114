"""Rules in Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from app.segments.language import rules
from app.segments.language.rules import DateOf, Measure, Op
from app.segments.language.told.grammar import FieldWords, Grammar, Tense
from app.segments.language.told.quantities import Quantity, Shape
from app.segments.language.told.rolling import Rolling
from app.segments.language.windows import Days

_CAME = {Tense.PAST: "kwam", Tense.FUTURE: "komt", Tense.BOTH: "kwam of komt"}
_CAME_NOT = {Tense.PAST: "kwam niet", Tense.FUTURE: "komt niet", Tense.BOTH: "kwam niet en komt niet"}
_CAME_NONE = {Tense.PAST: "kwam", Tense.FUTURE: "komt", Tense.BOTH: "kwam en komt"}
_HAD = {Tense.PAST: "had", Tense.FUTURE: "heeft", Tense.BOTH: "had of heeft"}
_HAD_NONE = {Tense.PAST: "had", Tense.FUTURE: "heeft", Tense.BOTH: "had en heeft"}
_SPENT = {Tense.PAST: "besteedde", Tense.FUTURE: "besteedt", Tense.BOTH: "besteedde of besteedt"}
_SPENT_NOT = {Tense.PAST: "besteedde niets", Tense.FUTURE: "besteedt niets", Tense.BOTH: "besteedde en besteedt niets"}

# What is counted: before the number, singular, plural, and none at all.
_COUNTED = {
    Measure.ACTIVITIES: ("naar", "activiteit", "verschillende activiteiten", "naar geen enkele activiteit"),
    Measure.GENRES: ("naar", "genre", "verschillende genres", "naar geen enkel genre"),
    Measure.VENUES: ("naar", "locatie", "verschillende locaties", "naar geen enkele locatie"),
    Measure.DAYS: ("op", "dag", "verschillende dagen", "op geen enkele dag"),
}

_CHANNELS = {
    "email": "per e-mail",
    "sms": "per sms",
    "post": "per post",
    "phone": "per telefoon",
    "ads": "via advertenties",
}


def _field(bare: str, *, none: str = "") -> FieldWords:
    return FieldWords(bare, f"een {bare}", none or f"geen {bare}")


class Dutch(Grammar):
    """Dutch as it is written in Flanders and the Netherlands."""

    code = "nl"
    everyone = "Iedereen zit in dit segment."
    nobody = "Niemand zit in dit segment."
    opening = "Iedereen in dit segment"
    anyone_phrase = "voldoet altijd"
    nobody_phrase = "voldoet nooit"
    and_word = "en"
    or_word = "of"
    quotes = ("“", "”")
    number_sign = "nr."
    money = "¤\u00a0#,##0.00"
    percents = "#,##0.##\u00a0%"
    shapes = {  # noqa: RUF012 (a table of words, typed in the parent)
        Shape.NONE: "geen enkele",
        Shape.ANY: "eender hoeveel",
        Shape.NEVER: "minder dan 0",
        Shape.AT_LEAST: "minstens {0}",
        Shape.AT_MOST: "hoogstens {0}",
        Shape.LESS_THAN: "minder dan {0}",
        Shape.MORE_THAN: "meer dan {0}",
        Shape.EXACTLY: "precies {0}",
        Shape.NOT_EXACTLY: "niet precies {0}",
        Shape.BETWEEN: "{0} tot {1}",
        Shape.OUTSIDE: "minder dan {0} of meer dan {1}",
    }
    fields = {  # noqa: RUF012 (a table of words, typed in the parent)
        "given_name": _field("voornaam"),
        "family_name": _field("familienaam"),
        "email": _field("e-mailadres"),
        "email_domain": _field("e-maildomein"),
        "language": _field("taal"),
        "gender": _field("geslacht"),
        "birth_date": _field("geboortedatum"),
        "age": _field("leeftijd"),
        "postcode": _field("postcode"),
        "municipality": _field("gemeente"),
        "country": _field("land"),
        "phone": _field("telefoonnummer"),
        "created_on": _field("aanmaakdatum"),
        "source": _field("bron"),
    }
    kinds = {  # noqa: RUF012 (a table of words, typed in the parent)
        "performance": "voorstelling",
        "exhibition": "tentoonstelling",
        "workshop": "workshop",
        "loan": "uitlening",
        "concert": "concert",
        "film": "film",
        "tour": "rondleiding",
        "lecture": "lezing",
        "festival": "festival",
        "course": "cursus",
    }
    sales_channels = {  # noqa: RUF012 (a table of words, typed in the parent)
        "web": "het web",
        "counter": "de balie",
        "phone": "de telefoon",
    }
    statuses = {  # noqa: RUF012 (a table of words, typed in the parent)
        "booked": "geboekt",
        "attended": "aanwezig",
        "cancelled": "geannuleerd",
        "refunded": "terugbetaald",
        "pending": "in afwachting",
    }
    conditions = {  # noqa: RUF012 (a table of words, typed in the parent)
        "activities": "voor {}",
        "series": "in de reeks {}",
        "genres": "in het genre {}",
        "kinds": "van de soort {}",
        "venues": "op de locatie {}",
        "audiences": "voor het doelpubliek {}",
        "weekdays": "op {}",
        "channels": "via {}",
        "sources": "uit de bron {}",
        "price": "voor een bedrag van {}",
        "quantity": "met telkens {} tickets",
        "lead_days": "geboekt {} dagen vooraf",
        "statuses": "met status {}",
    }
    mails = {  # noqa: RUF012 (a table of words, typed in the parent)
        "delivered": ("kreeg een mail", "kreeg geen mail"),
        "opened": ("opende een mail", "opende geen mail"),
        "clicked": ("klikte in een mail", "klikte in geen mail"),
        "bounced": ("had een mail die terugkwam", "had geen mail die terugkwam"),
    }
    of_mailing = "van de mailing {}"
    of_campaign = "van de campagne {}"
    passes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("heeft een geldige pas van {}", "heeft geen geldige pas van {}"),
        "expired": ("liet een pas van {} verlopen", "liet geen pas van {} verlopen"),
        "none": ("had nooit een pas van {}", "heeft of had een pas van {}"),
    }
    last_day = "waarvan de laatste dag valt {}"
    last_day_known = "waarvan de laatste dag bekend is"
    points = "met {} punten"
    in_journeys = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("zit in het traject {}", "zit niet in het traject {}"),
        "completed": ("voltooide het traject {}", "voltooide het traject {} niet"),
        "never": ("kwam nooit in het traject {}", "kwam in het traject {}"),
    }
    mailboxes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "unknown": ("heeft een adres waarvan nog niets bekend is", "heeft geen adres waarvan nog niets bekend is"),
        "working": ("heeft een adres waar mail aankomt", "heeft geen adres waar mail aankomt"),
        "soft_bouncing": (
            "heeft een adres waarvan mail nu en dan terugkomt",
            "heeft geen adres waarvan mail nu en dan terugkomt",
        ),
        "bouncing": ("heeft een adres waarvan mail terugkomt", "heeft geen adres waarvan mail terugkomt"),
    }
    alike = {  # noqa: RUF012 (a table of words, typed in the parent)
        "person": (
            "is waarschijnlijk dezelfde persoon als iemand anders voor wie geldt: {}",
            "is waarschijnlijk niet dezelfde persoon als iemand anders voor wie geldt: {}",
        ),
        "household": (
            "woont op het adres van iemand anders voor wie geldt: {}",
            "woont niet op het adres van iemand anders voor wie geldt: {}",
        ),
    }
    open_days_only = "(de dagen waarop het huis gesloten was niet meegeteld)"
    rolling: ClassVar[Mapping[Rolling, str]] = {
        "last": "in de voorbije {}",
        "since": "vanaf {} geleden",
        "next": "in de komende {}",
        "ago": "meer dan {} geleden",
        "between": "tussen {} en {} geleden",
        "until": "tot vandaag",
        "now": "nu {}",
    }
    spans: ClassVar[Mapping[str, tuple[str, str]]] = {
        "day": ("1 dag", "{} dagen"),
        "month": ("1 maand", "{} maanden"),
        "year": ("1 jaar", "{} jaar"),
    }

    def measured(self, leaf: rules.Participation, amount: Quantity, tense: Tense) -> str:
        is_none = amount.shape is Shape.NONE
        is_booking = leaf.date_of is DateOf.BOOKING
        match leaf.measure:
            case Measure.COUNT if is_none:
                return "boekte niet" if is_booking else _CAME_NOT[tense]
            case Measure.COUNT:
                return f"{'boekte' if is_booking else _CAME[tense]} {self.times(amount)}"
            case Measure.SPEND:
                return _SPENT_NOT[tense] if is_none else f"{_SPENT[tense]} {self.amount(amount, self.price)}"
            case Measure.TICKETS:
                verb = "boekte" if is_booking else (_HAD_NONE if is_none else _HAD)[tense]
                noun = "ticket" if amount.deciding == 1 else "tickets"
                return f"{verb} geen tickets" if is_none else f"{verb} {self.amount(amount)} {noun}"
            case _:
                to, one, many, none = _COUNTED[leaf.measure]
                verb = "boekte" if is_booking else (_CAME_NONE if is_none else _CAME)[tense]
                return (
                    f"{verb} {none}"
                    if is_none
                    else (f"{verb} {to} {self.amount(amount)} {one if amount.deciding == 1 else many}")
                )

    def first_or_last(self, leaf: rules.FirstParticipation | rules.LastParticipation, tense: Tense, no: bool) -> str:
        which = "voor het eerst" if isinstance(leaf, rules.FirstParticipation) else "voor het laatst"
        if leaf.date_of is DateOf.BOOKING:
            return f"boekte niet {which}" if no else f"boekte {which}"
        return f"{(_CAME_NOT if no else _CAME)[tense]} {which}"

    def window(self, days: Days, tense: Tense) -> str:
        if days.is_empty:
            return "in een periode zonder dagen"
        if days.since and days.last:
            if days.since == days.last:
                return f"op {self.day(days.since)}"
            return f"van {self.day(days.since)} tot en met {self.day(days.last)}"
        if days.since:
            return f"{'sinds' if tense is Tense.PAST else 'vanaf'} {self.day(days.since)}"
        return f"tot en met {self.day(days.last)}" if days.last else ""

    def share_phrase(self, among: str, amount: str, of: str, least: str, *, no: bool) -> str:
        parts = ("had van de deelnames", among, "niet" if no else "", amount, of, f"(en dat {least})" if least else "")
        return " ".join(part for part in parts if part)

    def profile_phrase(self, leaf: rules.Profile, *, no: bool) -> str:
        noun = self.noun(leaf)
        said = [self.value(leaf, value) for value in leaf.values if value is not None]
        match leaf.op:
            case Op.KNOWN | Op.UNKNOWN:
                return f"heeft {noun.one if (leaf.op is Op.KNOWN) is not no else noun.none}"
            case Op.IS | Op.IN:
                return f"heeft {'niet ' if no else ''}als {noun.bare} {self.one_of(said)}"
            case Op.IS_NOT | Op.NOT_IN:
                return f"heeft {'' if no else 'niet '}als {noun.bare} {self.one_of(said)}"
            case Op.CONTAINS:
                return f"heeft {noun.none if no else noun.one} met {said[0]} erin"
            case Op.STARTS_WITH:
                return f"heeft {noun.none if no else noun.one} met {said[0]} als begin"
            case Op.BETWEEN:
                return f"heeft {noun.none if no else noun.one} {self._between(leaf)}"

    def _between(self, leaf: rules.Profile) -> str:
        low, high = (None if value is None else self.value(leaf, value) for value in leaf.values)
        if low and high:
            return f"van {low} tot en met {high}"
        return f"vanaf {low}" if low else f"tot en met {high}" if high else ""

    def anniversary_phrase(self, leaf: rules.Anniversary, window: str, *, no: bool) -> str:
        if leaf.attribute is None:
            return f"is {'niet ' if no else ''}jarig {window}".strip()
        return f"heeft {'geen' if no else 'een'} verjaardag van {self.quoted(leaf.attribute)} {window}".strip()

    def permission_phrase(self, channel: str, purpose: str, *, no: bool) -> str:
        return f"mag {'niet ' if no else ''}{_CHANNELS[channel]} gecontacteerd worden voor {purpose}"

    def tag_phrase(self, tag: str, *, no: bool) -> str:
        return f"heeft {'niet ' if no else ''}het label {tag}"

    def segment_phrase(self, name: str, *, no: bool) -> str:
        return f"zit {'niet ' if no else ''}in het segment {name}"

    def sample_phrase(self, percentage: str, seed: str, *, no: bool) -> str:
        return f"valt {'niet ' if no else ''}in de vaste steekproef {seed} van {percentage}"

    def times(self, amount: Quantity) -> str:
        return f"{self.amount(amount)} keer"

    def own_field(self, key: str) -> FieldWords:
        return _field(f"kenmerk {self.quoted(key)}")
