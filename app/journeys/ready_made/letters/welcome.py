"""Welcome after somebody signed up for the newsletter: a hello at once, and some evenings to begin with."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Words

HELLO = Letter(
    name={"nl": "Welkom", "fr": "Bienvenue", "en": "Welcome"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Fijn dat je erbij bent",
            preheader="Dit mag je van ons verwachten, en niets meer dan dat.",
            paragraphs=(
                "{{ salutation }},",
                "Welkom bij {{ house.name }}. Je staat op de lijst voor onze nieuwsbrief, en daar zijn we blij om.",
                "Zo om de paar weken schrijven we je wat er te zien en te beleven valt: wat je niet mag missen, wat nog"
                " niemand kent, en soms een kijkje achter het doek. Krijg je liever minder of iets anders? Onderaan elke"
                " mail kies je zelf.",
                "Tot snel in de zaal!",
            ),
        ),
        "fr": Words(
            subject="Ravis de vous compter parmi nous",
            preheader="Voici ce que vous pouvez attendre de nous, et rien de plus.",
            paragraphs=(
                "{{ salutation }},",
                "Bienvenue à {{ house.name }}. Vous êtes inscrit à notre lettre d’information, et cela nous fait plaisir.",
                "Toutes les quelques semaines, nous vous écrivons ce qu’il y a à voir et à vivre : l’incontournable, ce"
                " que personne ne connaît encore et, parfois, un regard derrière le rideau. Vous préférez moins, ou autre"
                " chose ? Au bas de chaque message, c’est vous qui choisissez.",
                "À bientôt dans la salle !",
            ),
        ),
        "en": Words(
            subject="Good to have you with us",
            preheader="This is what you can expect from us, and nothing more.",
            paragraphs=(
                "{{ salutation }},",
                "Welcome to {{ house.name }}. You are on the list for our newsletter, and that makes us happy.",
                "Every few weeks we write to you about what there is to see and to live through: what you should not"
                " miss, what nobody knows yet, and now and then a look behind the curtain. Would you rather have less, or"
                " something else? At the bottom of every mail you choose for yourself.",
                "See you in the house!",
            ),
        ),
    },
)

FIRST_EVENINGS = Letter(
    name={"nl": "Om mee te beginnen", "fr": "Pour commencer", "en": "To begin with"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Drie avonden om mee te beginnen",
            preheader="Je kent ons huis misschien nog niet. Hier beginnen mensen graag.",
            paragraphs=(
                "{{ salutation }},",
                "Enkele dagen geleden kwam je erbij. Misschien ken je ons huis al van binnen, misschien nog helemaal niet."
                " In beide gevallen: dit staat er binnenkort op het programma.",
            ),
            programme="Binnenkort bij ons",
            button="Meer weten",
            after=("Iets gevonden? Neem gerust iemand mee.",),
        ),
        "fr": Words(
            subject="Trois soirées pour commencer",
            preheader="Vous ne connaissez peut-être pas encore notre maison. C’est par ici que l’on aime commencer.",
            paragraphs=(
                "{{ salutation }},",
                "Vous nous avez rejoints il y a quelques jours. Peut-être connaissez-vous déjà notre maison, peut-être pas"
                " du tout. Dans les deux cas : voici ce qui est bientôt à l’affiche.",
            ),
            programme="Bientôt chez nous",
            button="En savoir plus",
            after=("Quelque chose vous tente ? Emmenez donc quelqu’un.",),
        ),
        "en": Words(
            subject="Three evenings to begin with",
            preheader="You may not know our house yet. This is where people like to begin.",
            paragraphs=(
                "{{ salutation }},",
                "You joined us a few days ago. You may know our house from the inside already, or not at all. In both"
                " cases: this is what is on soon.",
            ),
            programme="Soon at our house",
            button="Find out more",
            after=("Found something? Do bring somebody along.",),
        ),
    },
)
