"""Around a visit: practical words before it, a few questions after it, and what to do when it does not go ahead."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Question, Words

BEFORE = Letter(
    name={"nl": "Voor je bezoek", "fr": "Avant votre visite", "en": "Before your visit"},
    purpose="service",
    words={
        "nl": Words(
            subject='Overmorgen: {{ activity.title or "je bezoek" }}',
            preheader="Alles wat je moet weten voor je vertrekt.",
            paragraphs=(
                "{{ salutation }},",
                'We verwachten je op {{ activity.date or "de dag van je bezoek" }}{% if activity.time %} om'
                " {{ activity.time }}{% endif %}{% if activity.venue %}, {{ activity.venue }}{% endif %}, voor"
                ' {{ activity.title or "je bezoek" }}.',
                "Neem je tickets mee, op papier of op je telefoon. De deuren gaan een half uur vooraf open; wie te laat komt,"
                " mag meestal pas bij de pauze naar binnen.",
                "Kom je met een rolstoel, of heb je iets anders nodig? Antwoord op deze mail, dan zorgen we ervoor.",
            ),
            link="Bekijk de praktische info",
        ),
        "fr": Words(
            subject='Après-demain : {{ activity.title or "votre visite" }}',
            preheader="Tout ce qu’il faut savoir avant de partir.",
            paragraphs=(
                "{{ salutation }},",
                'Nous vous attendons le {{ activity.date or "jour de votre visite" }}{% if activity.time %} à'
                " {{ activity.time }}{% endif %}{% if activity.venue %}, {{ activity.venue }}{% endif %}, pour"
                ' {{ activity.title or "votre visite" }}.',
                "Prenez vos billets, sur papier ou sur votre téléphone. Les portes ouvrent une demi-heure avant ; les"
                " retardataires n’entrent le plus souvent qu’à l’entracte.",
                "Vous venez en fauteuil roulant, ou avez besoin d’autre chose ? Répondez à ce message, nous nous en occupons.",
            ),
            link="Voir les informations pratiques",
        ),
        "en": Words(
            subject='In two days: {{ activity.title or "your visit" }}',
            preheader="All you need to know before you leave.",
            paragraphs=(
                "{{ salutation }},",
                'We expect you on {{ activity.date or "the day of your visit" }}{% if activity.time %} at'
                " {{ activity.time }}{% endif %}{% if activity.venue %}, {{ activity.venue }}{% endif %}, for"
                ' {{ activity.title or "your visit" }}.',
                "Bring your tickets, on paper or on your phone. The doors open half an hour before; who comes late mostly has to"
                " wait until the interval.",
                "Are you coming in a wheelchair, or do you need anything else? Answer this mail and we see to it.",
            ),
            link="See the practical information",
        ),
    },
)

AFTER = Letter(
    name={"nl": "Hoe was het?", "fr": "C’était comment ?", "en": "How was it?"},
    purpose="survey",
    words={
        "nl": Words(
            subject='Hoe was {{ activity.title or "je bezoek" }}?',
            preheader="Drie vragen, een halve minuut.",
            paragraphs=(
                "{{ salutation }},",
                'Gisteren was je bij ons voor {{ activity.title or "een voorstelling" }}. Hoe was het? Druk op een antwoord;'
                " met drie vragen zijn we klaar.",
            ),
            questions=(
                Question(
                    key="experience",
                    question="Hoe vond je het?",
                    answers=("Geweldig", "Goed", "Gaat wel", "Niet mijn ding"),
                ),
                Question(
                    key="again",
                    question="Kom je nog eens?",
                    answers=("Zeker", "Misschien", "Liever iets anders", "Nee"),
                ),
                Question(key="remark", question="Wat moeten we weten?"),
            ),
            after=(
                "Dank je. Wat je antwoordt, lezen we zelf; we gebruiken het om je beter te raden wat je graag ziet.",
            ),
        ),
        "fr": Words(
            subject='C’était comment, {{ activity.title or "votre visite" }} ?',
            preheader="Trois questions, une demi-minute.",
            paragraphs=(
                "{{ salutation }},",
                'Hier, vous étiez chez nous pour {{ activity.title or "un spectacle" }}. C’était comment ? Appuyez sur une'
                " réponse ; trois questions et c’est tout.",
            ),
            questions=(
                Question(
                    key="experience",
                    question="Qu’en avez-vous pensé ?",
                    answers=("Magnifique", "Bien", "Moyen", "Pas pour moi"),
                ),
                Question(
                    key="again",
                    question="Vous reviendrez ?",
                    answers=("Certainement", "Peut-être", "Plutôt autre chose", "Non"),
                ),
                Question(key="remark", question="Que devons-nous savoir ?"),
            ),
            after=(
                "Merci. Nous lisons nous-mêmes vos réponses ; elles nous aident à mieux deviner ce que vous aimez.",
            ),
        ),
        "en": Words(
            subject='How was {{ activity.title or "your visit" }}?',
            preheader="Three questions, half a minute.",
            paragraphs=(
                "{{ salutation }},",
                'Yesterday you were with us for {{ activity.title or "a performance" }}. How was it? Press an answer; after three'
                " questions we are done.",
            ),
            questions=(
                Question(
                    key="experience",
                    question="How did you like it?",
                    answers=("Wonderful", "Good", "So-so", "Not my thing"),
                ),
                Question(
                    key="again",
                    question="Will you come again?",
                    answers=("Certainly", "Perhaps", "Rather something else", "No"),
                ),
                Question(key="remark", question="What should we know?"),
            ),
            after=("Thank you. We read your answers ourselves, and use them to guess better what you like to see.",),
        ),
    },
)

CALLED_OFF = Letter(
    name={"nl": "Voorstelling gaat niet door", "fr": "Représentation annulée", "en": "Performance called off"},
    purpose="service",
    words={
        "nl": Words(
            subject='{{ activity.title or "Je voorstelling" }} gaat niet door',
            preheader="Het spijt ons. Je hoeft zelf niets te doen.",
            paragraphs=(
                "{{ salutation }},",
                'Slecht nieuws: {{ activity.title or "de voorstelling waarvoor je tickets had" }}{% if activity.date %} op'
                " {{ activity.date }}{% endif %} gaat niet door. Dat spijt ons heel erg.",
                "Je hoeft zelf niets te doen: we nemen contact op over je tickets. Wil je liever meteen iets afspreken?"
                " Antwoord op deze mail.",
            ),
        ),
        "fr": Words(
            subject='{{ activity.title or "Votre spectacle" }} n’a pas lieu',
            preheader="Nous sommes désolés. Vous n’avez rien à faire.",
            paragraphs=(
                "{{ salutation }},",
                'Mauvaise nouvelle : {{ activity.title or "le spectacle pour lequel vous aviez des billets" }}'
                "{% if activity.date %}, prévu le {{ activity.date }},{% endif %} n’a pas lieu. Nous en sommes vraiment désolés.",
                "Vous n’avez rien à faire : nous vous contactons au sujet de vos billets. Vous préférez convenir de quelque chose"
                " tout de suite ? Répondez à ce message.",
            ),
        ),
        "en": Words(
            subject='{{ activity.title or "Your performance" }} is called off',
            preheader="We are sorry. You need not do anything.",
            paragraphs=(
                "{{ salutation }},",
                'Bad news: {{ activity.title or "the performance you had tickets for" }}{% if activity.date %} on'
                " {{ activity.date }}{% endif %} does not go ahead. We are very sorry.",
                "You need not do anything: we will be in touch about your tickets. Would you rather settle it now? Answer this"
                " mail.",
            ),
        ),
    },
)
