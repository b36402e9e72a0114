"""What comes back in words, English and marked for translation."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_

KINDS: Mapping[str, str] = {
    "bounce": N_("Came back, and the reason is not clear"),
    "complaint": N_("A complaint that names none of your mails"),
    "unsubscribe": N_("Somebody asks to stop, and it is not clear who"),
    "reply": N_("A mail from somebody"),
    "unknown": N_("A mail that cannot be read"),
    "delay": N_("On its way still"),
    "notice": N_("A notice"),
    "auto_reply": N_("An automatic answer"),
}

ALARMS: Mapping[str, str] = {
    "complaints": N_("%(count)s of %(of)s people said that the mailing “%(name)s” was unwanted."),
    "bounces": N_("%(count)s of %(of)s mails of “%(name)s” went to addresses that do not exist."),
}
