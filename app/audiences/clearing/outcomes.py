"""How it can end at one system, and why it does not: codes, and what they say to people.

English, marked for translation; pages and the API translate them. Codes of connectors: ``integrations.meanings``.
"""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_, meaning_of

CAME_FROM_THERE = "came_from_there"
UNSUBSCRIBED = "unsubscribed"
ALREADY_OUT = "already_out"
OTHER_PURPOSE = "other_purpose"
NOT_KNOWN = "not_known"
OVERTAKEN = "overtaken"
ERASED = "erased"
DELETED = "deleted"
SIGNED_UP_THERE = "signed_up_there"
OPTED_OUT_ONLY = "opted_out_only"

NO_PLACE_THERE = "no_place_there"
ADDRESS_UNKNOWN = "address_unknown"
CONNECTION_REMOVED = "connection_removed"

LOOP = "loop"
ASKED = "asked"

# What took a journey there and back: the times the house is measured by.
CARRIED = (UNSUBSCRIBED, ALREADY_OUT, OTHER_PURPOSE, NOT_KNOWN, ERASED, DELETED, OPTED_OUT_ONLY)

OUTCOMES: Mapping[str, str] = {
    CAME_FROM_THERE: N_("It came from there, so it is known there."),
    UNSUBSCRIBED: N_("Unsubscribed there."),
    ALREADY_OUT: N_("Was already out there."),
    OTHER_PURPOSE: N_("Is on a list there that is used for something they did not refuse. Left as it is."),
    NOT_KNOWN: N_("Not known there, so there was nothing to do."),
    OVERTAKEN: N_("They said yes again before it arrived."),
    ERASED: N_("Deleted there for good."),
    DELETED: N_(
        "Deleted from every list there and blocked. The system keeps deleted addresses: to remove one for good, "
        "somebody has to do so there."
    ),
    SIGNED_UP_THERE: N_(
        "They signed up there again themselves, by a form of that system. That stays between them and that list; we "
        "write to them only when they say yes here."
    ),
    OPTED_OUT_ONLY: N_(
        "Every opt-in there is set to no. A box office keeps its customers, for their orders: to remove one there too,"
        " somebody has to do so by hand."
    ),
    NO_PLACE_THERE: N_("This system takes no opt-outs from others. It sends nothing for us."),
    ADDRESS_UNKNOWN: N_(
        "We do not hold the address any more. If the system still does, the nightly comparison finds it."
    ),
    CONNECTION_REMOVED: N_("The connection was removed before it arrived. Unsubscribe them there by hand."),
}

FAILURES: Mapping[str, str] = {
    LOOP: N_(
        "Somebody or something subscribes them there again each time. Look there who does, such as another program "
        "that is linked to the list. Then press Try again."
    ),
    "stays_subscribed": N_("The system still holds them as subscribed. It is tried again."),
    "not_a_destination": N_("This connection is no mail system that holds lists."),
}

STATES: Mapping[str, str] = {
    "pending": N_("Under way"),
    "acknowledged": N_("Arrived"),
    "failing": N_("Does not get through"),
    "not_possible": N_("Not possible there"),
}
TONES: Mapping[str, str] = {"pending": "info", "acknowledged": "good", "failing": "bad", "not_possible": "light"}

KINDS: Mapping[str, str] = {
    "opt_out": N_("Opt-out"),
    "erasure": N_("Erasure"),
    "again": N_("Was subscribed there again"),
}


def failure_wording(code: str) -> str:
    """Return the English sentence about why it does not get through, and what to do; to be translated."""
    return FAILURES.get(code) or meaning_of(code)
