"""The texts people were shown when the house asked for their permission, in three languages."""

from __future__ import annotations

from app.consent.notices import Wording
from app.demo import house

# By purpose, or by "own customers" for the line a buyer may decline (soft opt-in for the newsletter).
NEWSLETTER, TIPS, PARTNERS, SURVEY, TRACKING, OPENS = (
    "newsletter",
    "recommendations",
    "partner_offers",
    "survey",
    "track_click",
    "track_open",
)
OWN_CUSTOMERS = "own customers"

_TEXTS = {
    NEWSLETTER: (
        "Ja, ik wil de maandelijkse nieuwsbrief van Schouwburg De Lantaarn per e-mail ontvangen. Uitschrijven kan in "
        "elke mail.",
        "Oui, je souhaite recevoir par e-mail la lettre mensuelle du théâtre De Lantaarn. Je peux me désinscrire dans "
        "chaque e-mail.",
        "Yes, please send me the monthly newsletter of De Lantaarn theatre by e-mail. I can unsubscribe in every mail.",
    ),
    OWN_CUSTOMERS: (
        "We mailen onze bezoekers ons eigen programma. Liever niet? Vink dit vakje aan, of schrijf u uit in elke mail.",
        "Nous envoyons notre propre programme à nos visiteurs. Vous ne le souhaitez pas ? Cochez cette case, ou "
        "désinscrivez-vous dans chaque e-mail.",
        "We mail our visitors our own programme. Rather not? Tick this box, or unsubscribe in every mail.",
    ),
    TIPS: (
        "Ja, ik krijg graag tips op basis van wat ik eerder zag.",
        "Oui, je souhaite des suggestions selon ce que j'ai déjà vu.",
        "Yes, please send me tips based on what I saw before.",
    ),
    PARTNERS: (
        "Ja, jullie mogen mij ook aanbiedingen van partnerhuizen mailen.",
        "Oui, vous pouvez aussi m'envoyer les offres de maisons partenaires.",
        "Yes, you may also mail me offers of partner houses.",
    ),
    SURVEY: (
        "We vragen u soms na een bezoek wat u ervan vond. Liever niet? Vink dit vakje aan.",
        "Nous vous demandons parfois votre avis après une visite. Vous préférez ne pas ? Cochez cette case.",
        "We sometimes ask what you thought of a visit. Rather not? Tick this box.",
    ),
    TRACKING: (
        "Ja, jullie mogen meten welke links ik in mails aanklik.",
        "Oui, vous pouvez mesurer les liens que je suis dans vos e-mails.",
        "Yes, you may measure which links I follow in your mails.",
    ),
    OPENS: (
        "Ja, jullie mogen meten welke mails ik open.",
        "Oui, vous pouvez mesurer les e-mails que j’ouvre.",
        "Yes, you may measure which mails I open.",
    ),
}
LANGUAGES = ("nl", "fr", "en")


def language_shown(language: str) -> str:
    """Return the language somebody was asked in: their own where the house writes it, else English."""
    return language if language in LANGUAGES else "en"


def wording_of(text: str, language: str) -> Wording:
    """Return a text as a notice; ``text`` is a purpose or OWN_CUSTOMERS."""
    purpose = NEWSLETTER if text == OWN_CUSTOMERS else text
    return Wording(purpose, language, _TEXTS[text][LANGUAGES.index(language)], house.TICKETS)


def all_wordings() -> list[tuple[str, Wording]]:
    """Return every text in every language, with the name it is asked for by."""
    return [(text, wording_of(text, language)) for text in _TEXTS for language in LANGUAGES]
