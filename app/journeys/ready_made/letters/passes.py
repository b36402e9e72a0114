"""Around a pass: thank you for buying one, the first point on it, and a reminder before it expires."""

from __future__ import annotations

from app.journeys.ready_made.letter import Letter, Words

BOUGHT = Letter(
    name={"nl": "Pas gekocht", "fr": "Pass acheté", "en": "Pass bought"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Je pas is klaar voor gebruik",
            preheader="Zo haal je er het meeste uit.",
            paragraphs=(
                "{{ salutation }},",
                "Je hebt een pas{% if pass.programme %} van {{ pass.programme }}{% endif %}. Leuk! Toon hem bij elk bezoek; je"
                " spaart punten en je krijgt kortingen die je anders zou missen.",
                "{% if pass.expires_on %}Hij is geldig tot {{ pass.expires_on }}. {% endif %}Dit zijn goede avonden om hem voor"
                " het eerst te gebruiken.",
            ),
            programme="Om te beginnen",
            button="Bekijk",
        ),
        "fr": Words(
            subject="Votre pass est prêt",
            preheader="Voici comment en profiter au mieux.",
            paragraphs=(
                "{{ salutation }},",
                "Vous avez un pass{% if pass.programme %} {{ pass.programme }}{% endif %}. Bravo ! Montrez-le à chaque visite : vous"
                " gagnez des points et des réductions que vous manqueriez sinon.",
                "{% if pass.expires_on %}Il est valable jusqu’au {{ pass.expires_on }}. {% endif %}Voici de bonnes soirées pour"
                " l’utiliser une première fois.",
            ),
            programme="Pour commencer",
            button="Voir",
        ),
        "en": Words(
            subject="Your pass is ready",
            preheader="How to get the most out of it.",
            paragraphs=(
                "{{ salutation }},",
                "You have a pass{% if pass.programme %} of {{ pass.programme }}{% endif %}. Nice! Show it at every visit; you save"
                " points and get discounts you would miss otherwise.",
                "{% if pass.expires_on %}It is valid until {{ pass.expires_on }}. {% endif %}These are good evenings to use it for"
                " the first time.",
            ),
            programme="To begin with",
            button="Have a look",
        ),
    },
)

FIRST_POINT = Letter(
    name={"nl": "Eerste punt", "fr": "Premier point", "en": "First point"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Je eerste punt is binnen",
            preheader="Sparen gaat vanzelf: elke keer een punt erbij.",
            paragraphs=(
                "{{ salutation }},",
                "Je hebt je eerste punt gespaard{% if pass.programme %} met je {{ pass.programme }}{% endif %}. Toon je pas ook de"
                " volgende keer, dan komt er vanzelf een bij. Met een handvol punten kies je een voordeel.",
            ),
            programme="Goed voor nog een punt",
            button="Bekijk",
        ),
        "fr": Words(
            subject="Votre premier point est là",
            preheader="Cela vient tout seul : un point à chaque fois.",
            paragraphs=(
                "{{ salutation }},",
                "Vous avez gagné votre premier point{% if pass.programme %} avec votre {{ pass.programme }}{% endif %}. Montrez votre"
                " pass la prochaine fois aussi, et il y en aura un de plus. Avec quelques points, vous choisissez un avantage.",
            ),
            programme="Pour gagner un point de plus",
            button="Voir",
        ),
        "en": Words(
            subject="Your first point is in",
            preheader="Saving goes by itself: a point every time.",
            paragraphs=(
                "{{ salutation }},",
                "You saved your first point{% if pass.programme %} with your {{ pass.programme }}{% endif %}. Show your pass next time"
                " too, and there will be one more. With a handful of points you choose a reward.",
            ),
            programme="Good for another point",
            button="Have a look",
        ),
    },
)

EXPIRING = Letter(
    name={"nl": "Pas vervalt bijna", "fr": "Pass bientôt expiré", "en": "Pass about to expire"},
    purpose="newsletter",
    words={
        "nl": Words(
            subject="Je pas loopt binnenkort af",
            preheader="Vernieuw op tijd, dan blijven je punten staan.",
            paragraphs=(
                "{{ salutation }},",
                "Je pas{% if pass.programme %} van {{ pass.programme }}{% endif %} is nog geldig tot"
                ' {{ pass.expires_on or "binnenkort" }}.{% if pass.points %} Er staan {{ pass.points }} punten op.{% endif %}',
                "Vernieuw hem op tijd, aan de balie of waar je hem kocht. Of gebruik hem nog een keer voor hij afloopt.",
            ),
            programme="Nog op tijd",
            button="Bekijk",
        ),
        "fr": Words(
            subject="Votre pass expire bientôt",
            preheader="Renouvelez à temps, et vos points restent.",
            paragraphs=(
                "{{ salutation }},",
                "Votre pass{% if pass.programme %} {{ pass.programme }}{% endif %} est encore valable jusqu’au"
                ' {{ pass.expires_on or "bientôt" }}.{% if pass.points %} Il compte {{ pass.points }} points.{% endif %}',
                "Renouvelez-le à temps, au guichet ou là où vous l’avez acheté. Ou utilisez-le encore une fois avant la fin.",
            ),
            programme="Encore à temps",
            button="Voir",
        ),
        "en": Words(
            subject="Your pass expires soon",
            preheader="Renew in time, and your points stay.",
            paragraphs=(
                "{{ salutation }},",
                "Your pass{% if pass.programme %} of {{ pass.programme }}{% endif %} is valid until"
                ' {{ pass.expires_on or "soon" }}.{% if pass.points %} There are {{ pass.points }} points on it.{% endif %}',
                "Renew it in time, at the desk or where you bought it. Or use it once more before it ends.",
            ),
            programme="Still in time",
            button="Have a look",
        ),
    },
)
