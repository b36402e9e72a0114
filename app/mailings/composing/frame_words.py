"""What stands in every mail besides what somebody composed, in the language of the mail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameWords:
    """The fixed sentences of a mail. ``%s`` in ``why`` is the name of the house."""

    view: str
    why: str
    why_service: str
    unsubscribe: str
    preferences: str
    more: str
    cancelled: str
    answer: str


# Not in the catalogues: they are in the language of whoever gets the mail, not of whoever is signed in.
FRAME_WORDS = {
    "nl": FrameWords(
        view="Bekijk deze mail in je browser",
        why="Je krijgt deze mail omdat je hebt toegestaan dat %s je schrijft.",
        why_service="Je krijgt deze mail omdat je bij %s iets geboekt of gevraagd hebt.",
        unsubscribe="Uitschrijven",
        preferences="Kies wat je krijgt",
        more="Meer weten",
        cancelled="Gaat niet door",
        answer="Schrijf je antwoord",
    ),
    "fr": FrameWords(
        view="Voir cet e-mail dans votre navigateur",
        why="Vous recevez cet e-mail parce que vous avez autorisé %s à vous écrire.",
        why_service="Vous recevez cet e-mail à la suite d’une réservation ou d’une demande auprès de %s.",
        unsubscribe="Se désabonner",
        preferences="Choisir ce que vous recevez",
        more="En savoir plus",
        cancelled="Annulé",
        answer="Écrire votre réponse",
    ),
    "en": FrameWords(
        view="View this mail in your browser",
        why="You get this mail because you allowed %s to write to you.",
        why_service="You get this mail because of something you booked or asked for at %s.",
        unsubscribe="Unsubscribe",
        preferences="Choose what you get",
        more="Find out more",
        cancelled="Cancelled",
        answer="Write your answer",
    ),
}
