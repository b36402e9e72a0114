"""Words people write in forms and spreadsheets, in Dutch, French, English (and some German), and what they mean.

Keys are folded: lower case, without accents.
"""

from __future__ import annotations

from typing import TypeVar

Meaning = TypeVar("Meaning", bound=str | None)


def _means(meaning: Meaning, words: str) -> dict[str, Meaning]:
    return dict.fromkeys(words.split(), meaning)


YES = frozenset(
    _means("yes", "ja j yes y oui o si true waar vrai 1 x v ok on aan ingeschreven inscrit subscribed optin opt-in")
)
NO = frozenset(
    _means("no", "nee neen n no non false onwaar faux 0 off uit uitgeschreven desinscrit unsubscribed optout opt-out")
)

GENDERS: dict[str, str | None] = {
    **_means("female", "v vrouw vrouwelijk mevrouw mevr mw f femme feminin female madame mme mlle ms mrs miss w frau"),
    **_means("male", "m man mannelijk heer dhr de_heer mijnheer meneer homme masculin male monsieur mr herr"),
    "de heer": "male",
    **_means("other", "x anders andere other autre divers nonbinair non-binair non-binary nonbinary mx"),
    **dict.fromkeys(("onbekend", "inconnu", "unknown", "o", "u", "?", "-", "nvt"), None),
}  # fmt: skip

LANGUAGES = {
    **_means("nl", "nl nld dut nederlands dutch neerlandais vlaams flemish n"),
    **_means("fr", "fr fra fre frans french francais f"),
    **_means("en", "en eng engels english anglais e"),
    **_means("de", "de deu ger duits german allemand deutsch d"),
}

COUNTRIES = {
    **_means("BE", "be bel belgie belgique belgium belgien b vlaanderen"),
    **_means("NL", "nl nld nederland netherlands niederlande holland n pays-bas"),
    **dict.fromkeys(("the netherlands", "pays bas", "les pays-bas"), "NL"),
    **_means("FR", "fr fra frankrijk france frankreich f"),
    **_means("DE", "de deu duitsland allemagne germany deutschland d"),
    **_means("LU", "lu lux luxemburg luxembourg l"),
    **dict.fromkeys(("groothertogdom luxemburg", "grand-duche de luxembourg"), "LU"),
    **dict.fromkeys(
        ("gb", "gbr", "uk", "united kingdom", "verenigd koninkrijk", "royaume-uni", "engeland", "england"), "GB"
    ),
    **_means("IT", "it ita italie italy italia"),
    **_means("ES", "es esp spanje espagne spain"),
    **_means("PT", "pt prt portugal"),
    **_means("CH", "ch che zwitserland suisse switzerland schweiz"),
    **_means("AT", "at aut oostenrijk autriche austria osterreich"),
    **_means("IE", "ie irl ierland irlande ireland"),
    **_means("DK", "dk dnk denemarken danemark denmark"),
    **_means("PL", "pl pol polen pologne poland"),
    **dict.fromkeys(("us", "usa", "verenigde staten", "etats-unis", "united states"), "US"),
}

MONTHS = {
    **dict.fromkeys(("jan", "janu", "janv"), 1),
    **dict.fromkeys(("feb", "febr", "fev", "fevr"), 2),
    **dict.fromkeys(("maar", "mrt", "mars", "mar", "marc"), 3),
    **dict.fromkeys(("apr", "apri", "avr", "avri"), 4),
    **dict.fromkeys(("mei", "mai", "may"), 5),
    **dict.fromkeys(("jun", "juni", "juin", "june"), 6),
    **dict.fromkeys(("jul", "juli", "juil", "july"), 7),
    **dict.fromkeys(("aug", "augu", "aou", "aout"), 8),
    **dict.fromkeys(("sep", "sept"), 9),
    **dict.fromkeys(("okt", "okto", "oct", "octo"), 10),
    **dict.fromkeys(("nov", "nove"), 11),
    **dict.fromkeys(("dec", "dece"), 12),
}
