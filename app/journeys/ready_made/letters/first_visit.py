"""After a first visit: thank you the day after, and an invitation to come a second time."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Words

THANK_YOU = Letter(
    name={
        "nl": "Bedankt voor je eerste bezoek",
        "fr": "Merci pour votre première visite",
        "en": "Thank you for coming",
    },
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Bedankt dat je er was",
            preheader="Je eerste keer bij ons. We hopen dat het smaakte.",
            paragraphs=(
                "{{ salutation }},",
                'Gisteren was je voor het eerst bij {{ house.name }}, voor {{ activity.title or "een voorstelling" }}.'
                " Bedankt dat je kwam. Een zaal is pas een zaal als er mensen in zitten.",
                "We hopen dat je nog even nagenoten hebt. Liep er iets mis, of was er iets dat je bijzonder mooi vond? Antwoord"
                " gewoon op deze mail; er leest een mens mee.",
                "Hartelijk, en graag tot een volgende keer!",
            ),
        ),
        "fr": Words(
            subject="Merci d’être venu",
            preheader="Votre première fois chez nous. Nous espérons que cela vous a plu.",
            paragraphs=(
                "{{ salutation }},",
                "Hier, vous êtes venu pour la première fois à {{ house.name }}, pour"
                ' {{ activity.title or "un spectacle" }}. Merci. Une salle n’est une salle que lorsqu’il y a du monde.',
                "Nous espérons que la soirée vous a accompagné encore un peu. Quelque chose n’allait pas, ou vous a"
                " particulièrement touché ? Répondez simplement à ce message ; c’est une personne qui lit.",
                "Bien à vous, et au plaisir de vous revoir !",
            ),
        ),
        "en": Words(
            subject="Thank you for being there",
            preheader="Your first time at our house. We hope you enjoyed it.",
            paragraphs=(
                "{{ salutation }},",
                'Yesterday you were at {{ house.name }} for the first time, for {{ activity.title or "a performance" }}.'
                " Thank you for coming. A house is only a house with people in it.",
                "We hope the evening stayed with you for a while. Did something go wrong, or was there something you found"
                " particularly beautiful? Just answer this mail; a person reads it.",
                "Warmly, and hopefully until next time!",
            ),
        ),
    },
)

COME_AGAIN = Letter(
    name={"nl": "Kom je nog eens?", "fr": "Vous revenez ?", "en": "Will you come again?"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Zin in een tweede keer?",
            preheader="Wie twee keer komt, kent de weg naar de bar.",
            paragraphs=(
                "{{ salutation }},",
                'Twee weken geleden zag je {{ last_visit.title or "een voorstelling" }} bij ons. De tweede keer is vaak de'
                " leukste: je kent de weg, en je weet waar de goede plaatsen zijn.",
                "Dit komt eraan. Zit er iets bij?",
            ),
            programme="Binnenkort bij ons",
            button="Bekijk",
            after=("Twijfel je? Antwoord op deze mail en vertel wat je graag ziet. We denken met je mee.",),
        ),
        "fr": Words(
            subject="Envie d’une deuxième fois ?",
            preheader="Qui vient deux fois connaît le chemin du bar.",
            paragraphs=(
                "{{ salutation }},",
                'Il y a deux semaines, vous avez vu {{ last_visit.title or "un spectacle" }} chez nous. La deuxième fois est'
                " souvent la plus belle : vous connaissez le chemin, et les bonnes places.",
                "Voici ce qui arrive. Quelque chose pour vous ?",
            ),
            programme="Bientôt chez nous",
            button="Voir",
            after=("Vous hésitez ? Répondez à ce message et dites-nous ce que vous aimez. Nous cherchons avec vous.",),
        ),
        "en": Words(
            subject="Fancy a second time?",
            preheader="Who comes twice knows the way to the bar.",
            paragraphs=(
                "{{ salutation }},",
                'Two weeks ago you saw {{ last_visit.title or "a performance" }} at our house. The second time is often the'
                " nicest: you know the way, and where the good seats are.",
                "This is coming up. Anything for you?",
            ),
            programme="Soon at our house",
            button="Have a look",
            after=("Not sure? Answer this mail and tell us what you like. We will think along.",),
        ),
    },
)
