"""Where a file may come from. A preset names the system and what its people call things; the guess does the rest.

Of Ticketmatic, ReCreateX, SRO, Eventbrite, Ticketgang, A-kaart and museumPASSmusées no columns of an export are public
(looked for 2026-11-20), so these presets are the general guess under the system's name, and the page says so. The
columns of UiTPAS Balie's list and of Peppered's opt-ins are public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Preset:
    """A system files come from. ``source`` is what identities and facts of its files are marked with.

    ``columns`` is what headers mean there, by header without case, blanks and punctuation.
    """

    code: str
    name: str
    source: str
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def knows_columns(self) -> bool:
        """Whether the columns of its files are public."""
        return bool(self.columns)


# Who has the reduced rate is poor: nobody needs that to invite people, so it is not brought in.
UITPAS_BALIE = {
    "uitpasnummer": "uitpas",
    "naam": "family_name",
    "voornaam": "given_name",
    "geboortedatum": "birth_date",
    "geslacht": "gender",
    "adres": "street",
    "postcode": "postcode",
    "gemeente": "municipality",
    "telefoon": "ignore",
    "gsm": "phone",
    "nationaliteit": "ignore",
    "kansenstatuuteinddatum": "ignore",
    "id": "external_id",
}
# One row for each opt-in somebody gave: which one, and when.
PEPPERED = {
    "email": "email",
    "optinkeyname": "consent_key",
    "optindate": "consent",
    "optinextrainfo": "ignore",
}

PRESETS = {
    preset.code: preset
    for preset in (
        Preset("generic", "CSV / Excel", "import"),
        Preset("ticketmatic", "Ticketmatic", "ticketmatic"),
        Preset("recreatex", "ReCreateX", "recreatex"),
        Preset("sro", "SRO", "sro"),
        Preset("eventbrite", "Eventbrite", "eventbrite"),
        Preset("ticketgang", "Ticketgang", "ticketgang"),
        Preset("uitpas_balie", "UiTPAS Balie", "uitpas_balie", UITPAS_BALIE),
        Preset("peppered", "Peppered opt-ins", "peppered", PEPPERED),
        Preset("akaart", "A-kaart", "akaart"),
        Preset("museumpass", "museumPASSmusées", "museumpass"),
    )
}
