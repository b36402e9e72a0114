"""For whoever came often and stayed away: we miss you, and then something they do not know yet."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Words

WE_MISS_YOU = Letter(
    name={"nl": "We missen je", "fr": "Vous nous manquez", "en": "We miss you"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Je stoel staat er nog",
            preheader="Het is een tijd geleden. Dit speelt er nu.",
            paragraphs=(
                "{{ salutation }},",
                "Het is een tijd geleden dat we je zagen{% if last_visit.title %}: de laatste keer was"
                " {{ last_visit.title }}{% endif %}. Zulke dingen gaan vanzelf: het leven is druk, en voor je het weet is er"
                " een seizoen voorbij.",
                "We wilden je even laten weten dat we je missen, en wat er nu speelt.",
            ),
            programme="Nu bij ons",
            button="Bekijk",
        ),
        "fr": Words(
            subject="Votre fauteuil est toujours là",
            preheader="Cela fait un moment. Voici ce qui se joue maintenant.",
            paragraphs=(
                "{{ salutation }},",
                "Cela fait un moment que nous ne vous avons vu{% if last_visit.title %} : la dernière fois, c’était"
                " {{ last_visit.title }}{% endif %}. Cela va vite : la vie est remplie et, avant qu’on s’en rende compte, une"
                " saison a passé.",
                "Nous voulions vous dire que vous nous manquez, et ce qui se joue en ce moment.",
            ),
            programme="En ce moment chez nous",
            button="Voir",
        ),
        "en": Words(
            subject="Your seat is still here",
            preheader="It has been a while. This is on now.",
            paragraphs=(
                "{{ salutation }},",
                "It has been a while since we saw you{% if last_visit.title %}: the last time was"
                " {{ last_visit.title }}{% endif %}. These things happen: life is busy, and before you know it a season has"
                " gone by.",
                "We wanted to tell you that we miss you, and what is on.",
            ),
            programme="Now at our house",
            button="Have a look",
        ),
    },
)

SOMETHING_NEW = Letter(
    name={"nl": "Iets dat je nog niet kent", "fr": "Une découverte", "en": "Something you do not know yet"},
    purpose="newsletter",
    cards=4,
    words={
        "nl": Words(
            subject="Iets dat je nog niet kent",
            preheader="Een ontdekking, en dan laten we je met rust.",
            paragraphs=(
                "{{ salutation }},",
                "Misschien was het gewoon tijd voor iets anders. Daarom deze keer geen zekerheden maar ontdekkingen: kies er"
                " één die je anders nooit zou kiezen.",
            ),
            programme="Om te ontdekken",
            button="Waarom niet?",
            after=(
                "Dit was de laatste keer dat we erover beginnen. Hoor je liever minder van ons? Onderaan kies je zelf wat je"
                " krijgt.",
            ),
        ),
        "fr": Words(
            subject="Quelque chose que vous ne connaissez pas encore",
            preheader="Une découverte, et puis nous vous laissons tranquille.",
            paragraphs=(
                "{{ salutation }},",
                "Peut-être était-il simplement temps de changer. Cette fois, donc, pas de valeurs sûres mais des découvertes :"
                " choisissez celle que vous n’auriez jamais choisie.",
            ),
            programme="À découvrir",
            button="Pourquoi pas ?",
            after=(
                "C’est la dernière fois que nous en parlons. Vous préférez avoir moins de nos nouvelles ? Au bas de ce message,"
                " vous choisissez.",
            ),
        ),
        "en": Words(
            subject="Something you do not know yet",
            preheader="One discovery, and then we leave you in peace.",
            paragraphs=(
                "{{ salutation }},",
                "Perhaps it was simply time for something else. So this time no sure things but discoveries: pick one that you"
                " would never have picked.",
            ),
            programme="To discover",
            button="Why not?",
            after=(
                "This is the last time we bring it up. Would you rather hear less from us? At the bottom you choose what you"
                " get.",
            ),
        ),
    },
)
