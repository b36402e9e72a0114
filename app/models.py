"""Every table of the house, imported in one place, so that whoever needs the whole schema has it."""

from app.accounts import models as accounts
from app.activities import models as activities
from app.audiences import models as audiences
from app.audiences.clearing import models as audience_clearing
from app.audiences.files import models as audience_files
from app.consent import models as consent
from app.consent.clearing import models as consent_clearing
from app.contacts import campaigns
from app.contacts import models as contacts
from app.contacts.erasure import models as erasure
from app.contacts.forms import models as signup_forms
from app.db import Base
from app.journeys import models as journeys
from app.journeys.entering import models as journey_entering
from app.mailings import models as mailings
from app.mailings.effect import models as effect
from app.mailings.returns import models as returns
from app.mailings.tracking import models as tracking
from app.segments import models as segments
from app.sync import models as sync

metadata = Base.metadata

__all__ = [
    "accounts",
    "activities",
    "audience_clearing",
    "audience_files",
    "audiences",
    "campaigns",
    "consent",
    "consent_clearing",
    "contacts",
    "effect",
    "erasure",
    "journey_entering",
    "journeys",
    "mailings",
    "metadata",
    "returns",
    "segments",
    "signup_forms",
    "sync",
    "tracking",
]
