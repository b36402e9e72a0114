"""Where visitors live: real postcodes and municipalities around Ghent and further off, with invented streets.

The streets are named for the stage, so that no address can be mistaken for somebody's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A postcode (a Dutch one without its letters) with its share of the visitors, in thousandths or so."""

    postcode: str
    municipality: str
    weight: float
    country: str = "BE"
    is_french_speaking: bool = False


PLACES = (
    Place("9000", "Gent", 260),
    Place("9040", "Sint-Amandsberg", 62),
    Place("9050", "Gentbrugge", 55),
    Place("9030", "Mariakerke", 38),
    Place("9032", "Wondelgem", 26),
    Place("9031", "Drongen", 22),
    Place("9041", "Oostakker", 18),
    Place("9051", "Sint-Denijs-Westrem", 20),
    Place("9052", "Zwijnaarde", 14),
    Place("9820", "Merelbeke-Melle", 34),
    Place("9070", "Destelbergen", 26),
    Place("9080", "Lochristi", 24),
    Place("9940", "Evergem", 24),
    Place("9840", "Nazareth-De Pinte", 22),
    Place("9830", "Sint-Martens-Latem", 16),
    Place("9800", "Deinze", 24),
    Place("9900", "Eeklo", 14),
    Place("9060", "Zelzate", 8),
    Place("9230", "Wetteren", 14),
    Place("9160", "Lokeren", 14),
    Place("9100", "Sint-Niklaas", 14),
    Place("9200", "Dendermonde", 10),
    Place("9300", "Aalst", 14),
    Place("9700", "Oudenaarde", 12),
    Place("9600", "Ronse", 4),
    Place("9620", "Zottegem", 9),
    Place("9890", "Gavere", 7),
    Place("9880", "Aalter", 9),
    Place("8000", "Brugge", 16),
    Place("8500", "Kortrijk", 11),
    Place("8400", "Oostende", 6),
    Place("8790", "Waregem", 8),
    Place("8800", "Roeselare", 6),
    Place("8700", "Tielt", 5),
    Place("2000", "Antwerpen", 14),
    Place("2018", "Antwerpen", 8),
    Place("2600", "Berchem", 6),
    Place("2800", "Mechelen", 7),
    Place("3000", "Leuven", 7),
    Place("3500", "Hasselt", 3),
    Place("3600", "Genk", 2),
    Place("1000", "Brussel", 10, is_french_speaking=True),
    Place("1050", "Elsene", 9, is_french_speaking=True),
    Place("1030", "Schaarbeek", 7, is_french_speaking=True),
    Place("1070", "Anderlecht", 4, is_french_speaking=True),
    Place("7500", "Tournai", 3, is_french_speaking=True),
    Place("1700", "Dilbeek", 4),
    Place("4531", "Terneuzen", 9, "NL"),
    Place("4561", "Hulst", 6, "NL"),
    Place("4501", "Oostburg", 3, "NL"),
    Place("4331", "Middelburg", 4, "NL"),
    Place("4811", "Breda", 3, "NL"),
    Place("5611", "Eindhoven", 2, "NL"),
    Place("3011", "Rotterdam", 2, "NL"),
    Place("1012", "Amsterdam", 2, "NL"),
)

STREETS = (
    "Souffleurstraat",
    "Coulissenpad",
    "Applauslaan",
    "Foyerdreef",
    "Balkonstraat",
    "Doekstraat",
    "Entractelaan",
    "Voetlichtstraat",
    "Rekwisietenhof",
    "Decorstraat",
    "Tweede-Bedrijfstraat",
    "Generale-Repetitielaan",
    "Partituurstraat",
    "Dirigentenlaan",
    "Kostuumstraat",
    "Zaallichtplein",
    "Vestiaireweg",
    "Engelenbakstraat",
    "Orkestbakkaai",
    "Spotlaan",
    "Premièrestraat",
    "Toegiftdreef",
    "Maskerstraat",
    "Trapezelaan",
)
FRENCH_STREETS = (
    "Rue du Souffleur",
    "Avenue de l'Entracte",
    "Rue des Coulisses",
    "Place du Rideau",
    "Rue du Balcon",
    "Avenue des Trois-Coups",
)
