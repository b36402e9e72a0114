"""Which personal fields a mail may hold: the catalogue. ``fields`` reads them for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations.meanings import N_

ATTRIBUTE = "attributes."
Room = Literal["contact", "house", "journey"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name in a text, what it is called in English (marked for translation), and what it looks like."""

    name: str
    label: str
    sample: str
    room: Room = "contact"
    fallback: str = ""


FIELDS: tuple[Field, ...] = (
    Field("given_name", N_("First name"), "Noor"),
    Field("family_name", N_("Family name"), "Peeters"),
    Field("full_name", N_("Full name"), "Noor Peeters"),
    Field("salutation", N_("Salutation"), "Beste Noor"),
    Field("email", N_("E-mail address"), "noor@example.org"),
    Field("municipality", N_("Municipality"), "Gent"),
    Field("language", N_("Language"), "nl"),
    Field("pass.programme", N_("Pass: programme"), "UiTPAS"),
    Field("pass.points", N_("Pass: points"), "12"),
    Field("pass.expires_on", N_("Pass: valid until"), "31 december 2026"),
    Field("last_visit.title", N_("Last visit: title"), "Zomernacht"),
    Field("last_visit.date", N_("Last visit: date"), "14 november 2026"),
    Field("last_visit.venue", N_("Last visit: venue"), "Grote zaal"),
    Field("house.name", N_("Name of the house"), "De Proef", "house"),
    Field("house.address", N_("Address of the house"), "Kouter 1, 9000 Gent", "house"),
    Field("activity.title", N_("Activity: title"), "Zomernacht", "journey"),
    Field("activity.date", N_("Activity: date"), "20 november 2026", "journey"),
    Field("activity.time", N_("Activity: time"), "20:00", "journey"),
    Field("activity.venue", N_("Activity: venue"), "Grote zaal", "journey"),
    Field("activity.url", N_("Activity: page"), "https://theatre.example/zomernacht", "journey"),
    Field("party_size", N_("Number of tickets"), "2", "journey"),
)
BY_NAME = {field.name: field for field in FIELDS}


def is_known(name: str) -> bool:
    """Whether a text may hold this field; a house's own attributes are fields as well."""
    return name in BY_NAME or (name.startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE))


def samples() -> dict[str, str]:
    """Return every field with what it might be, for a look without a person."""
    return {field.name: field.sample for field in FIELDS}
