# Fed to the shell of a fresh pretix: what its API cannot make. Prints the two API tokens as JSON, on the last line.
import json

from django_scopes import scopes_disabled
from pretix.base.models import Organizer, Team
from pretix.base.models.organizer import TeamAPIToken

with scopes_disabled():
    organizer = Organizer.objects.create(name="Cultuurhuis", slug="cultuurhuis")
    organizer.settings.customer_accounts = True
    organizer.settings.payment_manual__enabled = True
    organizer.settings.locales = ["nl", "fr", "en"]
    organizer.settings.locale = "nl"
    box_office = Team.objects.create(
        organizer=organizer,
        name="Kassa",
        all_events=True,
        all_event_permissions=True,
        all_organizer_permissions=True,
    )
    # The two rights that docs/connectors/pretix.md asks for, and no others.
    zaallicht = Team.objects.create(
        organizer=organizer,
        name="Zaallicht",
        all_events=True,
        limit_event_permissions={"event.orders:read": True},
        limit_organizer_permissions={"organizer.customers:read": True},
    )
    tokens = {team.name: TeamAPIToken.objects.create(team=team, name="proef").token for team in (box_office, zaallicht)}
    told = {"box_office": tokens["Kassa"], "zaallicht": tokens["Zaallicht"], "team": zaallicht.pk}

print(json.dumps(told))  # noqa: T201 - read by who started this
