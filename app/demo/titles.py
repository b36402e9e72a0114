"""Invented titles and makers. They are put together from plain words, so that none is anybody's."""

from __future__ import annotations

from random import Random

_ADJECTIVES = (
    "laatste",
    "eerste",
    "stille",
    "verloren",
    "blauwe",
    "trage",
    "onzichtbare",
    "halve",
    "warme",
    "vreemde",
    "lange",
    "zachte",
    "gebroken",
    "verre",
    "nieuwe",
    "kleine",
    "grote",
    "oude",
    "witte",
    "zwarte",
    "gouden",
    "vergeten",
    "dubbele",
    "open",
)
_NOUNS = (
    "vuurtoren",
    "winter",
    "tuin",
    "kamer",
    "trein",
    "zomer",
    "brief",
    "spiegel",
    "haven",
    "nacht",
    "toren",
    "kaart",
    "dans",
    "stad",
    "rivier",
    "stem",
    "schaduw",
    "brug",
    "droom",
    "koffer",
    "wand",
    "lantaarn",
    "klok",
    "straat",
    "zee",
    "boom",
    "ladder",
    "belofte",
    "storm",
    "oogst",
)
_PLACES = ("in de regen", "aan zee", "op zolder", "na middernacht", "in drie bedrijven", "zonder einde", "van ver", "")
_COMPANIES = {
    "theater": (
        "Compagnie Dwaallicht",
        "Collectief Halfacht",
        "Het Tweede Doek",
        "Theater Nachtboot",
        "Toneelhuis Zeven Trappen",
        "Gezelschap Noorderraam",
    ),
    "dans": ("Danshuis Vuurvlieg", "Studio Schemer", "Compagnie Tegenwind"),
    "circus": ("Circus Lantaarnpaal", "De Lichtwachters"),
    "familie": ("Huis Ontij", "De Lichtwachters", "Poppenkamer Krekel"),
    "klassiek": (
        "Ensemble Vesper",
        "Strijkkwartet Kantelaar",
        "Orkest van de Oude Dokken",
        "Trio Maanvis",
        "Koor Aan De Leie",
    ),
}
_SOLO = (
    "Nora Vandewind",
    "Wannes Kortrok",
    "Jef Lampekap",
    "Yasmin El Dagera",
    "Ties van Overmorgen",
    "Fee Bovenlicht",
    "Senne Gordijn",
    "Marit Souffleur",
)
_PATTERNS = {
    "klassiek": "{group}: {music}",
    "opera": "{noun}: opera in {acts} bedrijven",
    "jazz": "{solo} kwartet: {adjective} {noun}",
    "pop": "{solo}",
    "wereldmuziek": "{solo} en de {adjective} {noun}",
    "humor": "{solo}: {adjective} {noun}",
    "musical": "De {noun}, de musical",
    "literatuur": "In gesprek: de {adjective} {noun}",
    "film": "Film: De {adjective} {noun}",
    "beeldende kunst": "Tentoonstelling: {adjective} {noun}",
    "erfgoed": "Rondleiding: de {adjective} {noun}",
}
_MUSIC = (
    "strijkkwartetten",
    "liederen van de {noun}",
    "wintermuziek",
    "motetten",
    "nieuwe werken",
    "serenades",
    "sonates bij avond",
)


def title_of(genre: str, random: Random) -> str:
    """Return a title for a production of a genre."""
    noun = random.choice(_NOUNS)
    pattern = _PATTERNS.get(genre, "De {adjective} {noun} {place} ({group})")
    written = pattern.format(
        adjective=random.choice(_ADJECTIVES),
        noun=noun,
        place=random.choice(_PLACES),
        group=random.choice(_COMPANIES.get(genre, _COMPANIES["theater"])),
        solo=random.choice(_SOLO),
        acts=random.choice(("twee", "drie", "vier")),
        music=random.choice(_MUSIC).format(noun=noun),
    )
    written = " ".join(written.split())
    return written[0].upper() + written[1:]
