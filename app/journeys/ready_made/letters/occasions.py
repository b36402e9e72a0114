"""Days worth a mail of their own: a birthday, the fifth visit, and seats that are still free this weekend."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Words

BIRTHDAY = Letter(
    name={"nl": "Verjaardag", "fr": "Anniversaire", "en": "Birthday"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Gelukkige verjaardag{% if given_name %}, {{ given_name }}{% endif %}!",
            preheader="Van iedereen hier in huis.",
            paragraphs=(
                "{{ salutation }},",
                "Vandaag sta jij in het licht. Gelukkige verjaardag, van iedereen bij {{ house.name }}.",
                "We zingen niet (wees blij), maar we zien je graag snel weer in de zaal.",
            ),
        ),
        "fr": Words(
            subject="Joyeux anniversaire{% if given_name %}, {{ given_name }}{% endif %} !",
            preheader="De la part de toute la maison.",
            paragraphs=(
                "{{ salutation }},",
                "Aujourd’hui, les projecteurs sont pour vous. Joyeux anniversaire, de la part de tout le monde à"
                " {{ house.name }}.",
                "Nous ne chanterons pas (réjouissez-vous), mais nous serons heureux de vous revoir bientôt.",
            ),
        ),
        "en": Words(
            subject="Happy birthday{% if given_name %}, {{ given_name }}{% endif %}!",
            preheader="From everybody in the house.",
            paragraphs=(
                "{{ salutation }},",
                "Today the light is on you. Happy birthday, from everybody at {{ house.name }}.",
                "We will not sing (be glad), but we would love to see you in the house again soon.",
            ),
        ),
    },
)

FIFTH_VISIT = Letter(
    name={"nl": "Vijfde bezoek", "fr": "Cinquième visite", "en": "Fifth visit"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Vijf keer al. Bedankt!",
            preheader="We hebben het gemerkt, en we zijn er blij mee.",
            paragraphs=(
                "{{ salutation }},",
                '{{ last_visit.title or "Je laatste bezoek" }} was je vijfde keer bij {{ house.name }}. Dat wilden we niet zomaar'
                " laten voorbijgaan: bedankt, echt.",
                "Kom je de volgende keer, zeg dan even dag aan de balie. We leren onze vaste mensen graag kennen.",
            ),
            programme="Voor je zesde keer",
            button="Bekijk",
        ),
        "fr": Words(
            subject="Cinq fois déjà. Merci !",
            preheader="Nous l’avons remarqué, et cela nous réjouit.",
            paragraphs=(
                "{{ salutation }},",
                '{{ last_visit.title or "Votre dernière visite" }} : c’était votre cinquième fois à {{ house.name }}. Nous ne'
                " voulions pas laisser passer cela : merci, vraiment.",
                "La prochaine fois, dites-nous bonjour au guichet. Nous aimons connaître nos habitués.",
            ),
            programme="Pour la sixième fois",
            button="Voir",
        ),
        "en": Words(
            subject="Five times already. Thank you!",
            preheader="We noticed, and it makes us happy.",
            paragraphs=(
                "{{ salutation }},",
                '{{ last_visit.title or "Your last visit" }} was your fifth time at {{ house.name }}. We did not want to let that'
                " pass: thank you, really.",
                "When you come next time, say hello at the desk. We like to know our regulars.",
            ),
            programme="For your sixth time",
            button="Have a look",
        ),
    },
)

THIS_WEEKEND = Letter(
    name={"nl": "Nog plaats dit weekend", "fr": "Encore des places ce week-end", "en": "Seats left this weekend"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Nog niets gepland?",
            preheader="Dit kun je de komende dagen nog meepikken.",
            paragraphs=(
                "{{ salutation }},",
                "Jij beslist graag op het laatste moment. Wij ook. Dit staat er de komende dagen op het programma; kijk zelf of er"
                " nog een stoel voor je vrij is.",
            ),
            programme="De komende dagen",
            button="Is er nog plaats?",
        ),
        "fr": Words(
            subject="Rien de prévu ?",
            preheader="Voici ce que vous pouvez encore attraper ces jours-ci.",
            paragraphs=(
                "{{ salutation }},",
                "Vous aimez décider au dernier moment. Nous aussi. Voici ce qui est à l’affiche ces jours-ci ; voyez s’il reste"
                " un fauteuil pour vous.",
            ),
            programme="Ces prochains jours",
            button="Reste-t-il des places ?",
        ),
        "en": Words(
            subject="Nothing planned yet?",
            preheader="This is what you can still catch in the coming days.",
            paragraphs=(
                "{{ salutation }},",
                "You like to decide at the last moment. So do we. This is on in the coming days; see whether there is still a seat"
                " for you.",
            ),
            programme="In the coming days",
            button="Any seats left?",
        ),
    },
)
