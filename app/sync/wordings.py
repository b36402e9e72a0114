"""What the codes of this room say to people; those of connectors are in ``integrations.meanings``.

English, marked for translation; pages and the API translate them.
"""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_, meaning_of

# What is wrong with something that was filled in.
FIELDS: Mapping[str, str] = {
    "required": N_("Fill this in."),
    "bad_settings": N_("This can hold letters, digits, dots, dashes and underscores only."),
    "too_long": N_("This is too long. Did something else get pasted along?"),
    "unreadable": N_("This holds characters that cannot be used here. Copy it again."),
    "unknown_field": N_("This field is not known here."),
    "already_connected": N_("This account is already connected. Open that connection instead."),
    "another_account": N_("This is another account. Connect it by itself, so that its people and visits keep apart."),
}

# What went wrong with a connection or a message, where it was not the other system.
FAILURES: Mapping[str, str] = {
    "internal_error": N_("Something went wrong on our side. It has been noted, and we try again by ourselves."),
    "bad_signature": N_("The signature of this message is wrong: it may not come from this system."),
    "connection_removed": N_("The connection was removed."),
}

# Why a record was not kept as it came.
RECORDS: Mapping[str, str] = {
    "no_identity": N_("Nothing says who this is: there is no e-mail address and no customer number."),
    "invalid_email": N_("The e-mail address is not valid."),
    "invalid_identity": N_("The customer number cannot be used."),
    "identity_conflict": N_(
        "The e-mail address and the customer number belong to two different contacts. Are they one person?"
    ),
    "unknown_activity": N_("The activity is not known."),
    "unknown_status": N_("The status is not known."),
    "invalid_quantity": N_("The quantity cannot be right."),
    "naive_instant": N_("A date lacks its time zone."),
    "no_external_id": N_("There is no number to know this by."),
    "no_title": N_("There is no title."),
    "unreadable_row": N_("This row holds something we cannot read, such as a price or a date in words. Look there."),
}
# What no longer exists there; what came in through it stays.
RECORDS_GONE: Mapping[str, str] = {
    "activity_gone_there": N_(
        "This activity no longer exists there. Visits stay. If it was still to come and nobody holds a ticket, it"
        " counts as cancelled here."
    ),
    "person_gone_there": N_(
        "This person was removed or made anonymous there. Were you asked to forget them? Then erase them here too."
    ),
    "ticket_gone_there": N_("This ticket no longer exists there, and counts as cancelled here."),
    "many_gone_there": N_(
        "More than half of what came from there is no longer listed, so nothing was changed. Does the key still see"
        " everything?"
    ),
}
NOT_KEPT = N_("This could not be kept.")


def field_wording(code: str) -> str:
    """Return the English sentence about a field, to be translated."""
    return FIELDS.get(code) or meaning_of(code)


def failure_wording(code: str) -> str:
    """Return the English sentence about a failing connection or message, to be translated."""
    return FAILURES.get(code) or meaning_of(code)


def record_wording(code: str) -> str:
    """Return the English sentence about a record that was not kept as it came, to be translated."""
    return RECORDS.get(code) or RECORDS_GONE.get(code, NOT_KEPT)
