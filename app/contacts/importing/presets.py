"""Where a file may come from. A preset names the system and what its people call things; the guess does the rest.

Of Ticketmatic, ReCreateX, SRO, Eventbrite and Ticketgang no columns of an export are public (looked for 2026-11-20), so
these presets are the general guess under the system's name, and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A system files come from. ``source`` is what identities and facts of its files are marked with."""

    code: str
    name: str
    source: str
    knows_columns: bool = False


PRESETS = {
    preset.code: preset
    for preset in (
        Preset("generic", "CSV / Excel", "import"),
        Preset("ticketmatic", "Ticketmatic", "ticketmatic"),
        Preset("recreatex", "ReCreateX", "recreatex"),
        Preset("sro", "SRO", "sro"),
        Preset("eventbrite", "Eventbrite", "eventbrite"),
        Preset("ticketgang", "Ticketgang", "ticketgang"),
    )
}
