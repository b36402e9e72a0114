"""Rules in French."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import ClassVar

from app.segments.language import rules
from app.segments.language.rules import DateOf, Measure, Op
from app.segments.language.told.grammar import FieldWords, Grammar, Tense
from app.segments.language.told.quantities import Quantity, Shape
from app.segments.language.told.rolling import Rolling
from app.segments.language.windows import Days

_CAME = {Tense.PAST: "est venue", Tense.FUTURE: "viendra", Tense.BOTH: "est venue ou viendra"}
# Between the two halves of a denial stands what is denied: "n'est venue à aucune activité".
_CAME_NONE = {Tense.PAST: "n’est venue", Tense.FUTURE: "ne viendra", Tense.BOTH: "n’est venue ni ne viendra"}
_CAME_NOT = {
    Tense.PAST: "n’est pas venue",
    Tense.FUTURE: "ne viendra pas",
    Tense.BOTH: "n’est pas venue et ne viendra pas",
}
_HAD = {Tense.PAST: "a eu", Tense.FUTURE: "aura", Tense.BOTH: "a eu ou aura"}
_HAD_NONE = {Tense.PAST: "n’a eu", Tense.FUTURE: "n’aura", Tense.BOTH: "n’a eu ni n’aura"}
_SPENT = {Tense.PAST: "a dépensé", Tense.FUTURE: "dépensera", Tense.BOTH: "a dépensé ou dépensera"}
_SPENT_NOT = {
    Tense.PAST: "n’a rien dépensé",
    Tense.FUTURE: "ne dépensera rien",
    Tense.BOTH: "n’a rien dépensé et ne dépensera rien",
}

# What is counted: before the number, singular, plural, and none at all.
_COUNTED = {
    Measure.ACTIVITIES: ("à ", "activité", "activités différentes", "à aucune activité"),
    Measure.GENRES: ("à ", "genre", "genres différents", "à aucun genre"),
    Measure.VENUES: ("à ", "lieu", "lieux différents", "à aucun lieu"),
    Measure.DAYS: ("", "jour", "jours différents", "aucun jour"),
}

_CHANNELS = {
    "email": "par e-mail",
    "sms": "par SMS",
    "post": "par la poste",
    "phone": "par téléphone",
    "ads": "par publicité",
}


def _field(bare: str, *, article: str = "un", of: str = "de ") -> FieldWords:
    return FieldWords(bare, f"{article} {bare}", f"{'d’' if of == 'd’' else 'de '}{bare}")


class French(Grammar):
    """French as it is written in Belgium."""

    code = "fr"
    everyone = "Tout le monde est dans ce segment."
    nobody = "Personne n’est dans ce segment."
    opening = "Toute personne de ce segment"
    anyone_phrase = "convient toujours"
    nobody_phrase = "ne convient jamais"
    and_word = "et"
    or_word = "ou"
    quotes = ("«\u00a0", "\u00a0»")
    number_sign = "n°"
    money = "#,##0.00\u00a0¤"
    percents = "#,##0.##\u00a0%"
    shapes = {  # noqa: RUF012 (a table of words, typed in the parent)
        Shape.NONE: "aucun",
        Shape.ANY: "un nombre quelconque de",
        Shape.NEVER: "moins de 0",
        Shape.AT_LEAST: "au moins {0}",
        Shape.AT_MOST: "au plus {0}",
        Shape.LESS_THAN: "moins de {0}",
        Shape.MORE_THAN: "plus de {0}",
        Shape.EXACTLY: "exactement {0}",
        Shape.NOT_EXACTLY: "pas exactement {0}",
        Shape.BETWEEN: "{0} à {1}",
        Shape.OUTSIDE: "moins de {0} ou plus de {1}",
    }
    fields = {  # noqa: RUF012 (a table of words, typed in the parent)
        "given_name": _field("prénom"),
        "family_name": _field("nom de famille"),
        "email": _field("adresse e-mail", article="une", of="d’"),
        "email_domain": _field("domaine e-mail"),
        "language": _field("langue", article="une"),
        "gender": _field("genre"),
        "birth_date": _field("date de naissance", article="une"),
        "age": _field("âge", of="d’"),
        "postcode": _field("code postal"),
        "municipality": _field("commune", article="une"),
        "country": _field("pays"),
        "phone": _field("numéro de téléphone"),
        "created_on": _field("date de création", article="une"),
        "source": _field("source", article="une"),
    }
    kinds = {  # noqa: RUF012 (a table of words, typed in the parent)
        "performance": "spectacle",
        "exhibition": "exposition",
        "workshop": "atelier",
        "loan": "prêt",
        "concert": "concert",
        "film": "film",
        "tour": "visite guidée",
        "lecture": "conférence",
        "festival": "festival",
        "course": "cours",
    }
    sales_channels = {  # noqa: RUF012 (a table of words, typed in the parent)
        "web": "le web",
        "counter": "le guichet",
        "phone": "le téléphone",
    }
    statuses = {  # noqa: RUF012 (a table of words, typed in the parent)
        "booked": "réservé",
        "attended": "présent",
        "cancelled": "annulé",
        "refunded": "remboursé",
        "pending": "en attente",
    }
    conditions = {  # noqa: RUF012 (a table of words, typed in the parent)
        "activities": "pour {}",
        "series": "dans la série {}",
        "genres": "dans le genre {}",
        "kinds": "de type {}",
        "venues": "dans le lieu {}",
        "audiences": "pour le public {}",
        "weekdays": "un {}",
        "channels": "par {}",
        "sources": "de la source {}",
        "price": "pour un montant de {}",
        "quantity": "avec {} billets à la fois",
        "lead_days": "en réservant {} jours à l’avance",
        "statuses": "au statut {}",
    }
    mails = {  # noqa: RUF012 (a table of words, typed in the parent)
        "delivered": ("a reçu un e-mail", "n’a reçu aucun e-mail"),
        "opened": ("a ouvert un e-mail", "n’a ouvert aucun e-mail"),
        "clicked": ("a cliqué dans un e-mail", "n’a cliqué dans aucun e-mail"),
        "bounced": ("a eu un e-mail renvoyé", "n’a eu aucun e-mail renvoyé"),
    }
    of_mailing = "de l’envoi {}"
    of_campaign = "de la campagne {}"
    passes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("a une carte {} valable", "n’a pas de carte {} valable"),
        "expired": ("a laissé expirer une carte {}", "n’a pas laissé expirer de carte {}"),
        "none": ("n’a jamais eu de carte {}", "a ou a eu une carte {}"),
    }
    last_day = "dont le dernier jour tombe {}"
    last_day_known = "dont le dernier jour est connu"
    points = "avec {} points"
    in_journeys = {  # noqa: RUF012 (a table of words, typed in the parent)
        "active": ("est dans le parcours {}", "n’est pas dans le parcours {}"),
        "completed": ("a terminé le parcours {}", "n’a pas terminé le parcours {}"),
        "never": ("n’est jamais entrée dans le parcours {}", "est entrée dans le parcours {}"),
    }
    mailboxes = {  # noqa: RUF012 (a table of words, typed in the parent)
        "unknown": ("a une adresse dont on ne sait encore rien", "n’a pas d’adresse dont on ne sait encore rien"),
        "working": ("a une adresse où les e-mails arrivent", "n’a pas d’adresse où les e-mails arrivent"),
        "soft_bouncing": (
            "a une adresse qui renvoie parfois les e-mails",
            "n’a pas d’adresse qui renvoie parfois les e-mails",
        ),
        "bouncing": ("a une adresse qui renvoie les e-mails", "n’a pas d’adresse qui renvoie les e-mails"),
    }
    alike = {  # noqa: RUF012 (a table of words, typed in the parent)
        "person": (
            "est sans doute la même personne que quelqu’un d’autre dont on peut dire : {}",
            "n’est sans doute pas la même personne que quelqu’un d’autre dont on peut dire : {}",
        ),
        "household": (
            "habite à l’adresse de quelqu’un d’autre dont on peut dire : {}",
            "n’habite pas à l’adresse de quelqu’un d’autre dont on peut dire : {}",
        ),
    }
    open_days_only = "(sans compter les jours où la maison était fermée)"
    rolling: ClassVar[Mapping[Rolling, str]] = {
        "last": "au cours des {} jusqu’à aujourd’hui",
        "since": "à partir d’il y a {}",
        "next": "au cours des {} à venir",
        "ago": "il y a plus de {}",
        "between": "il y a entre {} et {}",
        "until": "jusqu’à aujourd’hui",
        "now": "aujourd’hui : {}",
    }
    spans: ClassVar[Mapping[str, tuple[str, str]]] = {
        "day": ("1 jour", "{} jours"),
        "month": ("1 mois", "{} mois"),
        "year": ("1 an", "{} ans"),
    }

    def measured(self, leaf: rules.Participation, amount: Quantity, tense: Tense) -> str:
        is_none = amount.shape is Shape.NONE
        is_booking = leaf.date_of is DateOf.BOOKING
        match leaf.measure:
            case Measure.COUNT if is_none:
                return "n’a pas réservé" if is_booking else _CAME_NOT[tense]
            case Measure.COUNT:
                return f"{'a réservé' if is_booking else _CAME[tense]} {self.times(amount)}"
            case Measure.SPEND:
                return _SPENT_NOT[tense] if is_none else f"{_SPENT[tense]} {self.amount(amount, self.price)}"
            case Measure.TICKETS if is_none:
                return f"{'n’a réservé' if is_booking else _HAD_NONE[tense]} aucun billet"
            case Measure.TICKETS:
                noun = "billet" if amount.deciding <= 1 else "billets"
                return f"{'a réservé' if is_booking else _HAD[tense]} {self.amount(amount)} {noun}"
            case _:
                return self._counted(leaf, amount, tense)

    def _counted(self, leaf: rules.Participation, amount: Quantity, tense: Tense) -> str:
        to, one, many, none = _COUNTED[leaf.measure]
        is_booking = leaf.date_of is DateOf.BOOKING
        if is_booking:
            to, none = to.replace("à ", "pour "), none.replace("à ", "pour ")
        if amount.shape is Shape.NONE:
            return f"{'n’a réservé' if is_booking else _CAME_NONE[tense]} {none}"
        noun = one if amount.deciding <= 1 else many
        return f"{'a réservé' if is_booking else _CAME[tense]} {to}{self.amount(amount)} {noun}"

    def first_or_last(self, leaf: rules.FirstParticipation | rules.LastParticipation, tense: Tense, no: bool) -> str:
        which = "première" if isinstance(leaf, rules.FirstParticipation) else "dernière"
        verb = (_CAME_NOT if no else _CAME)[tense]
        if leaf.date_of is DateOf.BOOKING:
            verb = "n’a pas réservé" if no else "a réservé"
        return f"{verb} pour la {which} fois"

    def window(self, days: Days, tense: Tense) -> str:
        if days.is_empty:
            return "dans une période sans jours"
        if days.since and days.last:
            if days.since == days.last:
                return f"le {self.day(days.since)}"
            return f"du {self.day(days.since)} au {self.day(days.last)}"
        if days.since:
            return f"{'depuis le' if tense is Tense.PAST else 'à partir du'} {self.day(days.since)}"
        return f"jusqu’au {self.day(days.last)}" if days.last else ""

    def share_phrase(self, among: str, amount: str, of: str, least: str, *, no: bool) -> str:
        verb = "n’a pas eu" if no else "a eu"
        head = f"{verb}, parmi les participations {among}" if among else f"{verb}, parmi toutes les participations"
        tail = " ".join(part for part in (amount, of, f"(et cela {least})" if least else "") if part)
        return f"{head}, {tail}"

    def profile_phrase(self, leaf: rules.Profile, *, no: bool) -> str:
        noun = self.noun(leaf)
        said = [self.value(leaf, value) for value in leaf.values if value is not None]
        has = f"n’a pas {noun.none}" if no else f"a {noun.one}"
        match leaf.op:
            case Op.KNOWN | Op.UNKNOWN:
                return f"a {noun.one}" if (leaf.op is Op.KNOWN) is not no else f"n’a pas {noun.none}"
            case Op.IS | Op.IN:
                return f"{'n’a pas' if no else 'a'} comme {noun.bare} {self.one_of(said)}"
            case Op.IS_NOT | Op.NOT_IN:
                return f"{'a' if no else 'n’a pas'} comme {noun.bare} {self.one_of(said)}"
            case Op.CONTAINS:
                return f"{has} contenant {said[0]}"
            case Op.STARTS_WITH:
                return f"{has} commençant par {said[0]}"
            case Op.BETWEEN:
                return f"{has} {self._between(leaf)}"

    def _between(self, leaf: rules.Profile) -> str:
        low, high = (None if value is None else self.value(leaf, value) for value in leaf.values)
        is_day = leaf.kind is rules.FieldKind.DATE
        if low and high:
            return f"du {low} au {high}" if is_day else f"de {low} à {high}"
        if low:
            return f"à partir {'du' if is_day else 'de'} {low}"
        return f"jusqu’{'au' if is_day else 'à'} {high}" if high else ""

    def anniversary_phrase(self, leaf: rules.Anniversary, window: str, *, no: bool) -> str:
        if leaf.attribute is None:
            return f"{'ne fête pas' if no else 'fête'} son anniversaire {window}".strip()
        has = "n’a pas d’anniversaire" if no else "a un anniversaire"
        return f"{has} de {self.quoted(leaf.attribute)} {window}".strip()

    def permission_phrase(self, channel: str, purpose: str, *, no: bool) -> str:
        return f"{'ne peut pas' if no else 'peut'} être contactée {_CHANNELS[channel]} pour {purpose}"

    def tag_phrase(self, tag: str, *, no: bool) -> str:
        return f"{'ne porte pas' if no else 'porte'} l’étiquette {tag}"

    def segment_phrase(self, name: str, *, no: bool) -> str:
        return f"{'n’est pas' if no else 'est'} dans le segment {name}"

    def sample_phrase(self, percentage: str, seed: str, *, no: bool) -> str:
        return f"{'ne fait pas' if no else 'fait'} partie de l’échantillon fixe {seed} de {percentage}"

    def times(self, amount: Quantity) -> str:
        return f"{self.amount(amount)} fois"

    def day(self, day: date) -> str:
        said = super().day(day)
        return said.replace("1 ", "1er ", 1) if day.day == 1 else said

    def own_field(self, key: str) -> FieldWords:
        return _field(f"champ {self.quoted(key)}")
